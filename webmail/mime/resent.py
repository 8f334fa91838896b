"""A message sent on as it is (RFC 5322 section 3.6.6): its octets below a block of Resent fields.

Streaming: memory does not grow with the message. What only the delivery to the first recipient meant is left out of the
header (Return-Path, RFC 5321 section 4.4; Delivered-To, by which servers tell loops; Bcc).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from webmail.mime.addresses import Address
from webmail.mime.build import bracketed, crlf_chunks, format_date
from webmail.mime.encode import CRLF, addresses, header

LARGEST_HEADER: Final = 1024 * 1024
_CHUNK = 256 * 1024
_DROPPED: Final = (b"return-path", b"delivered-to", b"x-original-to", b"bcc")


@dataclass(frozen=True, slots=True)
class Resending:
    """Who sends the message on, to whom. The identifier is without angle brackets; ``date`` is aware."""

    from_: Address
    to: tuple[Address, ...]
    message_id: str
    date: datetime


def write_resent(resending: Resending, original: BinaryIO, out: BinaryIO) -> None:
    """Writes the message to `out` with CRLF line ends. Raises ValueError for a value that fits no header, or a header
    above ``LARGEST_HEADER``, before anything is written.
    """
    block = b"".join(
        (
            header("Resent-Date", [" " + format_date(resending.date)]),
            addresses("Resent-From", [resending.from_]),
            addresses("Resent-To", resending.to),
            header("Resent-Message-ID", [" " + bracketed("Resent-Message-ID", resending.message_id)]),
        )
    )
    kept, rest = _header(original)
    out.write(block + kept + CRLF)
    out.writelines(crlf_chunks(_chunks(rest, original)))


def _header(original: BinaryIO) -> tuple[bytes, bytes]:
    """The header's lines without those that are dropped, and what was read beyond it."""
    read = original.read(LARGEST_HEADER)
    lines: list[bytes] = []
    at, dropping = 0, True  # a folded line with no field before it would go on with one of ours
    while at < len(read):
        end = read.find(b"\n", at) + 1
        if not end:
            break
        line = read[at:end].rstrip(b"\r\n")
        at = end
        if not line:
            return b"".join(lines), read[at:]
        if line[:1] not in b" \t":
            dropping = line.partition(b":")[0].strip().lower() in _DROPPED
        if not dropping:
            lines.append(_one_line(line) + CRLF)
    if len(read) == LARGEST_HEADER:
        raise ValueError("The header of the message is too long to be sent on")
    if at < len(read):  # a last line without its end
        lines.append(_one_line(read[at:]) + CRLF)
    return b"".join(lines), b""


def _one_line(line: bytes) -> bytes:
    """Without the CRs of its own that some server would take for ends of lines, and so for other fields."""
    return line.rstrip(b"\r").replace(b"\r", b" ")


def _chunks(rest: bytes, original: BinaryIO) -> Iterator[bytes]:
    yield rest
    while chunk := original.read(_CHUNK):
        yield chunk
