"""Small responses to values: LIST, STATUS, SEARCH, ESEARCH, VANISHED and response codes (RFC 9051 section 7).

Invariants: functions return None for what they cannot read and never raise; names of mailboxes stay the server's
bytes, also where they break the grammar (raw 8-bit, unquoted spaces).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.uidset import MAX_UID, UidSet, parse_ranges
from webmail.protocols.values import ListedMailbox, MailboxStatus

LONGEST_NAME = 8192
_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LIST = re.compile(
    rb"\* (?:LIST|LSUB|XLIST) +\(([^)]*)\) +(?:(NIL)|" + _QUOTED + rb") (.*)\Z", re.IGNORECASE | re.DOTALL
)
_NAME = re.compile(_QUOTED + rb"(?: .*)?\Z", re.DOTALL)
_EXTENDED_DATA = re.compile(rb" \(.*\)\Z", re.DOTALL)
_STATUS = re.compile(rb"\* STATUS ++", re.IGNORECASE)
_STATUS_ITEM = re.compile(rb"(?<![A-Za-z0-9.\-])([A-Za-z0-9.\-]++) ++(?:(\d{1,20})|\(([^()]*+)\)|NIL)", re.IGNORECASE)
_KIND = re.compile(rb"\* (?:(\d{1,10}) )?([A-Za-z][A-Za-z\-]*)(?= |\(|\[|\Z)")
_CODE = re.compile(rb"\A *\[([A-Za-z0-9/.-]{1,40})(?: (.*?))?\](?: |\Z)(.*)\Z", re.DOTALL)
_FLAGS_CODE = re.compile(rb"\A *\[([A-Za-z]{1,40}) (\([^()]*\))\]? ?(.*)\Z", re.DOTALL)
_ESEARCH_TAG = re.compile(rb'\* ESEARCH(?: +\(TAG +"([^"]*)"\))?(.*)\Z', re.IGNORECASE | re.DOTALL)
_OBJECTID = re.compile(rb" *\(?([A-Za-z0-9_-]{1,255})\)? *")
_COUNT = re.compile(rb" COUNT (\d{1,10})(?= |\Z)", re.IGNORECASE)
_ALL = re.compile(rb" ALL ([0-9:,]+)(?= |\Z)", re.IGNORECASE)


def kind_of(response: Response) -> tuple[bytes, int]:
    """The upper-case name of an untagged response and its leading number (0 if none): `* 5 EXISTS` is (EXISTS, 5)."""
    found = _KIND.match(response.chunks[0])
    return (found[2].upper(), int(found[1] or 0)) if found else (b"", 0)


@dataclass(frozen=True, slots=True)
class Text:
    """The free text of a status response, its bracketed code apart (upper-case, empty if none)."""

    code: bytes
    data: bytes
    words: bytes


def parse_text(raw: bytes) -> Text:
    """Split what follows OK, NO, BAD or BYE."""
    found = _FLAGS_CODE.match(raw) or _CODE.match(raw)
    if found is None:
        return Text(b"", b"", raw.strip())
    return Text(found[1].upper(), found[2] or b"", found[3])


def unquoted(raw: bytes) -> bytes:
    """The content of a quoted string's inside."""
    return _ESCAPED.sub(rb"\1", raw)


def _name(chunks: list[bytes], written: bytes) -> bytes | None:
    if len(chunks) > 1:
        return chunks[1]
    quoted = _NAME.match(written)
    if quoted is not None:
        return unquoted(quoted[1])
    return _EXTENDED_DATA.sub(b"", written) or None


def parse_list(response: Response) -> ListedMailbox | None:
    """One LIST or LSUB line; None if unreadable or absurdly long."""
    chunks = response.chunks
    found = _LIST.match(chunks[0])
    if found is None or response.oversize:
        return None
    name = _name(chunks, found[4])
    if not name or len(name) > LONGEST_NAME:
        return None
    attributes = {word.lower() for word in found[1].decode("ascii", "replace").split()}
    delimiter = unquoted(found[3]).decode("utf-8", "replace") if found[3] else None
    return ListedMailbox(
        b"INBOX" if name.upper() == b"INBOX" else name,
        delimiter,
        frozenset(attributes | {"\\noselect"} if "\\nonexistent" in attributes else attributes),
        "\\subscribed" in attributes,
    )


