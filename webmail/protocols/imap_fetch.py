"""Reading messages: headers and flags row by row, sections in bounded pieces.

Invariants: rows are yielded as they arrive and never gathered; a row that is not of the UIDs asked for is not
yielded; \\Seen is never set by reading (BODY.PEEK throughout); no command ends in `*` and none is longer than the
server can take; a message's bytes are asked for by partials, so memory is bounded by us, not by the sender.
RFC 9051 section 6.4.5, RFC 7162 sections 3.1.4 and 3.2.6.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from webmail.protocols.errors import CommandFailed, ProtocolViolation
from webmail.protocols.imap_wire.encode import body_section
from webmail.protocols.imap_wire.fetch import FETCH_HEAD, MalformedRow, flag_row, header_row, scan_items
from webmail.protocols.imap_wire.limits import BODIES, HEADERS, MIB, Limits
from webmail.protocols.imap_wire.replies import kind_of, parse_vanished
from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.values import MAX_UID, BadRow, FlagRow, HeaderRow, UidSet, Unidentified, Vanished

HEADER_FIELDS = (
    b"DATE SUBJECT FROM SENDER REPLY-TO TO CC BCC MESSAGE-ID IN-REPLY-TO REFERENCES LIST-ID LIST-UNSUBSCRIBE "
    b"LIST-UNSUBSCRIBE-POST CONTENT-TYPE IMPORTANCE X-PRIORITY AUTO-SUBMITTED RETURN-PATH AUTHENTICATION-RESULTS "
    b"DISPOSITION-NOTIFICATION-TO"
)
LONG_COMMAND = 8000
SHORT_COMMAND = 980  # what servers without CONDSTORE, the old ones, are known to take
MOST_PER_COMMAND = 500
MOST_IN_VAIN = 12  # refused commands in a row that brought nothing: then it is not about single messages
_MESSAGE_ID = re.compile(rb"^Message-ID:[ \t\r\n]*+([^\r\n]*+)", re.IGNORECASE | re.MULTILINE)


def command_room(wire: Wire, *, taken: int) -> int:
    """How many bytes a set of UIDs may take in a command whose other words take so many."""
    limit = LONG_COMMAND if "CONDSTORE" in wire.capabilities else SHORT_COMMAND
    return max(limit - taken - 40, 100)


def header_items(wire: Wire, *, modseq: bool) -> bytes:
    """The items of a header fetch that this server understands."""
    items = [b"UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE"]
    if modseq:
        items.append(b"MODSEQ")
    if "X-GM-EXT-1" in wire.capabilities:
        items.append(b"X-GM-MSGID X-GM-THRID X-GM-LABELS")
    elif "OBJECTID" in wire.capabilities:
        items.append(b"EMAILID THREADID")
    items.append(b"BODY.PEEK[HEADER.FIELDS (" + HEADER_FIELDS + b")]")
    return b"(" + b" ".join(items) + b")"


def fetch_headers(
    wire: Wire,
    *,
    uids: UidSet | None = None,
    sequence: tuple[int, int] | None = None,
    modseq: bool,
    believe: bool = False,
) -> Iterator[HeaderRow | BadRow]:
    """Header rows of some UIDs or of a range of sequence numbers. A row that cannot be read is a BadRow, and so is, by
    UID, one that the server refuses to show while it shows others (with ``believe``: in any case).
    """
    items = header_items(wire, modseq=modseq)
    if sequence is not None:
        low, high = sequence
        if not 0 < low <= high <= MAX_UID:
            raise ValueError("sequence numbers lie in 1..4294967295")
        yield from _begun(_header_rows(wire, wire.run(b"FETCH", b"%d:%d" % (low, high), items), asked=None))
        return
    chunks = (uids or UidSet()).chunks(max_bytes=command_room(wire, taken=len(items)))
    yield from _shown(lambda piece: wire.run(b"UID", b"FETCH", piece.to_wire(), items), wire, chunks, believe=believe)


def _begun(rows: Iterator[HeaderRow | BadRow]) -> Iterator[HeaderRow | BadRow]:
    """The rows; that the server refused to go on tells nothing of those that came."""
    came = False
    try:
        for row in rows:
            came = True
            yield row
    except CommandFailed:
        if not came:
            raise


def _shown(
    ask: Callable[[UidSet], Iterator[Response]], wire: Wire, chunks: Iterable[UidSet], *, believe: bool
) -> Iterator[HeaderRow | BadRow]:
    """Rows of these UIDs; what is refused together is asked for in halves, down to the message that is meant. Yahoo
    answers NO [UNAVAILABLE] for some, whatever else the command names.
    """
    refused: list[int] = []
    error: CommandFailed | None = None
    came, in_vain = 0, 0
    for chunk in chunks:
        waiting = [chunk]
        while waiting:
            piece = waiting.pop()
            got: list[int] = []
            try:
                for row in _header_rows(wire, ask(piece), asked=piece):
                    got += [row.uid] if row.uid is not None else []
                    yield row
                in_vain = 0
            except CommandFailed as failed:
                in_vain = 0 if got else in_vain + 1
                if in_vain > MOST_IN_VAIN:
                    raise
                error, left = failed, piece - UidSet.collect(got)
                waiting += _halves(left) if len(left) > 1 else []
                refused += left if len(left) == 1 else []
            came += len(got)
    if error is not None and refused and not (came or believe):
        raise error
    for uid in refused:
        yield BadRow(uid, "refused")


def _halves(uids: UidSet) -> list[UidSet]:
    members = list(uids)
    return [UidSet.collect(members[len(members) // 2 :]), UidSet.collect(members[: len(members) // 2])]


def _header_rows(wire: Wire, responses: Iterator[Response], *, asked: UidSet | None) -> Iterator[HeaderRow | BadRow]:
    depth = HEADERS.depth
    for response in responses:
        if not FETCH_HEAD.match(response.chunks[0]):
            wire.volunteer(response)
            continue
        row = header_row(response, depth=depth)
        if isinstance(row, (FlagRow, Unidentified)):
            wire.file_event(row)
        elif asked is None or row.uid is None or row.uid in asked:
            yield row


def fetch_flags(
    wire: Wire, uids: UidSet, *, changed_since: int | None, modseq: bool
) -> Iterator[FlagRow | Vanished | BadRow]:
    """Flags of some UIDs; with changed_since only of those changed, and under QRESYNC also what vanished since."""
    if changed_since is not None and changed_since < 1:
        raise ValueError("a mod-sequence is at least 1")
    items = b"(UID FLAGS" + b" MODSEQ" * modseq + b" X-GM-LABELS" * ("X-GM-EXT-1" in wire.capabilities) + b")"
    modifier: tuple[bytes, ...] = ()
    if changed_since is not None:
        vanished = b" VANISHED" * ("QRESYNC" in wire.capabilities)
        modifier = (b"(CHANGEDSINCE %d%s)" % (changed_since, vanished),)
    for piece in uids.chunks(max_bytes=command_room(wire, taken=len(items) + 40)):
        for response in wire.run(b"UID", b"FETCH", piece.to_wire(), items, *modifier):
            row = _flag_answer(response)
            if row is None:
                wire.volunteer(response)
            elif isinstance(row, Unidentified):
                wire.file_event(row)
            elif isinstance(row, Vanished) or row.uid is None or row.uid in piece:
                yield row
            elif isinstance(row, FlagRow):
                wire.file_event(row)


def _flag_answer(response: Response) -> FlagRow | Unidentified | Vanished | BadRow | None:
    if FETCH_HEAD.match(response.chunks[0]):
        return flag_row(response, depth=HEADERS.depth)
    if kind_of(response)[0] == b"VANISHED":
        found = parse_vanished(response)
        if found is not None and found[0]:
            return Vanished(found[1], earlier=True)
    return None


def _sections(
    wire: Wire, uids: UidSet, section: bytes, *, offset: int, length: int, limits: Limits = BODIES
) -> Iterator[tuple[int, bytes, bool]]:
    """(UID, bytes, whether the server kept to the partial) of one section of some messages."""
    wanted = b"BODY[" + section.upper() + b"]"
    item = b"(UID BODY.PEEK[%s]<%d.%d>)" % (section, offset, length)
    for response in wire.run(b"UID", b"FETCH", uids.to_wire(), item, limits=limits):
        if not FETCH_HEAD.match(response.chunks[0]):
            wire.volunteer(response)
            continue
        try:
            items = scan_items(response, depth=0)
        except MalformedRow:
            continue  # the caller sees that the message is missing
        name = next((name for name in items if name.startswith(wanted)), None)
        uid = items.get(b"UID") or b""
        if name is None or not uid.isdigit() or int(uid) not in uids:
            wire.volunteer(response)
        elif not response.oversize:
            data = items[name] or b""
            yield int(uid), data, name != wanted or (offset == 0 and len(data) <= length)


def fetch_section(
    wire: Wire, uid: int, section: str, *, max_bytes: int, partial: tuple[int, int] | None = None
) -> bytes:
    """A section's transfer-encoded bytes, at most max_bytes; `partial` is (offset, length) within it.

    Raises CommandFailed NONEXISTENT when the message is gone or the server will not show it.
    """
    offset, length = partial or (0, max_bytes)
    length = min(length, max_bytes)
    _check_partial(offset, length)
    for _, data, kept in _drained(_sections(wire, UidSet.of(uid), body_section(section), offset=offset, length=length)):
        return data[:length] if kept else data[offset : offset + length]
    raise CommandFailed("the server did not send this part", code="NONEXISTENT")


def _drained(rows: Iterator[tuple[int, bytes, bool]]) -> list[tuple[int, bytes, bool]]:
    """The last row: a server may volunteer the same message twice; reading on ends the command."""
    last: list[tuple[int, bytes, bool]] = []
    for row in rows:
        last = [row]
    return last


def _check_partial(offset: int, length: int) -> None:
    if offset < 0 or not 0 < length <= BODIES.kept or offset + length > MAX_UID:
        raise ValueError("a partial outside of what IMAP can ask for")


def fetch_sections(wire: Wire, sections: Mapping[int, str], *, first_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The first bytes of one section for each of many messages: (UID, bytes), one command per equal section.

    Messages the server does not show are left out.
    """
    _check_partial(0, first_bytes)
    groups: dict[str, list[int]] = defaultdict(list)
    for uid, section in sections.items():
        groups[section].append(uid)
    encoded = {section: body_section(section) for section in groups}
    room = command_room(wire, taken=60)
    for section, members in groups.items():
        for piece in UidSet.collect(members).chunks(max_bytes=room, max_uids=MOST_PER_COMMAND):
            for uid, data, _ in _sections(wire, piece, encoded[section], offset=0, length=first_bytes):
                yield uid, data[:first_bytes]


