"""Rich text of mail: unpacked (MS-OXRTFCP), and read as the HTML it was made from (MS-OXRTFEX) or as plain text.

Invariants: total, linear; what is unpacked is capped, whatever its header promises (security S21).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from itertools import islice
from typing import Final

from webmail.mime.charset import decode_text, storable

LARGEST = 2 * 2**20  # octets of rich text that are read
_DEPTH = 500
_MOST_TOKENS = 600_000  # of which a text of the largest size has half
_SHORT = 16  # octets of a run that is worth remembering

_PRESET: Final = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4096


def decompress(data: bytes, *, most: int = LARGEST) -> bytes:
    """The rich text in a PR_RTF_COMPRESSED value; b"" when it is none. What is damaged gives what came before."""
    if len(data) < 16:
        return b""
    size, kind = int.from_bytes(data[4:8], "little"), data[8:12]
    size = min(size, most)
    if kind == b"MELA":
        return data[16 : 16 + size]
    return _unpack(data, size) if kind == b"LZFu" else b""


def _unpack(data: bytes, size: int) -> bytes:
    """LZFu (MS-OXRTFCP section 2.2): runs of eight tokens, each a letter or a reference into the last 4096."""
    out = bytearray(_PRESET)
    end = len(_PRESET) + size
    place = 16
    while place < len(data) and len(out) < end:
        control = data[place]
        place += 1
        for bit in range(8):
            if len(out) >= end or place >= len(data):
                break
            if not control >> bit & 1:
                out.append(data[place])
                place += 1
                continue
            token = int.from_bytes(data[place : place + 2], "big")
            place += 2
            distance = (len(out) - (token >> 4)) % _WINDOW
            if not distance:  # a reference to where writing stands: the end
                return bytes(out[len(_PRESET) : end])
            _repeat(out, distance, (token & 15) + 2)
    return bytes(out[len(_PRESET) : end])


def _repeat(out: bytearray, distance: int, length: int) -> None:
    """Appends `length` octets that stood `distance` ago, which may reach into themselves."""
    start = len(out) - distance
    if start < 0:  # into the part of the window that was never written
        out += bytes(min(-start, length))
        length -= min(-start, length)
        start = 0
    while length > 0:
        piece = out[start : start + length]
        out += piece
        start += len(piece)
        length -= len(piece)


# --- reading ---------------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\"
)
_SKIPPED: Final = frozenset(
    b"colortbl stylesheet info pict object header footer headerl headerr headerf footerl footerr footerf listtable "
    b"listoverridetable generator themedata colorschememapping latentstyles datastore xmlnstbl rsidtbl fldinst".split()
)
_SPECIAL: Final = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"tab": "\t", b"cell": "\t",
    b"emdash": "\u2014", b"endash": "\u2013", b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c",
    b"rdblquote": "\u201d", b"bullet": "\u2022", b"emspace": "\u2003", b"enspace": "\u2002",
}  # fmt: skip
_SYMBOLS: Final = {b"~": "\u00a0", b"_": "\u2011", b"-": "\u00ad", b"\r": "\n", b"\n": "\n"}
# \fcharset to code page
_CHARSETS: Final = {
    0: "cp1252", 77: "mac", 128: "cp932", 129: "cp949", 130: "johab", 134: "cp936", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rtf:
    """`html` when the text was made from HTML, else `text`; the other is ""."""

    html: str = ""
    text: str = ""


@dataclass(slots=True)
class _Group:
    """What a brace opens and its fellow undoes."""

    skipped: bool = False  # a destination that holds no text
    tag: bool = False  # of the HTML the text was made from
    rtf_only: bool = False  # stands in for a tag, for readers that know none
    fonts: bool = False
    font: int = -1
    unicode_skip: int = 1

    def copy(self) -> "_Group":
        return _Group(self.skipped, self.tag, self.rtf_only, self.fonts, self.font, self.unicode_skip)


def read_rtf(data: bytes) -> Rtf:
    """The readable content of rich text. Never raises."""
    if not data.lstrip().startswith(b"{\\rtf"):
        return Rtf()
    return _Reader().read(data[:LARGEST])


@dataclass(slots=True)
class _Reader:
    group: _Group = field(default_factory=_Group)
    stack: list[_Group] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    octets: bytearray = field(default_factory=bytearray)  # of one code page, not yet decoded
    page: str = "cp1252"
    pages: dict[int, str] = field(default_factory=dict)  # by font
    from_html: bool = False
    starred: bool = False
    to_skip: int = 0  # characters that repeat a \u for readers that know none

    def read(self, data: bytes) -> Rtf:
        for match in islice(_tokens(data), _MOST_TOKENS):
            word, number, code, symbol, brace, text = match.groups()
            if brace is not None:
                self.brace(brace)
            elif word is not None:
                self.word(word, int(number) if number else None)
            elif code is not None:
                self.letters(bytes([int(code, 16)]))
            elif symbol is not None:
                self.symbol(symbol)
            elif text is not None:
                self.letters(text)
        self.flush()
        whole = storable("".join(self.pieces)).strip()
        return Rtf(html=whole) if self.from_html else Rtf(text=whole)

    def brace(self, brace: bytes) -> None:
        self.flush()
        self.starred, self.to_skip = False, 0
        if brace == b"{":
            if len(self.stack) < _DEPTH:
                self.stack.append(self.group.copy())
            else:
                self.group.skipped = True
        elif self.stack:
            self.group = self.stack.pop()

    def symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self.starred = True
        elif symbol in b"\\{}":
            self.letters(symbol)
        elif symbol in _SYMBOLS:
            self.say(_SYMBOLS[symbol])

    def word(self, word: bytes, number: int | None) -> None:
        starred, self.starred = self.starred, False
        if word == b"htmltag":
            self.group.tag, self.group.skipped = True, False
        elif word == b"fonttbl":
            self.group.fonts = True
        elif starred or word in _SKIPPED:
            self.group.skipped = True
        elif word == b"htmlrtf":
            self.flush()
            self.group.rtf_only = number != 0
        elif word == b"u" and number is not None:
            self.say(chr(number & 0xFFFF))
            self.to_skip = self.group.unicode_skip
        elif word in _SPECIAL:
            self.say(_SPECIAL[word])
        else:
            self.setting(word, number)

    def setting(self, word: bytes, number: int | None) -> None:
        if word == b"fromhtml":
            self.from_html = number != 0
        elif word == b"ansicpg" and number:
            self.page = f"cp{number}"
        elif word == b"uc":
            self.group.unicode_skip = min(number if number is not None else 1, 100)
        elif word == b"f" and number is not None:
            self.flush()
            self.group.font = number
        elif word == b"fcharset" and self.group.fonts and number in _CHARSETS:
            self.pages[self.group.font] = _CHARSETS[number]
        elif word == b"plain" and not self.group.fonts:
            self.flush()
            self.group.font = -1

    def letters(self, octets: bytes) -> None:
        if self.to_skip:
            dropped = min(self.to_skip, len(octets))
            self.to_skip -= dropped
            octets = octets[dropped:]
        if self.heard:
            self.octets += octets

    def say(self, text: str) -> None:
        self.flush()
        if self.heard:
            self.pieces.append(text)

    @property
    def heard(self) -> bool:
        group = self.group
        return bool(self.stack) and not (
            group.skipped or group.fonts or (self.from_html and group.rtf_only and not group.tag)
        )

    def flush(self) -> None:
        if self.octets:
            decode = _remembered if len(self.octets) <= _SHORT else decode_text
            text = decode(bytes(self.octets), self.pages.get(self.group.font, self.page))
            self.pieces.append(text if self.group.tag or not self.from_html else escape(text, quote=False))
            self.octets.clear()


_remembered: Final = lru_cache(maxsize=4096)(decode_text)  # a text cut into letters names few different ones


def _tokens(data: bytes) -> Iterator[re.Match[bytes]]:
    """The tokens one after another; binary data (\\bin) is passed over."""
    place = 0
    while match := _TOKEN.match(data, place):
        place = match.end()
        if match[1] == b"bin" and match[2]:
            place += max(0, int(match[2]))
            continue
        yield match
