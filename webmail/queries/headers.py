"""Every header field of a message, as it was written."""

from webmail import storage
from webmail.mime.headers import MAX_BYTES
from webmail.mime.parse import parse_message
from webmail.models import Message, MessageBody


def fields(message: Message, digest: str) -> list[tuple[str, str]]:
    """(name, value) in order, unfolded; read from the beginning of the whole message where they were not kept."""
    kept = MessageBody.objects.filter(message=message).values_list("headers", flat=True).first()
    if kept:
        return [(name, value) for name, value in kept]
    with storage.open_file(message.account_id, digest) as file:
        return list(parse_message(file.read(MAX_BYTES)).all_headers)
