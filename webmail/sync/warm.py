"""One warm connection per account and worker process, for what a person waits for.

Invariants: a session is used by one thread at a time; one that has been idle for a minute is closed; one that was
opened with an older password or server is never used again; what broke is thrown away, and asked again once on a new
connection, since a server may have hung up on the old one unnoticed.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from django.utils import timezone

from accounts.models import MailAccount
from webmail import budget
from webmail.budget import Busy, Use
from webmail.connections import open_imap
from webmail.models import Mailbox
from webmail.protocols.errors import CommandFailed, ConnectionLost, ProtocolViolation, TooManyConnections
from webmail.protocols.imap import Session
from webmail.protocols.values import Selected

KEPT_SECONDS = 60.0
SPARED_SECONDS = 5.0  # where the sync may be waiting for it
TIGHT = 3  # connections of an account, below which they are shared
PATIENCE = 8.0  # seconds somebody's wish waits for a connection; after that it is asked for anew
BUSY_REST, REFUSED_REST = 0.2, 3.0
TICK_SECONDS = 5.0
MOST_KEPT = 50
T = TypeVar("T")
_Key = tuple[int, int, float]


@dataclass(slots=True)
class _Slot:
    key: _Key
    lock: threading.Lock = field(default_factory=threading.Lock)
    session: Session | None = None
    used: float = 0.0
    kept: float = KEPT_SECONDS


_slots: dict[int, _Slot] = {}
_guard = threading.Lock()
_sweeper: threading.Timer | None = None


def with_session(account: MailAccount, work: Callable[[Session], T]) -> T:
    """Runs ``work`` on the account's warm session. Raises MailServerError, and whatever ``work`` raises."""
    slot = _slot(account)
    with slot.lock:
        fresh = slot.session is None or slot.session.closed
        try:
            return _attempt(slot, account, work)
        except (ConnectionLost, ProtocolViolation):
            _drop(slot)
            if fresh:
                raise
            return _attempt(slot, account, work)
        finally:
            slot.used = time.monotonic()
            _arm()


def _attempt(slot: _Slot, account: MailAccount, work: Callable[[Session], T]) -> T:
    if slot.session is None or slot.session.closed:
        _drop(slot)
        slot.session = _open(account)
        tight = budget.account_cap(account, timezone.now()) < TIGHT
        slot.kept = SPARED_SECONDS if tight else KEPT_SECONDS
    return work(slot.session)


def _open(account: MailAccount) -> Session:
    """A connection for somebody who waits; when there is none to be had, whoever syncs the account gives one up.

    Raises MailServerError, Busy among it. A server that refuses is not asked again at once.
    """
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return open_imap(account, Use.PERSON)
        except TooManyConnections as error:
            rest = BUSY_REST if isinstance(error, Busy) else REFUSED_REST
            if time.monotonic() + rest > ends:
                raise
            budget.want(account.pk)
        time.sleep(rest)


def select(session: Session, box: Mailbox) -> Selected:
    """The mailbox, selected again only if it is not open already. Raises CommandFailed, also when it was renumbered."""
    selected = session.selected
    if selected is None or selected.wire_name != bytes(box.wire_name):
        selected = session.select(bytes(box.wire_name), read_only=True)
    if selected.uidvalidity != box.uidvalidity:
        raise CommandFailed("the mailbox was renumbered", code="UIDVALIDITY")
    return selected


def _slot(account: MailAccount) -> _Slot:
    key = (account.pk, account.incoming_id, account.credential.changed_at.timestamp())
    with _guard:
        slot = _slots.get(account.pk)
        if slot is None or slot.key != key:
            if slot is not None and slot.session is not None and slot.lock.acquire(blocking=False):
                slot.session.close()
                slot.lock.release()
            slot = _slots[account.pk] = _Slot(key)
        return slot


def _drop(slot: _Slot) -> None:
    if slot.session is not None:
        slot.session.close()
        slot.session = None


def sweep(*, older_than: float = KEPT_SECONDS) -> None:
    """Closes sessions that have been idle for so many seconds, and the longest idle of too many."""
    with _guard:
        slots = sorted(_slots.values(), key=lambda slot: slot.used)
    excess = len(slots) - MOST_KEPT
    for number, slot in enumerate(slots):
        rested = time.monotonic() - slot.used >= min(older_than, slot.kept)
        if (number < excess or rested) and slot.lock.acquire(blocking=False):
            try:
                _drop(slot)
                with _guard:
                    if _slots.get(slot.key[0]) is slot:
                        del _slots[slot.key[0]]
            finally:
                slot.lock.release()


def _arm() -> None:
    """A daemon timer looks after idle sessions for as long as there are any."""
    global _sweeper  # noqa: PLW0603  one timer per process
    with _guard:
        if _sweeper is None or not _sweeper.is_alive():
            _sweeper = threading.Timer(TICK_SECONDS, _tick)
            _sweeper.daemon = True
            _sweeper.start()


def _tick() -> None:
    global _sweeper  # noqa: PLW0603  as above
    sweep()
    with _guard:
        _sweeper = None
        left = bool(_slots)
    if left:
        _arm()
