"""Letters of the demo as bytes on the wire (RFC 5322, 2045, 2047, 3676), the same for the same input."""

import hashlib
import html
import re
import textwrap
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from quopri import encodestring

from deploy.demo.people import Person

WIDTH = 72
PLAIN_NAME = re.compile(r"[A-Za-z0-9 ]+")
WORD_BYTES = 42  # of one encoded word before base64, so that no line passes 76


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something attached; with `content_id` it is shown inside the HTML and named there as `cid:`."""

    name: str
    media: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message; `parents` are the Message-IDs of References, oldest first; `when` is aware.

    `calendar` is an iTIP request (RFC 5546) that stands beside text and HTML as a third way to show the message.
    """

    sender: Person
    to: tuple[Person, ...]
    subject: str
    when: datetime
    text: str = ""
    html: str = ""
    cc: tuple[Person, ...] = ()
    parents: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    charset: str = "utf-8"
    flowed: bool = False
    calendar: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def message_id(self) -> str:
        domain = self.sender.address.partition("@")[2]
        return f"<{digest(self.sender.address, self.subject, self.when.isoformat())}@{domain}>"


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:20]


def encode_words(text: str, charset: str = "utf-8") -> str:
    """Header text as it is, or as base64 encoded words, each whole in itself (RFC 2047 section 5)."""
    if text.isascii():
        return text
    chunks, chunk = [], ""
    for char in text:
        if len((chunk + char).encode(charset, "replace")) > WORD_BYTES:
            chunks.append(chunk)
            chunk = ""
        chunk += char
    packed = (b64encode(piece.encode(charset, "replace")).decode() for piece in [*chunks, chunk])
    return "\r\n ".join(f"=?{charset}?B?{word}?=" for word in packed)


def mailbox(person: Person, charset: str = "utf-8") -> str:
    name = person.name if PLAIN_NAME.fullmatch(person.name) else f'"{person.name}"'
    if not person.name.isascii():
        name = encode_words(person.name, charset)
    return f"{name} <{person.address}>"


def render(letter: Letter) -> bytes:
    """The message with CRLF line ends."""
    charset = letter.charset

    def people(found: tuple[Person, ...]) -> str:
        # the names of others need not exist in this letter's charset
        return ",\r\n ".join(mailbox(person) for person in found)

    fields = [
        ("Date", format_datetime(letter.when)),
        ("From", mailbox(letter.sender, charset)),
        ("To", people(letter.to)),
        *([("Cc", people(letter.cc))] if letter.cc else []),
        ("Subject", encode_words(letter.subject, charset)),
        ("Message-ID", letter.message_id),
    ]
    if letter.parents:
        fields += [("In-Reply-To", letter.parents[-1]), ("References", "\r\n ".join(letter.parents))]
    fields += [*letter.headers, ("MIME-Version", "1.0")]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode() + _body(letter)


