"""The original of a sent answer gets \\Answered, that of a forward $Forwarded (RFC 9051 section 2.3.2); that a message
got its receipt, other programs hear by $MDNSent (RFC 3503).
"""

from functools import partial

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import MailAccount
from accounts.services import sync_state
from webmail.models import Draft, Flag, Mailbox, MessageAnswer, Outgoing, Placement, RemoteOp
from webmail.models.summaries import refresh_lines

RECEIPT_SENT = "$MDNSent"


def mark(outgoing: Outgoing) -> None:
    """Changes the rows and records the intent for the server, in the caller's transaction."""
    if outgoing.original_id is None:
        return
    if outgoing.mode not in Draft.ANSWERS | Draft.FORWARDS:  # handed over about a message, not written in answer to it
        if MessageAnswer.objects.filter(outgoing=outgoing, kind=MessageAnswer.Kind.RECEIPT).exists():
            _mark_receipt(outgoing.original_id)
        return
    bit = int(Flag.FORWARDED if outgoing.mode in Draft.FORWARDS else Flag.ANSWERED)
    remote = MailAccount.Protocol.IMAP
    for placement in _locked(outgoing.original_id):
        owed = placement.account.protocol == remote
        values = {"pending_mask": F("pending_mask").bitor(bit)} if owed else {"server_flags": F("flags").bitor(bit)}
        Placement.objects.filter(pk=placement.pk).update(flags=F("flags").bitor(bit), **values)
        if owed:
            RemoteOp.objects.create(
                account_id=placement.account_id,
                kind=RemoteOp.Kind.FLAGS,
                mailbox_id=placement.mailbox_id,
                gen=placement.gen,
                placements=[placement.pk],
                uids=[placement.uid],
                set_flags=bit,
            )
            # after the commit, since a worker that holds the account's row may wait for this placement
            transaction.on_commit(partial(sync_state.wake, placement.account_id))
        refresh_lines([placement.mailbox_id], [placement.thread_id])


def _locked(message_id: int) -> QuerySet[Placement]:
    """Where the message lies, in the order in which all take rows."""
    rows = Placement.objects.filter(message=message_id, origin=None, state=Placement.State.LIVE).order_by("pk")
    return rows.select_related("account").select_for_update(of=("self",))


def _mark_receipt(message_id: int) -> None:
    """Where folders are labels (Gmail) there are no keywords."""
    for placement in _locked(message_id):
        present = {word.lower() for word in placement.keywords}
        labelled = Mailbox.objects.filter(account=placement.account_id, labelled=True).exclude(phase=Mailbox.Phase.GONE)
        if RECEIPT_SENT.lower() in present or labelled.exists():
            continue
        words = sorted([*placement.keywords, RECEIPT_SENT])
        owed = placement.account.protocol == MailAccount.Protocol.IMAP
        pending = sorted({*placement.pending_keywords, RECEIPT_SENT.lower()})
        values = {"pending_keywords": pending} if owed else {"server_keywords": words}
        Placement.objects.filter(pk=placement.pk).update(keywords=words, **values)
        if owed:
            RemoteOp.objects.create(
                account_id=placement.account_id,
                kind=RemoteOp.Kind.KEYWORDS,
                mailbox_id=placement.mailbox_id,
                gen=placement.gen,
                placements=[placement.pk],
                uids=[placement.uid],
                args={"add": [RECEIPT_SENT], "remove": []},
            )
            transaction.on_commit(partial(sync_state.wake, placement.account_id))
