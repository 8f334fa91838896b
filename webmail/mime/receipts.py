"""What a receipt says to programs: message/disposition-notification (RFC 8098 section 3)."""

from typing import Final

from webmail.mime.build import MachinePart
from webmail.mime.encode import addr_spec, check

_REPORTER: Final = "Mailroom"


def displayed(*, reader: str, original_id: str) -> MachinePart:
    """That ``reader`` opened the message and chose to say so. Raises ValueError for what is no address.

    ``original_id`` is without angle brackets; one that is no line of ASCII is left out.
    """
    spec = addr_spec("Final-Recipient", reader)
    lines = [f"Reporting-UA: {_REPORTER}", f"Final-Recipient: {'rfc822' if spec.isascii() else 'utf-8'}; {spec}"]
    if original_id and original_id.isascii() and original_id.isprintable() and len(original_id) < 900:
        lines.append(f"Original-Message-ID: <{check('Original-Message-ID', original_id)}>")
    lines.append("Disposition: manual-action/MDN-sent-manually; displayed")
    media_type = "message/disposition-notification" if spec.isascii() else "message/global-disposition-notification"
    return MachinePart(
        multipart="report",
        multipart_parameters=(" report-type=disposition-notification",),
        media_type=media_type,
        text="\n".join(lines),
    )
