"""Which open operations rightly wait: for messages of a mailbox whose numbers do not last, and what is behind them."""

from __future__ import annotations

from accounts.models import MailAccount
from webmail.models import Mailbox, RemoteOp
from webmail.sync.ops_plan import Batch, Held, Op
from webmail.sync.ops_resolve import source_uids
from webmail.sync.remote_ops import _value

WAITS = "waits for its messages"
OPEN = ("queued", "inflight")


def waiting(account: MailAccount) -> set[int]:
    """Ids of operations that cannot be carried out yet, each with a reason; every other open one is owed."""
    held, found = Held(), set[int]()
    for row in RemoteOp.objects.filter(account=account, state__in=OPEN).order_by("pk"):
        op = _value(row)
        if held.keeps(op) or (row.error == WAITS and _unseen(op)):
            held.add(op)
            found.add(row.pk)
    return found


def waiting_messages(account: MailAccount) -> set[int]:
    """The placements that these operations are about."""
    rows = RemoteOp.objects.filter(pk__in=waiting(account)).values_list("placements", flat=True)
    return {pk for placements in rows for pk in placements}


def _unseen(op: Op) -> bool:
    """Whether a message of it is older than what is read of a mailbox that is numbered anew again and again."""
    box = Mailbox.objects.filter(pk=op.mailbox or 0).first()
    if box is None or not box.unstable or (box.backfill_low is not None and box.backfill_low <= 1):
        return False
    return None in source_uids(Batch(op.kind, op.mailbox, op.gen, op.destination, [op]), box).values()
