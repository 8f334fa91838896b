"""Copies of what a POP3 account downloads, for a mailbox of another account of the same person.

Invariants: the intent is recorded in the transaction that stores the message, so each message is owed once; the octets
stay where they are, the intent names them; a mailbox that is gone ends the copying and nothing else.
"""

from datetime import timedelta

from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import sync_state
from webmail.jobs import Job, enqueue
from webmail.models import Mailbox, PopCopy, RemoteOp
from webmail.sync.rows import Incoming

RECENT = timedelta(hours=1)  # older ones have had their wake-ups


def target_of(account: MailAccount) -> Mailbox | None:
    """The mailbox that gets copies, while it is there."""
    chosen = PopCopy.objects.select_related("mailbox__account").filter(account=account.pk).first()
    box = chosen.mailbox if chosen is not None else None
    return box if box is not None and box.phase != Mailbox.Phase.GONE else None


def owe(account: MailAccount, row: Incoming, digest: str) -> None:
    """Records the APPEND of a message just stored. Call inside ``guarded``."""
    box = target_of(account)
    if box is None or box.account.user_id != account.user_id:
        return
    RemoteOp.objects.create(
        account_id=box.account_id,
        kind=RemoteOp.Kind.APPEND,
        destination=box,
        gen=box.gen,
        args={
            "stored_for": account.pk,
            "digest": digest,
            "message_id": row.message_id,
            "flags": [],
            "internaldate": row.received_at.isoformat(),
        },
    )


def send(account: MailAccount) -> None:
    """After the commit: wakes the account that copies are owed to."""
    box = target_of(account)
    if box is None:
        return
    owed = RemoteOp.objects.filter(
        account=box.account_id, kind=RemoteOp.Kind.APPEND, destination=box, state=RemoteOp.State.QUEUED, attempts=0
    )
    if owed.filter(created_at__gte=timezone.now() - RECENT).exists():
        sync_state.wake(box.account_id)
        enqueue(Job.SYNC_ACCOUNT, box.account_id)
