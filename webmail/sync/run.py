"""One worker's pass over one account: the session, the lease, the clock, and whom to tell.

Invariants: no transaction is open while the session is spoken to; pages are told after the commit that changed what
they show, and not more than once a second about the same mailbox.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import MailAccount
from webmail import budget, live
from webmail.protocols.errors import MailServerError
from webmail.protocols.imap import Session
from webmail.protocols.values import MailboxStatus
from webmail.sync.lease import Lease

TELL_SECONDS = 1.0
ASK_SECONDS = 0.5


@dataclass(slots=True)
class Teller:
    """Tells the owner's pages which mailboxes changed, at once but not more than once a second each."""

    user_id: int
    account_id: int
    clock: Callable[[], float] = time.monotonic
    told: dict[int, float] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)

    def tell(self, mailbox_id: int) -> None:
        """A mailbox changed, and the change is committed."""
        if self.clock() - self.told.get(mailbox_id, float("-inf")) < TELL_SECONDS:
            self.held.add(mailbox_id)
            return
        self.told[mailbox_id] = self.clock()
        self.held.discard(mailbox_id)
        live.publish(self.user_id, "mailbox", account=self.account_id, mailbox=mailbox_id)

    def tell_rest(self) -> None:
        """The end of a pass: what was held back is told."""
        for mailbox_id in sorted(self.held):
            live.publish(self.user_id, "mailbox", account=self.account_id, mailbox=mailbox_id)
        self.held.clear()


@dataclass(slots=True)
class Run:
    """What a pass carries along. ``reopen`` gives a second, fresh session for proofs."""

    account: MailAccount
    lease: Lease
    session: Session
    teller: Teller
    reopen: Callable[[], Session]
    now: datetime
    active: bool
    slice_ends: float  # time.monotonic()
    woken_at: datetime | None = None  # the wake-up this pass answers
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    asked: bool = False  # for the connection, when last looked
    asked_at: float = float("-inf")
    counting_since: float | None = None
    counted: dict[int, int] = field(default_factory=dict)  # messages of each mailbox in this pass

    @property
    def over(self) -> bool:
        """Whether the time slice is used up, or somebody waits for the connection."""
        return self.clock() >= self.slice_ends or self._asked_for()

    def _asked_for(self) -> bool:
        if self.clock() - self.asked_at >= ASK_SECONDS:
            self.asked_at = self.clock()
            self.asked = budget.wanted(self.account.pk)
        return self.asked

    @property
    def woken(self) -> bool:
        """Whether somebody asked for the account since this pass began."""
        return self.lease.woken_at is not None and self.lease.woken_at != self.woken_at

    def begin_counting(self) -> None:
        """From here on the pass measures how fast it gets on, the waiting for the server included."""
        self.counting_since = self.clock()
        self.counted.clear()

    def count(self, mailbox_id: int, messages: int) -> tuple[int, int]:
        """Counts a window; returns messages a minute of this mailbox and of the account, since the pass began with
        them."""
        self.counted[mailbox_id] = self.counted.get(mailbox_id, 0) + messages
        minutes = max(self.clock() - (self.counting_since or self.clock()), 0.5) / 60
        return int(self.counted[mailbox_id] / minutes), int(sum(self.counted.values()) / minutes)

    def status(self, wire_name: bytes) -> MailboxStatus | None:
        """The counters of a mailbox that is not selected; None where the server does not give them."""
        try:
            return self.session.status(wire_name)
        except MailServerError:
            return None

    def tell(self, mailbox_id: int) -> None:
        """A mailbox changed, and the change is committed."""
        self.teller.tell(mailbox_id)
