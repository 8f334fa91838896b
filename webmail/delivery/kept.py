"""Conversations with submission servers that go on for a few seconds: whoever writes to a hundred people logs in once.

Invariants: a conversation is used by one thread at a time, and only for the account, the password and the server it
was opened with; a message that an old one would not begin with is offered on a new one at once, since a server may
have had enough of a conversation without saying so; past its envelope it is never offered again here.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from django.conf import settings

from accounts.models import MailAccount
from webmail import connections
from webmail.protocols import smtp
from webmail.protocols.errors import MailServerError
from webmail.protocols.net import Credential, Endpoint

KEPT_SECONDS = 5.0
TICK_SECONDS = 1.0
MOST_TAKEN = 100  # messages by one conversation; servers have limits of their own and say so
MOST_KEPT = 100

Key: TypeAlias = tuple[int, Endpoint, float]
Work: TypeAlias = Callable[[smtp.Session], smtp.Submission]

_kept: list[tuple[Key, smtp.Session, float]] = []  # the longest idle first
_guard = threading.Lock()
_sweeper: threading.Timer | None = None


def with_session(account: MailAccount, server: Endpoint, work: Work) -> smtp.Submission:
    """`work` on a conversation of the account with the server. Raises MailServerError, and whatever `work` raises."""
    key = (account.pk, server, account.credential.changed_at.timestamp())
    session = _take(key)
    if session is not None:
        try:
            return _use(key, session, work)
        except smtp.OutcomeUnknown:
            raise
        except MailServerError:
            if session.began:
                raise
    return connections.log_in(
        account, connections.outgoing_credential, lambda credential: _use(key, _open(server, credential), work)
    )


def _open(server: Endpoint, credential: Credential) -> smtp.Session:
    return smtp.connect(server, credential, helo_name=settings.MAILROOM["HELO_NAME"])


def _use(key: Key, session: smtp.Session, work: Work) -> smtp.Submission:
    try:
        submission = work(session)
    except BaseException:
        session.close()
        raise
    if session.taken < MOST_TAKEN:
        _keep(key, session)
    else:
        session.close()
    return submission


def _take(key: Key) -> smtp.Session | None:
    """The one used last, if it still answers."""
    while True:
        with _guard:
            place = next((place for place in reversed(range(len(_kept))) if _kept[place][0] == key), None)
            if place is None:
                return None
            _, session, _ = _kept.pop(place)
        if session.usable:
            return session
        session.close()


def _keep(key: Key, session: smtp.Session) -> None:
    global _sweeper  # noqa: PLW0603  one timer per process
    with _guard:
        _kept.append((key, session, time.monotonic()))
        if _sweeper is None:
            _sweeper = threading.Timer(TICK_SECONDS, _tick)
            _sweeper.daemon = True
            _sweeper.start()


def sweep(*, older_than: float = KEPT_SECONDS) -> None:
    """Takes leave of those that have been idle for so many seconds, and of the longest idle of too many."""
    before = time.monotonic() - older_than
    with _guard:
        idle = sum(since <= before for _, _, since in _kept)
        ends = max(idle, len(_kept) - MOST_KEPT)
        over, _kept[:ends] = _kept[:ends], []
    for _, session, _ in over:
        session.close()


def _tick() -> None:
    global _sweeper  # noqa: PLW0603  as above
    sweep()
    with _guard:
        _sweeper = threading.Timer(TICK_SECONDS, _tick) if _kept else None
        if _sweeper is not None:
            _sweeper.daemon = True
            _sweeper.start()
