"""One FETCH response to its items, lazily: nothing inside BODYSTRUCTURE is parsed, only its end is found.

Invariants: never raises anything but MalformedRow; no recursion, so depth costs nothing; time is linear in the row.
RFC 9051 section 7.5.2; RFC 7162 (MODSEQ); RFC 8474 (EMAILID, THREADID); Gmail's X-GM items.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.values import MAX_UID, BadRow, FlagRow, HeaderRow, Unidentified

Items: TypeAlias = dict[bytes, bytes | None]

FETCH_HEAD = re.compile(rb"\* (\d{1,10}) FETCH \(", re.IGNORECASE)
# name, then one of: simple list, number or atom, quoted string, literal at the end of the text, list to be measured
_ITEM = re.compile(
    rb" *([A-Za-z][A-Za-z0-9.\-]*(?:\[[^\]]*\](?:<\d+>)?)?) +"
    rb"(?:(\([^()\"{]*\))|([^ ()\"{]+)|\"((?:[^\"\\]|\\.)*)\"|~?\{\d+\+?\}(\Z)|(\())",
    re.DOTALL,
)
_NEXT_PAREN = re.compile(rb'[^()"]*+(?:"(?:[^"\\]++|\\.)*+"[^()"]*+)*+([()])', re.DOTALL)
_TAIL_LITERAL = re.compile(rb"~?\{\d+\+?\}\Z")
_UID_AT_EDGE = re.compile(
    rb"\A\* \d+ FETCH \((?:FLAGS \([^()]*\) )?UID (\d{1,10})[ )]| UID (\d{1,10})\)\Z", re.IGNORECASE
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"), start=1
    )
}
_LABEL = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ ()"]+)', re.DOTALL)
_flag_sets: dict[bytes, frozenset[str]] = {}
_zones: dict[bytes, timezone] = {}


class MalformedRow(ValueError):
    """The row cannot be read. The text is ours and quotes nothing."""


def scan_items(response: Response, *, depth: int) -> Items:
    """The items of a FETCH response by upper-case name; NIL is None, lists keep their parentheses.

    A list nested deeper than `depth` comes out empty. Raises MalformedRow.
    """
    chunks = response.chunks
    text = chunks[0]
    head = FETCH_HEAD.match(text)
    if head is None:
        raise MalformedRow("not a FETCH response")
    position, index, items = head.end(), 0, Items()
    while True:
        found = _ITEM.match(text, position)
        if found is None:
            break
        kind, name = found.lastindex, found[1]
        position = found.end()
        if kind == 3:
            atom = found[3]
            items[name] = None if atom.upper() == b"NIL" else atom
        elif kind == 2:
            items[name] = found[2]
        elif kind == 5:
            items[name] = chunks[index + 1]
            index += 2
            text, position = chunks[index], 0
        elif kind == 4:
            items[name] = _ESCAPED.sub(rb"\1", found[4]) if b"\\" in found[4] else found[4]
        else:
            start = position - 1
            text, position, index, deepest = _measure_list(chunks, index, text, position)
            items[name] = text[start:position] if deepest <= depth else b""
    if text[position:].strip() != b")" or index + 1 != len(chunks):
        raise MalformedRow("unbalanced quotes or parentheses")
    return {_canonical(name): value for name, value in items.items()}


def _canonical(name: bytes) -> bytes:
    """BODY[HEADER.FIELDS (...)]<0> as BODY[HEADER.FIELDS: servers echo the list in their own spelling."""
    if name[:5].upper() == b"BODY[":
        cut = name.find(b" ")
        return (name[:cut] if cut > 0 else name).upper()
    return name if name.isupper() else name.upper()


def _measure_list(chunks: list[bytes], index: int, text: bytes, position: int) -> tuple[bytes, int, int, int]:
    """From behind a list's opening parenthesis to behind its end: (text, position, index, deepest nesting).

    A literal inside is written back into the text as a quoted string, so what is sliced out is one piece.
    """
    open_lists = deepest = 1
    while True:
        for found in _NEXT_PAREN.finditer(text, position):
            if found.start() != position:
                raise MalformedRow("unbalanced quotes in a list")
            position = found.end()
            if text[position - 1] == 40:
                open_lists += 1
                deepest = max(deepest, open_lists)
            else:
                open_lists -= 1
                if not open_lists:
                    return text, position, index, deepest
        tail = _TAIL_LITERAL.search(text, position)
        if tail is None or index + 2 >= len(chunks):
            raise MalformedRow("a list without end")
        text = text[: tail.start()] + as_quoted(chunks[index + 1]) + chunks[index + 2]
        index += 2


def as_quoted(literal: bytes) -> bytes:
    """A literal's content as a quoted string; line ends and NUL become spaces."""
    flat = literal.translate(_FLATTEN).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + flat + b'"'


_FLATTEN = bytes.maketrans(b"\r\n\0", b"   ")


def parse_flags(raw: bytes | None) -> frozenset[str]:
    """The flags of a parenthesised list. The same few combinations come again and again, hence the memory."""
    if raw is None:
        return frozenset()
    known = _flag_sets.get(raw)
    if known is None:
        known = frozenset(raw.strip(b"()").decode("utf-8", "replace").split())
        if len(_flag_sets) < 4096 and len(raw) < 512:
            _flag_sets[raw] = known
    return known


def parse_internaldate(raw: bytes | None) -> datetime | None:
    """`17-Jul-1996 02:44:25 -0700` as an aware datetime; None when it is no date."""
    if raw is None or len(raw) < 25:
        return None
    text = raw if len(raw) == 26 else raw.rjust(26)
    try:
        zone = _zones.get(text[21:]) or _parse_zone(text[21:])
        month = _MONTHS[text[3:6].upper()]
        day, year, hour = int(text[:2]), int(text[7:11]), int(text[12:14])
        return datetime(year, month, day, hour, int(text[15:17]), min(int(text[18:20]), 59), tzinfo=zone)
    except (KeyError, ValueError):
        return None


def _parse_zone(raw: bytes) -> timezone:
    if len(raw) != 5 or raw[:1] not in b"+-" or not raw[1:].isdigit():
        raise ValueError("not a zone")
    offset = timedelta(hours=int(raw[1:3]), minutes=int(raw[3:5]))
    zone = timezone(-offset if raw[:1] == b"-" else offset)
    if len(_zones) < 256:
        _zones[raw] = zone
    return zone


def _number(raw: bytes | None) -> int | None:
    if raw is None:
        return None
    digits = raw.strip(b"()")
    return int(digits) if digits.isdigit() and len(digits) <= 20 else None


def _word(raw: bytes | None) -> str | None:
    return (raw.strip(b"()").decode("ascii", "replace") or None) if raw else None


def parse_labels(raw: bytes | None) -> tuple[bytes, ...] | None:
    """Gmail's labels, undecoded."""
    if raw is None:
        return None
    found = _LABEL.finditer(raw)
    return tuple(_ESCAPED.sub(rb"\1", label[1]) if label[1] is not None else label[2] for label in found)


def _uid(items: Items) -> int | None:
    uid = _number(items.get(b"UID"))
    return uid if uid is not None and 0 < uid <= MAX_UID else None


def bad_row(response: Response, reason: str) -> BadRow:
    """The marker for a row that could not be read, with its UID if that stands at an edge mail cannot forge."""
    found = _UID_AT_EDGE.search(response.chunks[0]) or _UID_AT_EDGE.search(response.chunks[-1])
    uid = int(found[1] or found[2]) if found else 0
    return BadRow(uid if 0 < uid <= MAX_UID else None, reason)


def header_row(response: Response, *, depth: int) -> HeaderRow | FlagRow | Unidentified | BadRow:
    """The row of a header fetch. A row that carries only flags is the server's own news. Never raises."""
    try:
        items = scan_items(response, depth=depth)
    except MalformedRow as exc:
        return bad_row(response, str(exc))
    get = items.get
    if b"BODY[HEADER.FIELDS" not in items:
        row = flag_row_of(items, response)
        if isinstance(row, FlagRow) and b"RFC822.SIZE" in items:
            return BadRow(row.uid, "the server gave no header")
        return row
    uid, size = _uid(items), _number(get(b"RFC822.SIZE"))
    if uid is None:
        return bad_row(response, "a row without UID")
    if response.oversize:
        return BadRow(uid, "the header is longer than we take")
    if size is None:
        return BadRow(uid, "the server gave no size")
    return HeaderRow(
        uid,
        parse_flags(get(b"FLAGS")),
        parse_internaldate(get(b"INTERNALDATE")),
        size,
        get(b"BODYSTRUCTURE") or b"",
        get(b"BODY[HEADER.FIELDS") or b"",
        _number(get(b"MODSEQ")),
        _word(get(b"EMAILID")),
        _word(get(b"THREADID")),
        _number(get(b"X-GM-MSGID")),
        _number(get(b"X-GM-THRID")),
        parse_labels(get(b"X-GM-LABELS")),
    )


def flag_row_of(items: Items, response: Response) -> FlagRow | Unidentified:
    """A row of flags, or the news that some message changed."""
    uid = _uid(items)
    if uid is None or b"FLAGS" not in items:
        found = FETCH_HEAD.match(response.chunks[0])
        return Unidentified(int(found[1]) if found else 0)
    return FlagRow(
        uid, parse_flags(items[b"FLAGS"]), _number(items.get(b"MODSEQ")), parse_labels(items.get(b"X-GM-LABELS"))
    )


def flag_row(response: Response, *, depth: int) -> FlagRow | Unidentified | BadRow:
    """The row of a flag fetch. Never raises."""
    try:
        return flag_row_of(scan_items(response, depth=depth), response)
    except MalformedRow as exc:
        return bad_row(response, str(exc))
