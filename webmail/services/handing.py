"""Handing over for sending what no draft was written for: receipts, answers to invitations, messages sent on as they
are. What happens then is delivery's, as for any message; until a worker has it, it can be taken back.
"""

import os
from datetime import timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Identity, User
from webmail import live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.addresses import Address
from webmail.mime.build import Composition, MachinePart, new_message_id, write_message
from webmail.mime.preview import snippet
from webmail.models import Draft, Message, MessageAnswer, Outgoing, OutgoingRecipient
from webmail.queries.composing import address_for, identity_for

from .mailboxes import NotPossible


def writer(user: User, original: Message) -> Identity:
    """The address that the original was written to, of its own account. Raises NotPossible where none can send."""
    identity = identity_for(user, original)
    fits = identity is not None and identity.account_id == original.account_id and address_for(identity, original)
    if identity is None or not fits or identity.account.outgoing_id is None:
        raise NotPossible(gettext("This account has no server for sending. Add one in its settings."))
    return identity


def hand_over(
    identity: Identity,
    original: Message,
    *,
    to: tuple[Address, ...],
    subject: str,
    text: str,
    machine: MachinePart,
    automatic: bool = False,
) -> Outgoing:
    """The message frozen and waiting for its time, in the caller's transaction.

    ``automatic``: nobody answers to it, so that its envelope names no sender and no copy is kept in Sent (RFC 8098
    section 3). Raises ValueError for an address that is none.
    """
    address = address_for(identity, original)
    composition = Composition(
        from_=(Address(name=identity.name, addr_spec=address),),
        to=to,
        subject=subject,
        message_id=new_message_id(address.rpartition("@")[2], os.urandom(16)),
        date=timezone.localtime(),
        boundary_seed=os.urandom(16),
        text=text,
        machine=machine,
        in_reply_to=original.message_id,
        references=tuple(original.references),
        extra={"Auto-Submitted": "auto-replied"} if automatic else {},
    )
    with storage.spool() as spool:
        write_message(composition, cast(BinaryIO, spool), keep_bcc=False)
        digest, size = spool.keep(identity.account_id), spool.size
    user = identity.account.user
    outgoing = Outgoing.objects.create(
        user=user,
        account_id=identity.account_id,
        identity=identity,
        original=original,
        message_id=composition.message_id,
        subject=subject,
        snippet=snippet(text),
        envelope_from="" if automatic else address,
        digest=digest,
        sent_copy_digest=digest,
        size=size,
        filing=Outgoing.Filing.NONE if automatic else Outgoing.Filing.WAITING,
        send_after=timezone.now() + timedelta(seconds=user.undo_send_seconds),
    )
    OutgoingRecipient.objects.bulk_create(
        OutgoingRecipient(outgoing=outgoing, address=one.addr_spec, name=one.name, kind="to") for one in to
    )
    if not user.undo_send_seconds:
        enqueue_on_commit(Job.SEND, outgoing.pk)
    live.publish_on_commit(user.pk, "outbox", outgoing=outgoing.pk)
    return outgoing


def was_never_a_draft(outgoing: Outgoing) -> bool:
    """Whether taking it back leaves nothing to go on writing: an answer to a request, a message sent on as it is."""
    return outgoing.mode == Draft.Mode.REDIRECT or MessageAnswer.objects.filter(outgoing=outgoing).exists()


@transaction.atomic
def recall(outgoing: Outgoing) -> bool:
    """Takes back what was never a draft; False when it is too late, or was written as one."""
    waiting = [Outgoing.State.QUEUED, Outgoing.State.DEFERRED, Outgoing.State.FAILED]
    mine = Outgoing.objects.filter(pk=outgoing.pk, state__in=waiting, claim=None, sent_at=None)
    if not was_never_a_draft(outgoing) or not mine.update(state=Outgoing.State.CANCELLED):
        return False
    live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk, state=Outgoing.State.CANCELLED)
    return True
