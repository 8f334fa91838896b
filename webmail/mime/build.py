"""Messages written (RFC 5322, 2045-2049, 2231, 3676), streaming: memory does not grow with the attachments.

Invariants: the same composition gives the same octets; CRLF everywhere, no line over 998 octets; CR, LF or NUL in any
value is a ValueError naming the field, raised before the first octet is written (security S25); header names are
constants; an attached message keeps its octets (only its line ends are made CRLF). A value error aside, only what
`out` and the openers raise gets out of here.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final

from webmail.mime.addresses import Address
from webmail.mime.encode import (
    CRLF,
    LIMIT,
    addresses,
    ascii_domain,
    base64_lines,
    check,
    crlf,
    encode_text,
    header,
    parameter,
    parameterised,
    unstructured,
)
from webmail.mime.flowed import flow
from webmail.mime.html_text import html_to_text

EXTRA_HEADERS: Final = frozenset(
    {"Auto-Submitted", "Disposition-Notification-To", "Importance", "X-Priority", "Precedence", "Content-Language"}
    | {"Organization", "Sensitivity", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Mailroom-Draft"}
)
KEPT_REFERENCES = 20
_CHUNK = 57 * 1024
_ID: Final = re.compile(r"[!-;=?-~]{1,900}")
_MEDIA_TYPE: Final = re.compile(
    r"(?P<type>[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80})"
    r'(?P<params>(?:;\s{0,3}[A-Za-z0-9._-]{1,40}=(?:[A-Za-z0-9!#$&^_.+-]{1,80}|"[^"\\\r\n]{0,80}")){0,8})'
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to send: its bytes, or a function that opens it anew each time it is called. `size` is in octets.

    With a `content_id` and an HTML body it is a picture within the HTML, else a file beside the text. `key` is what the
    caller knows its content by, for a `Frame`.
    """

    filename: str
    content_type: str
    data: bytes | Callable[[], BinaryIO]
    size: int
    content_id: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class MachinePart:
    """What programs read beside the text: a receipt (RFC 8098), an answer to an invitation (RFC 6047).

    `multipart` is the subtype that holds both. Parameters are constants as `parameterised` takes them.
    """

    multipart: str
    media_type: str
    text: str
    parameters: tuple[str, ...] = ()
    multipart_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything a message is made of. Identifiers are without angle brackets; `date` is aware.

    `references` are those of the message being answered, `in_reply_to` is its own identifier. Without `text` the plain
    alternative is made from `html`. `boundary_seed` is random and secret until sending. `extra` names are from
    `EXTRA_HEADERS`. With a `machine` part there are no attachments.
    """

    from_: tuple[Address, ...]
    subject: str
    message_id: str
    date: datetime
    boundary_seed: bytes
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    sender: tuple[Address, ...] = ()
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    machine: MachinePart | None = None


@dataclass(slots=True)
class Frame:
    """What `write_message` may write to instead of a file: files with a `key` are left out, to be filled in later.

    `holes` are [octets of the frame before it, key]. `fill` with the same contents gives the octets that writing to a
    file would have given, however much later.
    """

    out: BinaryIO
    size: int = 0
    holes: list[tuple[int, str]] = field(default_factory=list)

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return self.out.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)


def new_message_id(domain: str, random: bytes) -> str:
    """An identifier without angle brackets; `random` is at least 16 unguessable octets."""
    if len(random) < 16:
        raise ValueError("A message identifier needs 16 random octets")
    check("Message-ID", domain)
    return f"{random.hex()}@{ascii_domain('Message-ID', domain)}"


def write_message(composition: Composition, out: BinaryIO | Frame, *, keep_bcc: bool) -> None:
    """Writes the message to `out`; Bcc only when `keep_bcc` (the copy for Sent, never what SMTP carries)."""
    head = _headers(composition, keep_bcc=keep_bcc)
    body = _body(composition)
    out.write(head)
    body.write(out)


def fill(frame: BinaryIO, holes: Iterable[tuple[int, str]], content: Callable[[str], BinaryIO], out: BinaryIO) -> None:
    """Writes the whole message; `content` opens a file by its key. Raises what they raise."""
    at = 0
    for place, key in holes:
        out.write(frame.read(place - at))
        at = place
        with content(key) as source:
            out.writelines(base64_lines(_read(source)))
    while chunk := frame.read(_CHUNK):
        out.write(chunk)


def base64_size(octets: int) -> int:
    """How many octets a file of so many has in a message."""
    characters = 4 * ((octets + 2) // 3)
    return characters + 2 * ((characters + 75) // 76)


def estimate_size(composition: Composition) -> int:
    """About how many octets the message will have, for a check against the server's SIZE before anything is read."""
    texts = len((composition.text or "").encode("utf-8", "replace")) + len(
        (composition.html or "").encode("utf-8", "replace")
    )
    files = sum(item.size * 78 // 57 + 600 for item in composition.attachments)
    return 4_000 + texts * 3 // 2 + files


# --- headers ---------------------------------------------------------------------------------------------------------


def _headers(composition: Composition, *, keep_bcc: bool) -> bytes:
    if not composition.from_:
        raise ValueError("From must hold an address")
    lines = [header("Date", [" " + format_date(composition.date)])]
    people = [("From", composition.from_), ("Sender", composition.sender), ("Reply-To", composition.reply_to)]
    people += [("To", composition.to), ("Cc", composition.cc)]
    bcc = addresses("Bcc", composition.bcc) if composition.bcc else b""
    lines += [addresses(name, values) for name, values in people if values]
    if keep_bcc:
        lines.append(bcc)
    if not (composition.to or composition.cc) and composition.bcc:
        lines.append(header("To", [" undisclosed-recipients:;"]))
    lines.append(unstructured("Subject", composition.subject))
    lines.append(header("Message-ID", [" " + bracketed("Message-ID", composition.message_id)]))
    lines += _reply_headers(composition)
    for name, value in sorted(composition.extra.items()):
        if name not in EXTRA_HEADERS:
            raise ValueError("Extra headers must be among those known")
        lines.append(unstructured(name, value))
    lines.append(header("MIME-Version", [" 1.0"]))
    return b"".join(lines)


def format_date(moment: datetime) -> str:
    """RFC 5322 section 3.3, in English whatever the locale."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("Date must have a time zone")
    minutes = int(offset.total_seconds()) // 60
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d}"
    return f"{day} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} {zone}"


def bracketed(name: str, value: str) -> str:
    """A message identifier as a header holds it; ValueError where it is none."""
    if not _ID.fullmatch(check(name, value)):
        raise ValueError(f"{name} is not a message identifier")
    return f"<{value}>"


def _reply_headers(composition: Composition) -> list[bytes]:
    """In-Reply-To and References: the first and the last 19 of the parent's, then the parent."""
    parent = check("In-Reply-To", composition.in_reply_to)
    ancestors = [check("References", value) for value in composition.references]
    # A stranger's odd identifier must not keep anybody from answering: it is left out.
    known = [value for value in dict.fromkeys(ancestors) if _ID.fullmatch(value) and value != parent]
    if len(known) > KEPT_REFERENCES:
        known = [known[0], *known[1 - KEPT_REFERENCES :]]
    lines: list[bytes] = []
    if parent and _ID.fullmatch(parent):
        lines.append(header("In-Reply-To", [f" <{parent}>"]))
        known.append(parent)
    if known:
        lines.append(header("References", [f" <{value}>" for value in known]))
    return lines


# --- bodies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entity:
    """A part ready to be written: its own header lines, and what writes its body."""

    head: bytes
    write_body: Callable[[BinaryIO | Frame], None]

    def write(self, out: BinaryIO | Frame) -> None:
        out.write(self.head + CRLF)
        self.write_body(out)


def _body(composition: Composition) -> _Entity:
    boundaries = _boundaries(composition.boundary_seed)
    html = composition.html
    pictures = [item for item in composition.attachments if html is not None and item.content_id]
    files = [item for item in composition.attachments if item not in pictures]
    text = composition.text
    if text is None:
        text = html_to_text(html, links=True) if html is not None else ""
    body = _text_entity("plain", flow(text.replace("\r\n", "\n").replace("\r", "\n")), " format=flowed")
    if html is not None:
        rich = _text_entity("html", html)
        if pictures:
            members = [rich, *(_file_entity(item, inline=True) for item in pictures)]
            rich = _multipart("related", members, next(boundaries), ' type="text/html"')
        body = _multipart("alternative", [body, rich], next(boundaries))
    machine = composition.machine
    if machine is not None:
        members = [body, _machine_entity(machine)]
        return _multipart(machine.multipart, members, next(boundaries), *machine.multipart_parameters)
    if files:
        body = _multipart("mixed", [body, *(_file_entity(item, inline=False) for item in files)], next(boundaries))
    return body


def _boundaries(seed: bytes) -> Iterator[str]:
    """`=_` occurs in neither base64 nor quoted-printable; the rest cannot be guessed."""
    number = 0
    while True:
        yield "=_" + hashlib.sha256(seed + number.to_bytes(4, "big")).hexdigest()[:40]
        number += 1


def _multipart(subtype: str, members: list[_Entity], boundary: str, *parameters: str) -> _Entity:
    def write(out: BinaryIO | Frame) -> None:
        for member in members:
            out.write(f"--{boundary}\r\n".encode("ascii"))
            member.write(out)
        out.write(f"--{boundary}--\r\n".encode("ascii"))

    tokens = [*parameters, f' boundary="{boundary}"']
    return _Entity(parameterised("Content-Type", f"multipart/{subtype}", tokens), write)


def _text_entity(subtype: str, text: str, *parameters: str) -> _Entity:
    encoding, octets = encode_text(crlf(text))
    head = parameterised("Content-Type", f"text/{subtype}", [" charset=utf-8", *parameters])
    head += header("Content-Transfer-Encoding", [" " + encoding])
    return _Entity(head, lambda out: _write_all(out, octets))


def _machine_entity(machine: MachinePart) -> _Entity:
    encoding, octets = encode_text(crlf(machine.text))
    head = parameterised("Content-Type", machine.media_type, list(machine.parameters))
    head += header("Content-Transfer-Encoding", [" " + encoding])
    return _Entity(head, lambda out: _write_all(out, octets))


def _write_all(out: BinaryIO | Frame, octets: bytes) -> None:
    out.write(octets if octets.endswith(CRLF) else octets + CRLF)


def _file_entity(item: Attachment, *, inline: bool) -> _Entity:
    filename = check("Attachment filename", item.filename)
    content_type = check("Attachment type", item.content_type)
    found = _MEDIA_TYPE.fullmatch(content_type.strip())
    media_type = found["type"].lower() if found else "application/octet-stream"
    tokens = [" " + token.strip() for token in (found["params"] if found else "").split(";")[1:]]
    if filename.isascii() and filename and "name=" not in "".join(tokens).lower():
        tokens += parameter("name", filename)[:1]
    encoding = _original_encoding(item) if media_type == "message/rfc822" else "base64"
    if media_type == "message/rfc822" and encoding == "base64":
        media_type = "application/octet-stream"  # an encoded message is none, RFC 2046 section 5.2.1
    head = parameterised("Content-Type", media_type, tokens)
    disposition = "inline" if inline else "attachment"
    head += parameterised("Content-Disposition", disposition, parameter("filename", filename) if filename else [])
    head += header("Content-Transfer-Encoding", [" " + encoding])
    if item.content_id:
        head += header("Content-ID", [" " + bracketed("Content-ID", item.content_id)])

    def write(out: BinaryIO | Frame) -> None:
        if isinstance(out, Frame) and item.key and encoding == "base64":
            out.holes.append((out.size, item.key))
        else:
            out.writelines(base64_lines(_chunks(item)) if encoding == "base64" else crlf_chunks(_chunks(item)))

    return _Entity(head, write)


def _chunks(item: Attachment) -> Iterator[bytes]:
    if isinstance(item.data, bytes):
        yield from (item.data[at : at + _CHUNK] for at in range(0, len(item.data), _CHUNK))
        return
    with item.data() as source:
        yield from _read(source)


def _read(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk


def crlf_chunks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Line ends made CRLF, the last line ended; a CR at a chunk's end waits for what follows it."""
    held, last = b"", b""
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""
        whole = (data[:-1] if held else data).replace(CRLF, b"\n").replace(b"\n", CRLF)
        if whole:
            yield whole
            last = whole[-2:]
    if last != CRLF:
        yield CRLF


def _original_encoding(item: Attachment) -> str:
    """How an attached message can travel untouched; base64, as a file, when its lines are no lines of mail."""
    eight_bit, run, previous = False, 0, b""
    for chunk in _chunks(item):
        data = previous + chunk
        previous = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(previous)]
        lines = data.replace(CRLF, b"\n").split(b"\n")
        if b"\0" in data or any(b"\r" in line for line in lines):
            return "base64"
        if run + len(lines[0]) > LIMIT or any(len(line) > LIMIT for line in lines):
            return "base64"
        run = len(lines[-1]) + (run if len(lines) == 1 else 0)
        eight_bit = eight_bit or not data.isascii()
    return "base64" if previous else "8bit" if eight_bit else "7bit"
