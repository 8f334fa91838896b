"""Content lines, of which calendars (RFC 5545 section 3.1) and contact cards (RFC 6350 section 3.2) consist. Pure.

Total and bounded: what is no content line is left out, only the beginning of a large file is read, and of a long line
only its beginning. Nothing here searches backwards, so any input is read in one pass.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from webmail.mime.charset import decode_text, is_utf8
from webmail.mime.text import safe_line

LARGEST = 256 * 1024  # octets that are read
MOST_LINES = 16_000
_LONGEST = 8_000  # characters of a line
_MOST_PARAMETERS = 20
_NAME: Final = re.compile(r"(?:[A-Za-z0-9-]{1,60}\.)?([A-Za-z0-9-]{1,60})")
_PARAMETER_VALUE: Final = r"(?:\"[^\"]{0,4000}\"|[^\";:,]{0,4000})"
_PARAMETER: Final = re.compile(rf";([A-Za-z0-9-]{{1,60}})(?:=({_PARAMETER_VALUE}(?:,{_PARAMETER_VALUE}){{0,20}}))?")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One property: its name in upper case, parameters by name in upper case, and the value as it stands."""

    name: str
    value: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def content_lines(octets: bytes, charset: str = "utf-8", *, soft_breaks: bool = False) -> Iterator[Line]:
    """The properties in order, BEGIN and END among them. Never raises.

    ``soft_breaks``: quoted-printable values go on after a line that ends in "=", as in vCard 2.1.
    """
    head = octets[:LARGEST]
    text = decode_text(head, charset if not is_utf8(head) else "utf-8")
    for number, line in enumerate(_unfolded(text, soft_breaks=soft_breaks)):
        if number >= MOST_LINES:
            return
        found = content_line(line[:_LONGEST])
        if found is not None:
            yield found


def is_quoted(line: Line) -> bool:
    """Whether the value is quoted-printable; vCard 2.1 may leave out the parameter's name."""
    how = line.parameters.get("ENCODING", "").upper()
    return how == "QUOTED-PRINTABLE" or "QUOTED-PRINTABLE" in line.parameters


def _unfolded(text: str, *, soft_breaks: bool) -> Iterator[str]:
    """Lines with what continues them; of a very long one the rest is dropped."""
    held: list[str] = []
    size, goes_on = 0, False
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if goes_on or (line[:1] in (" ", "\t") and held):
            if size < _LONGEST:
                held.append(line if goes_on else line[1:])
                size += len(line)
        else:
            if held:
                yield "".join(held)
            held, size = [line], len(line)
        goes_on = soft_breaks and line[-1:] == "=" and (goes_on or _begins_quoted(held[0]))
        if goes_on and size < _LONGEST:
            held[-1] = held[-1][:-1]
    if held:
        yield "".join(held)


def _begins_quoted(line: str) -> bool:
    found = content_line(line[:_LONGEST])
    return found is not None and is_quoted(found)


def content_line(text: str) -> Line | None:
    """One unfolded line; its value is the end of the text as it stands. None for what is no property."""
    name = _NAME.match(text)
    if name is None:
        return None
    position, parameters = name.end(), dict[str, str]()
    while len(parameters) < _MOST_PARAMETERS and (found := _PARAMETER.match(text, position)):
        parameters.setdefault(found[1].upper(), (found[2] or found[1]).replace('"', ""))
        position = found.end()
    if text[position : position + 1] != ":":
        return None
    return Line(name[1].upper(), text[position + 1 :], parameters)


def plain(value: str, *, longest: int) -> str:
    """A text value on one line, its escapes undone: never markup, controls or marks of direction."""
    return safe_line(" ".join(_undone(value[: 2 * longest]).split()))[:longest]


def plain_lines(value: str, *, longest: int) -> str:
    """The same with its line breaks kept."""
    lines = _undone(value[: 2 * longest]).split("\n")
    return "\n".join(safe_line(line) for line in lines)[:longest].strip()


def _undone(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def escaped(value: str) -> str:
    """Text as the value of a property (RFC 5545 section 3.3.11)."""
    text = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def folded(line: str) -> str:
    """A line in pieces of at most 75 octets (RFC 5545 section 3.1), none splitting a character."""
    pieces, piece, size = [], "", 0
    for char in line:
        width = len(char.encode("utf-8", "replace"))
        if size + width > 74:
            pieces.append(piece)
            piece, size = "", 0
        piece += char
        size += width
    return "\n ".join([*pieces, piece])
