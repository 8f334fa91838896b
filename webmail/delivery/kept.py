"""Conversations with submission servers that go on for a few seconds: whoever writes to a hundred people logs in once.

Invariants: a conversation is used by one thread at a time, and only for the account, the login and the server it was
opened with; there are never more than so many, and each is ended soon, or at once where no thread is left to do that; a
message that an old one would not begin with is offered on a new one at once, since a server may have had enough of a
conversation without saying so; past its envelope it is never offered again here.
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

Key: TypeAlias = tuple[int, Endpoint, str, float]
Work: TypeAlias = Callable[[smtp.Session], smtp.Submission]

_kept: list[tuple[Key, smtp.Session, float]] = []  # the longest idle first
_guard = threading.Lock()
_sweeper: threading.Thread | None = None


def with_session(account: MailAccount, server: Endpoint, work: Work) -> smtp.Submission:
    """`work` on a conversation of the account with the server. Raises MailServerError, and whatever `work` raises."""
    key = (account.pk, server, account.username, account.credential.changed_at.timestamp())
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
    """Keeps it, and takes leave of the longest idle where they are too many: one that is slow to end holds up others,
    whose number must not grow meanwhile.
    """
    with _guard:
        _kept.append((key, session, time.monotonic()))
        ends = max(0, len(_kept) - MOST_KEPT) if _is_swept() else len(_kept)
        over, _kept[:ends] = _kept[:ends], []
    for _, one, _ in over:
        one.close()


def _is_swept() -> bool:
    """Whether a thread takes leave of what is kept; begins one where there is none. The caller holds the guard."""
    global _sweeper  # noqa: PLW0603  one thread per process
    if _sweeper is None:
        thread = threading.Thread(target=_sweep_while_needed, name="kept", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more of them; the message has left, so this is no error
            return False
        _sweeper = thread
    return True


def sweep(*, older_than: float = KEPT_SECONDS) -> None:
    """Takes leave of those that have been idle for so many seconds."""
    before = time.monotonic() - older_than
    with _guard:
        ends = sum(since <= before for _, _, since in _kept)
        over, _kept[:ends] = _kept[:ends], []
    for _, session, _ in over:
        session.close()


def _sweep_while_needed() -> None:
    global _sweeper  # noqa: PLW0603  as above
    while True:
        time.sleep(TICK_SECONDS)
        sweep()
        with _guard:
            if not _kept:
                _sweeper = None
                return
