"""One worker's pass over one account: the session, the lease, the clock, and whom to tell.

Invariants: no transaction is open while the session is spoken to; pages are told after the commit that changed what
they show, and not more than once a second about the same mailbox.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import MailAccount
from webmail import live
from webmail.protocols.imap import Session
from webmail.sync.lease import Lease

TELL_SECONDS = 1.0


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

    @property
    def over(self) -> bool:
        """Whether the time slice is used up."""
        return self.clock() >= self.slice_ends

    @property
    def woken(self) -> bool:
        """Whether somebody asked for the account since this pass began."""
        return self.lease.woken_at is not None and self.lease.woken_at != self.woken_at

    def tell(self, mailbox_id: int) -> None:
        """A mailbox changed, and the change is committed."""
        self.teller.tell(mailbox_id)
