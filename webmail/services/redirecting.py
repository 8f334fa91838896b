"""Sending a message on as it is, to somebody else (RFC 5322 section 3.6.6). Its author stays its author."""

import os
from datetime import timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Identity
from webmail import live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.addresses import Address
from webmail.mime.build import new_message_id
from webmail.mime.resent import Resending, write_resent
from webmail.models import Draft, Message, Outgoing, OutgoingRecipient
from webmail.queries.composing import address_for

from .outbox import NotReady, keep_to_limits, people_named, remember


def redirect(identity: Identity, original: Message, digest: str, *, to: str) -> Outgoing:
    """The whole message, which storage has as ``digest``, waiting to leave. Raises NotReady, errors by field.

    The envelope names the one who sends it on, so that a refusal comes back to them; Sent keeps no copy.
    """
    people, errors = people_named(to)
    if identity.account.outgoing_id is None:
        errors["identity"] = _("This account has no server for sending. Add one in its settings.")
    address = address_for(identity, original)
    if not address:
        errors["identity"] = _("Choose an address to write from.")
    if errors:
        raise NotReady(errors)
    message_id = new_message_id(address.rpartition("@")[2], os.urandom(16))
    sender = Address(name=identity.name, addr_spec=address)
    resending = Resending(from_=sender, to=people.to, message_id=message_id, date=timezone.localtime())
    try:
        kept, size = _store(identity, original, digest, resending)
    except ValueError as error:
        raise NotReady({"": str(error)}) from None
    except FileNotFoundError:  # taken away meanwhile, to make room
        raise NotReady({"": _("The message is no longer here. Open it again, then send it on.")}) from None
    user = identity.account.user
    leaves = timezone.now() + timedelta(seconds=user.undo_send_seconds)
    with transaction.atomic():
        keep_to_limits(user, people)
        outgoing = Outgoing.objects.create(
            user=user,
            account_id=identity.account_id,
            identity=identity,
            original=original,
            mode=Draft.Mode.REDIRECT,
            message_id=message_id,
            subject=original.subject,
            snippet=original.snippet,
            envelope_from=address,
            digest=kept,
            sent_copy_digest=kept,
            size=size,
            filing=Outgoing.Filing.NONE,
            send_after=leaves,
            due_at=leaves,
        )
        OutgoingRecipient.objects.bulk_create(
            OutgoingRecipient(outgoing=outgoing, address=person.addr_spec, name=person.name, kind=kind)
            for kind, person in people.envelope()
        )
        remember(user, people)
        if not user.undo_send_seconds:
            enqueue_on_commit(Job.SEND, outgoing.pk)
        live.publish_on_commit(user.pk, "outbox", outgoing=outgoing.pk)
    return outgoing


def _store(identity: Identity, original: Message, digest: str, resending: Resending) -> tuple[str, int]:
    with storage.open_file(original.account_id, digest) as source, storage.spool() as spool:
        write_resent(resending, cast(BinaryIO, source), cast(BinaryIO, spool))
        return spool.keep(identity.account_id), spool.size
