"""A message as it lies in a mailbox after it was fetched: parsed, stored and cleaned by the real code, no server."""

from django.utils import timezone

from webmail import storage
from webmail.mime.parse import parse_message
from webmail.models import Mailbox, Message
from webmail.sync import bodies
from webmail.sync.apply import store
from webmail.sync.local_sent import whole
from webmail.sync.placements import Spot


def deliver(box: Mailbox, raw: bytes) -> Message:
    """Writes the message and its content into the mailbox as a download of the whole message does."""
    parsed = parse_message(raw)
    row = whole(box.account_id, parsed, raw, received_at=timezone.now(), size=len(raw))
    (arrived,) = store(Spot(box.account_id, box.pk, box.gen), [row]).arrived
    message = Message.objects.select_related("account__user").get(pk=arrived[0])
    bodies.keep(message, parsed, raw, raw_digest=storage.put(box.account_id, raw))
    return Message.objects.get(pk=message.pk)


def address_of(box: Mailbox, message: Message) -> str:
    """The page of the message's conversation."""
    return f"/mail/{box.account_id}/{box.pk}/{message.thread_id}/"