def _status_parts(line: bytes) -> tuple[bytes, bytes] | None:
    """The name as it was sent, and what stands in the last brackets with neither quote nor literal in them; linear."""
    head, line = _STATUS.match(line), line.rstrip(b" ")
    if head is None or not line.endswith(b")"):
        return None
    opening = line.find(b"(", max(head.end(), line.rfind(b'"') + 1, line.rfind(b"{") + 1))
    return (line[head.end() : opening].rstrip(b" "), line[opening + 1 : -1]) if opening >= 0 else None


def parse_status(response: Response) -> tuple[bytes, MailboxStatus] | None:
    """One STATUS line as (wire name, status); None if unreadable or without MESSAGES."""
    chunks = response.chunks
    if len(chunks) == 3:
        name: bytes | None = chunks[1]
        listed = chunks[2].strip()[1:-1]
    else:
        found = _status_parts(chunks[0])
        if found is None:
            return None
        name, listed = _name(chunks[:1], found[0]), found[1]
    items = {item[1].upper(): item[2] or item[3] for item in _STATUS_ITEM.finditer(listed)}
    messages = _int(items.get(b"MESSAGES"))
    if not name or messages is None:
        return None
    return b"INBOX" if name.upper() == b"INBOX" else name, MailboxStatus(
        messages,
        _int(items.get(b"UIDNEXT")) or 0,
        _int(items.get(b"UIDVALIDITY")) or 0,
        _int(items.get(b"UNSEEN")),
        _int(items.get(b"HIGHESTMODSEQ")) or None,
        parse_objectid(items.get(b"MAILBOXID") or b""),
    )


def parse_objectid(raw: bytes) -> str | None:
    """An objectid of RFC 8474 section 7, with or without its parentheses; None for anything else."""
    found = _OBJECTID.fullmatch(raw)
    return found[1].decode() if found else None


def _int(raw: bytes | None) -> int | None:
    return int(raw) if raw and raw.isdigit() and len(raw) <= 20 else None


def parse_search(response: Response) -> UidSet | None:
    """The numbers of a SEARCH line; None if there is anything else in it."""
    words = response.chunks[0][len(b"* SEARCH") :].partition(b"(")[0].split()
    try:
        uids = [int(word) for word in words]
        return UidSet.collect(uids) if not uids or max(uids) <= MAX_UID else None
    except ValueError:
        return None


def parse_esearch(response: Response) -> tuple[bytes, int | None, UidSet] | None:
    """An ESEARCH line (RFC 4731) as (tag, count or None, the set); None if unreadable."""
    found = _ESEARCH_TAG.match(response.chunks[0])
    if found is None:
        return None
    count, members = _COUNT.search(found[2]), _ALL.search(found[2])
    try:
        uids = UidSet.parse(members[1]) if members else UidSet()
    except ValueError:
        return None
    return found[1] or b"", int(count[1]) if count else None, uids


def parse_vanished(response: Response) -> tuple[bool, UidSet] | None:
    """A VANISHED line (RFC 7162) as (earlier, UIDs); None if unreadable."""
    words = response.chunks[0].split()
    earlier = len(words) > 3 and words[2].upper() == b"(EARLIER)"
    try:
        return earlier, UidSet.parse(words[-1])
    except ValueError:
        return None


def parse_copyuid(data: bytes, *, asked: UidSet) -> tuple[int, dict[int, int]]:
    """COPYUID's data (RFC 4315) as (UIDVALIDITY, source to destination), for the sources asked for.

    The two sets pair up in the order written. Sets of unlike size, or larger than what was asked, give no pairs:
    what a server may make us expand is bounded by our own question.
    """
    words = data.split()
    if len(words) != 3 or not words[0].isdigit() or len(words[0]) > 10:
        return 0, {}
    try:
        sources, targets = list(parse_ranges(words[1])), list(parse_ranges(words[2]))
    except ValueError:
        return 0, {}
    size = sum(high - low + 1 for low, high in sources)
    if size > len(asked) or size != sum(high - low + 1 for low, high in targets):
        return int(words[0]), {}
    pairs = zip(_expanded(sources), _expanded(targets), strict=True)
    return int(words[0]), {source: target for source, target in pairs if source in asked}


def _expanded(ranges: list[tuple[int, int]]) -> Iterator[int]:
    for low, high in ranges:
        yield from range(low, high + 1)
