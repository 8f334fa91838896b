"""What Outlook packs into winmail.dat (MS-OXTNEF): the files in it, and the message's text where there is no other.

Invariants: total and linear; entries, properties and octets are capped before they are read (security S21), and of
messages attached inside only one level is opened. What is cut short gives what came before the cut.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from webmail.mime.charset import decode_html, decode_text, storable
from webmail.mime.filenames import media_type_of, safe_filename, synthesised_filename
from webmail.mime.rtf import LARGEST, decompress, read_rtf
from webmail.mime.text import safe_line

MOST_FILES = 1_000
_MOST_ATTRIBUTES = 10_000
_MOST_PROPERTIES = 10_000
_MOST_VALUES = 1_000  # of one property
_MOST_OCTETS = 100 * 2**20  # of all files together; they are slices of the input, but one may be named twice
_EMBEDDED = 1  # levels of messages inside

_SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_ATTACHMENT_BEGINS, _TITLE, _DATA, _ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9005
_PROPERTIES, _CODE_PAGE, _BODY = 0x9003, 0x9007, 0x800C

# MS-OXPROPS, by property id
_TEXT, _HTML, _RTF, _INTERNET_CODE_PAGE, _SUBJECT = 0x1000, 0x1013, 0x1009, 0x3FDE, 0x0037
_FILE_DATA, _LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _MIME_TAG, _CONTENT_ID = (
    0x3701,
    0x3707,
    0x3704,
    0x3001,
    0x370E,
    0x3712,
)

# MS-OXCDATA section 2.11.1: octets of a value of fixed size, padded to four
_FIXED: Final = {
    0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16,
}  # fmt: skip
_STRING8, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_VARIABLE: Final = (_STRING8, _UNICODE, _OBJECT, _BINARY)
_MANY, _NAMED = 0x1000, 0x8000
_MESSAGE_OBJECT: Final = bytes.fromhex("0703020000000000c000000000000046")  # IID_IMessage, as it stands on the wire


@dataclass(frozen=True, slots=True)
class TnefFile:
    """A file with a safe name ("" is never one), its type by name or as told, and a Content-ID or ""."""

    filename: str
    media_type: str
    data: bytes
    content_id: str = ""


@dataclass(slots=True)
class Tnef:
    """`html` and `text` are renditions of the body, "" where there is none."""

    files: list[TnefFile] = field(default_factory=list)
    html: str = ""
    text: str = ""


class _Cut(Exception):
    """The data ends before it should, or makes no sense any more."""


@dataclass(slots=True)
class _Attachment:
    name: str = ""
    data: bytes = b""
    media_type: str = ""
    content_id: str = ""
    embedded: bool = False

    @property
    def is_there(self) -> bool:
        return bool(self.data or self.name)


def is_tnef(media_type: str, filename: str) -> bool:
    """Whether a part is such a package by what it says of itself."""
    if media_type in ("application/ms-tnef", "application/vnd.ms-tnef"):
        return True
    return media_type == "application/octet-stream" and filename.lower() == "winmail.dat"


def open_tnef(data: bytes) -> Tnef | None:
    """What `data` holds, or None when it is no TNEF. Never raises."""
    return _Reader().open(data, level=0) if data.startswith(_SIGNATURE) else None


class _Reader:
    """Counts files and their octets over all levels."""

    def __init__(self) -> None:
        self.files: list[TnefFile] = []
        self.octets = 0
        self.rich_left = LARGEST  # octets of rich text that may still be unpacked

    def open(self, data: bytes, *, level: int) -> Tnef:
        found = Tnef(files=self.files)
        attachment: _Attachment | None = None
        code_page = ""
        try:
            for name, value in _attributes(data):
                if name == _CODE_PAGE and len(value) >= 4:
                    code_page = f"cp{int.from_bytes(value[:4], 'little')}"
                elif name == _ATTACHMENT_BEGINS:
                    self.take(attachment, level=level)
                    attachment = _Attachment()
                elif attachment is None:
                    self.describe_message(found, name, value, code_page)
                else:
                    _describe_file(attachment, name, value, code_page)
        except _Cut:
            pass
        self.take(attachment, level=level)
        return found

    def describe_message(self, found: Tnef, name: int, value: bytes, code_page: str) -> None:
        if name == _BODY and not found.text:
            found.text = decode_text(value.rstrip(b"\0"), code_page).replace("\r\n", "\n")
        elif name == _PROPERTIES:
            values = dict(_properties(value))
            _read_body(found, values, code_page)
            if _RTF in values and not found.html:
                self.read_rich(found, values[_RTF][1])

    def read_rich(self, found: Tnef, packed: bytes) -> None:
        """The text that RTF holds, where there is no HTML; all of a package together within one bound."""
        unpacked = decompress(packed, most=self.rich_left)
        self.rich_left -= len(unpacked)
        rtf = read_rtf(unpacked)
        found.html, found.text = rtf.html, found.text or rtf.text

    def take(self, attachment: _Attachment | None, *, level: int) -> None:
        """One attachment is complete: a file, or a message whose text and files are taken in its place."""
        if attachment is None or not attachment.is_there or self.octets + len(attachment.data) > _MOST_OCTETS:
            return
        if attachment.embedded and level < _EMBEDDED and attachment.data.startswith(_SIGNATURE):
            inner = self.open(attachment.data, level=level + 1)
            body, kind = (inner.html, "text/html") if inner.html else (inner.text, "text/plain")
            if body:
                self.add(attachment.name, kind, body.encode(), named_by_type=True)
            return
        kind = attachment.media_type or media_type_of(attachment.name)
        kind = "application/octet-stream" if is_tnef(kind, "") else kind  # what is opened holds nothing to be opened
        self.add(attachment.name, kind, attachment.data, content_id=attachment.content_id)

    def add(
        self, name: str, media_type: str, data: bytes, *, content_id: str = "", named_by_type: bool = False
    ) -> None:
        if len(self.files) >= MOST_FILES:
            return
        if named_by_type or not name:
            name = synthesised_filename(media_type, stem=name)
        self.octets += len(data)
        self.files.append(TnefFile(name, media_type, data, content_id))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(attribute, value) of the stream, the checksums being left to themselves (MS-OXTNEF section 2.1.3)."""
    place = 6
    for _ in range(_MOST_ATTRIBUTES):
        if place + 9 > len(data):
            return
        level, name, _kind, length = struct.unpack_from("<BHHI", data, place)
        if level not in (1, 2):
            return
        value = data[place + 9 : place + 9 + length]
        yield name, value
        if len(value) < length:
            return
        place += 9 + length + 2