def stream_body(
    wire: Wire,
    uid: int,
    section: str,
    writer: Callable[[bytes], object],
    *,
    chunk: int = MIB,
    max_bytes: int = 512 * MIB,
) -> int:
    """Write a section piece by piece and return its length in bytes. Memory: one chunk.

    Raises CommandFailed NONEXISTENT when the message is gone, TOOBIG past max_bytes; what was written is then void.
    """
    name = body_section(section)
    offset = 0
    _check_partial(0, chunk)
    while True:
        rows = _drained(_sections(wire, UidSet.of(uid), name, offset=offset, length=chunk))
        if not rows:
            raise CommandFailed("the server did not send this part", code="NONEXISTENT")
        _, data, kept = rows[0]
        if not kept:
            if offset:
                raise ProtocolViolation("the server changed its mind about partial answers")
            writer(data)
            return len(data)
        if len(data) > chunk:
            wire.violated("the server sent more than was asked for")
        writer(data)
        offset += len(data)
        if len(data) < chunk:
            return offset
        if offset + chunk > max_bytes:
            raise CommandFailed("the message is larger than we take", code="TOOBIG", permanent=True)


def search_message_id(wire: Wire, message_id: str, *, since_uid: int) -> UidSet:
    """UIDs >= since_uid whose Message-ID is this one, read from the headers: servers' own search lags behind.

    The answer is as of now, hence the `*`; the last message, which it always names, is filtered by its UID.
    """
    wanted, found = message_id.strip().encode("utf-8", "surrogateescape"), []
    items = b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
    for response in wire.run(b"UID", b"FETCH", b"%d:*" % max(since_uid, 1), items):
        if not FETCH_HEAD.match(response.chunks[0]):
            wire.volunteer(response)
            continue
        try:
            row = scan_items(response, depth=0)
        except MalformedRow:
            continue
        header, uid = row.get(b"BODY[HEADER.FIELDS"), row.get(b"UID") or b""
        if header is None or not uid.isdigit():
            wire.volunteer(response)
        elif int(uid) >= since_uid and wanted in message_ids(header):
            found.append(int(uid))
    return UidSet.collect(found)


def message_ids(header: bytes) -> list[bytes]:
    """What stands in the Message-ID fields of a header block, unfolded, without blanks around it; linear (S51)."""
    return [found.rstrip(b" \t") for found in _MESSAGE_ID.findall(header.replace(b"\r\n ", b" "))]
