"""Where headers end and where the parts of a multipart lie, as offsets (RFC 5322 section 2.1, RFC 2046 section 5.1.1).

Invariants: total, linear in the range looked at; nothing is copied.
"""

import re
from collections.abc import Iterator
from typing import Final

_LEADING: Final = re.compile(rb"[\r\n\0]*")
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_FIELD_LINE: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_NOT_A_FIELD: Final = re.compile(rb"^(?![!-9;-~]+[ \t]*:|[ \t\r\n]|>?From )[^\n]", re.MULTILINE)
_KNOWN_FIELD: Final = re.compile(
    rb"^(?:from|to|subject|date|message-id|received|return-path|mime-version|content-type|content-transfer-encoding)"
    rb"[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


def header_bounds(raw: bytes, start: int, end: int, *, message: bool) -> tuple[int, int]:
    """Where the header block of the entity at `start` ends, and where its body begins.

    A part whose first line is no field has no header. A message may open with other lines (an mbox "From ", junk) as
    long as fields one knows follow.
    """
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return start, raw.index(b"\n", start) + 1
    blank = _BLANK_LINE.search(raw, start, end)
    header_end = blank.start() + 1 if blank else end
    if _FIELD_LINE.match(raw, start, header_end) is None:
        known = _KNOWN_FIELD.search(raw, start, header_end) if message else None
        if known is None:
            return start, start
    if blank:
        return header_end, blank.end()
    stray = _NOT_A_FIELD.search(raw, start, end)  # no blank line at all: the body begins with the first non-field
    return (stray.start(), stray.start()) if stray else (end, end)


def outermost_bounds(raw: bytes) -> tuple[int, int]:
    """The same for a whole message, before which servers and files leave blank lines and NULs."""
    blank = _LEADING.match(raw)
    start = blank.end() if blank else 0
    header_end, body_start = header_bounds(raw, start, len(raw), message=True)
    if start and _KNOWN_FIELD.search(raw, start, header_end) is None:
        return 0, start
    return header_end, body_start


def _delimiter_lines(raw: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """(start, start of the next line, closing) of every delimiter line in raw[start:end]."""
    at = start if raw.startswith(delimiter, start, end) else _line_with(raw, start, end, delimiter)
    while at is not None:
        line_end = raw.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        tail = raw[at + len(delimiter) : line_end].strip()
        if tail in (b"", b"--"):
            yield at, min(line_end + 1, end), bool(tail)
        at = _line_with(raw, line_end, end, delimiter)


def _line_with(raw: bytes, start: int, end: int, delimiter: bytes) -> int | None:
    found = raw.find(b"\n" + delimiter, start, end)
    return found + 1 if found >= 0 else None


def sections(raw: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """The (start, end) of the parts between delimiter lines; without a closing one the last part takes the rest."""
    opened = -1
    for at, following, closing in _delimiter_lines(raw, start, end, b"--" + boundary):
        if opened >= 0:  # the line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1)
            content_end = at - 2 if raw[at - 2 : at - 1] == b"\r" else at - 1
            yield opened, max(opened, content_end)
        opened = following
        if closing:
            return
    if opened >= 0:
        yield opened, end