def _read_body(found: Tnef, values: dict[int, tuple[int, bytes]], code_page: str) -> None:
    """HTML and plain text as they were written."""
    kind, html = values.get(_HTML, (0, b""))
    told = values.get(_INTERNET_CODE_PAGE, (0, b""))[1]
    page = f"cp{int.from_bytes(told[:4], 'little')}" if told else code_page
    if html:
        found.html = _string(kind, html, code_page) if kind == _UNICODE else decode_html(html.rstrip(b"\0"), page)
    text = values.get(_TEXT)
    if text is not None:
        found.text = _string(text[0], text[1], code_page).replace("\r\n", "\n")


def _describe_file(attachment: _Attachment, name: int, value: bytes, code_page: str) -> None:
    if name == _TITLE:
        attachment.name = attachment.name or safe_filename(decode_text(value.rstrip(b"\0"), code_page))
    elif name == _DATA:
        attachment.data = value
    elif name == _ATTACHMENT:
        _read_attachment(attachment, dict(_properties(value)), code_page)


def _read_attachment(attachment: _Attachment, values: dict[int, tuple[int, bytes]], code_page: str) -> None:
    for wanted in (_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME):
        name = safe_filename(_string(*values[wanted], code_page)) if wanted in values else ""
        if name:
            attachment.name = name
            break
    if _MIME_TAG in values:
        told = safe_line(_string(*values[_MIME_TAG], code_page)).lower()
        attachment.media_type = told[:100] if told.count("/") == 1 else ""
    if _CONTENT_ID in values:
        attachment.content_id = safe_line(_string(*values[_CONTENT_ID], code_page))[:500].strip("<> ")
    kind, data = values.get(_FILE_DATA, (0, b""))
    if kind == _OBJECT and len(data) > 16:  # the interface of the object stands before it
        attachment.embedded = data.startswith(_MESSAGE_OBJECT)
        data = data[16:]
    attachment.data = data or attachment.data


def _string(kind: int, value: bytes, code_page: str) -> str:
    if kind == _UNICODE:
        return storable(value[: len(value) & ~1].decode("utf-16-le", "replace").rstrip("\0"))
    return decode_text(value.rstrip(b"\0"), code_page)


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """(id, (type, first value)) of a property list; named properties have none of our ids (MS-OXTNEF 2.1.3.4)."""
    place = _Place(data)
    try:
        for _ in range(min(place.number(), _MOST_PROPERTIES)):
            kind, name = place.pair()
            if name & _NAMED:
                place.skip_name()
            values = place.values(kind)
            if values and not name & _NAMED:
                yield name, (kind & ~_MANY, values[0])
    except _Cut:
        return


class _Place:
    """Where reading stands in a property list."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self) -> int:
        return int.from_bytes(self.octets(4), "little")

    def pair(self) -> tuple[int, int]:
        kind, name = struct.unpack("<HH", self.octets(4))
        return kind, name

    def octets(self, length: int) -> bytes:
        """The next octets, the padding to four behind them passed. Raises _Cut."""
        piece = self.data[self.at : self.at + length]
        if len(piece) < length:
            raise _Cut
        self.at += length + -length % 4
        return piece

    def skip_name(self) -> None:
        """A named property's set, and its number or its words."""
        self.octets(16)
        by_words = self.number()
        self.octets(self.number() if by_words else 4)

    def values(self, kind: int) -> list[bytes]:
        base = kind & ~_MANY
        if base in _VARIABLE:
            return [self.octets(self.number()) for _ in range(self._count())]
        size = _FIXED.get(base)
        if size is None:
            raise _Cut  # nobody knows how long such a value is
        return [self.octets(size) for _ in range(self._count() if kind & _MANY else 1)]

    def _count(self) -> int:
        count = self.number()
        if count > _MOST_VALUES:
            raise _Cut
        return count