def _body(letter: Letter) -> bytes:
    """The top part with its MIME fields: mixed around related around alternative, each only where needed."""
    mark = digest(letter.message_id)
    parts = []
    if letter.text:
        parts.append(_text_part(letter.text, "plain", charset=letter.charset, flowed=letter.flowed))
    if letter.html:
        inline = [_file_part(file) for file in letter.files if file.content_id]
        page = _text_part(letter.html, "html", charset=letter.charset)
        parts.append(_multipart("related", f"rel-{mark}", [page, *inline]) if inline else page)
    if letter.calendar:
        parts.append(_text_part(letter.calendar, "calendar; method=REQUEST", charset=letter.charset))
    whole = parts[0] if len(parts) == 1 else _multipart("alternative", f"alt-{mark}", parts)
    attached = [_file_part(file) for file in letter.files if not (file.content_id and letter.html)]
    return _multipart("mixed", f"mix-{mark}", [whole, *attached]) if attached else whole


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> bytes:
    fence = f"--{boundary}".encode()
    inside = b"".join(fence + b"\r\n" + part + b"\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode() + inside + fence + b"--\r\n"


def _text_part(text: str, subtype: str, *, charset: str, flowed: bool = False) -> bytes:
    if subtype == "plain":
        text = flow(text) if flowed else text
    encoded = re.sub(rb"\r?\n", b"\r\n", text.encode(charset, "replace"))
    kind = f"Content-Type: text/{subtype}; charset={charset}" + ("; format=flowed" if flowed else "")
    if encoded.isascii() and max(map(len, encoded.split(b"\r\n"))) < 900:
        how = "7bit"
    elif sum(byte > 127 for byte in encoded[:600]) * 5 > len(encoded[:600]):
        how, encoded = "base64", _base64(encoded)
    else:
        how = "quoted-printable"
        encoded = encodestring(encoded.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return f"{kind}\r\nContent-Transfer-Encoding: {how}\r\n\r\n".encode() + encoded


def _base64(content: bytes) -> bytes:
    packed = b64encode(content)
    return b"".join(packed[at : at + 76] + b"\r\n" for at in range(0, len(packed), 76))


def _file_part(file: File) -> bytes:
    name = encode_words(file.name).replace("\r\n ", " ")
    shown = f'"{file.name}"' if file.name.isascii() else f'"{name}"'
    kind = f"Content-Type: {file.media}; name={shown}\r\nContent-Transfer-Encoding: base64\r\n"
    if file.content_id:
        kind += f"Content-ID: <{file.content_id}>\r\n"
    how = "inline" if file.content_id else "attachment"
    kind += f"Content-Disposition: {how}; filename={shown}\r\n\r\n"
    return kind.encode() + _base64(file.content)


def wrap(text: str, prefix: str = "") -> str:
    """Paragraphs broken at 72 columns, quoted lines and short lists left as they are."""
    lines = []
    for line in text.split("\n"):
        if len(line) <= WIDTH - len(prefix) or line.startswith(">"):
            lines.append(prefix + line)
        else:
            lines += [prefix + piece for piece in textwrap.wrap(line, WIDTH - len(prefix))]
    return "\n".join(line.rstrip() for line in lines)


def flow(text: str) -> str:
    """Long lines broken softly, with a space before the break (RFC 3676 section 4)."""
    lines = []
    for line in text.split("\n"):
        if line.startswith(">") or len(line) <= WIDTH:
            lines.append(line.rstrip() if line != "-- " else line)
        else:
            pieces = textwrap.wrap(line, WIDTH)
            lines += [piece + " " for piece in pieces[:-1]] + pieces[-1:]
    return "\n".join(lines)


def quote(text: str, *, depth: int = 3) -> str:
    """A text as the quoted part of the answer to it; what would be quoted deeper than `depth` is left out."""
    lines = []
    for line in wrap(text.rstrip()).split("\n"):
        level = len(line) - len(line.lstrip(">"))
        if level < depth:
            lines.append(">" + line if line.startswith(">") else f"> {line}".rstrip())
    return "\n".join(lines)


def to_html(text: str) -> str:
    """A plain letter as the HTML that mail programs write: paragraphs, lists, and quotes as blockquotes."""
    parts: list[str] = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.split("\n")
        if all(line.startswith("- ") for line in lines):
            parts.append("<ul>" + "".join(f"<li>{html.escape(line[2:])}</li>" for line in lines) + "</ul>")
        elif lines[0].startswith(">"):
            inside = "<br>\r\n".join(html.escape(line.lstrip("> ")) for line in lines)
            parts.append(f'<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:2px solid #c8d0d0;'
                         f'padding-left:1ex;color:#555">{inside}</blockquote>')  # fmt: skip
        else:
            parts.append("<p>" + "<br>\r\n".join(html.escape(line) for line in lines) + "</p>")
    return (
        '<html><body style="font-family:sans-serif;font-size:14px">\r\n' + "\r\n".join(parts) + "\r\n</body></html>\r\n"
    )
