"""Changing messages: flags, copies, moves, removal, appending.

Invariants: flags change by silent deltas, which can be repeated without harm; only UIDs that were named are ever
expunged, so a plain EXPUNGE is never sent; a source is marked \\Deleted only after its copy was confirmed.
RFC 9051 sections 6.3.12, 6.4.6, 6.4.7 and 6.4.9, RFC 4315 (UIDPLUS), RFC 6851 (MOVE).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import IO

from webmail.protocols.imap_fetch import MOST_PER_COMMAND, command_room
from webmail.protocols.imap_wire.encode import Argument, Literal, Streamed, String, date_time, flag_list, label_list
from webmail.protocols.imap_wire.replies import Text, parse_copyuid, parse_text
from webmail.protocols.imap_wire.wire import PIECE, Wire
from webmail.protocols.values import AppendResult, CopyResult, MoveResult, UidSet

_COPYUID = re.compile(rb"\* OK (\[COPYUID .*)\Z", re.IGNORECASE | re.DOTALL)
_APPENDUID = re.compile(rb"(\d{1,10}) (\d{1,10})")
SLOWEST_UPLOAD = 64 * 1024  # bytes a second


def store_flags(wire: Wire, uids: UidSet, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
    """Add and remove flags of messages; those that are gone are passed over. Raises CommandFailed, ValueError."""
    deltas = [(sign, flag_list(flags)) for sign, flags in ((b"+", add), (b"-", remove)) if flags]
    for sign, flags in deltas:
        for piece in uids.chunks(max_bytes=command_room(wire, taken=len(flags) + 40)):
            wire.finish(b"UID", b"STORE", piece.to_wire(), sign + b"FLAGS.SILENT", flags)


def store_labels(wire: Wire, uids: UidSet, *, add: Collection[bytes] = (), remove: Collection[bytes] = ()) -> None:
    """Add and remove Gmail's labels; can be repeated without harm. A label nobody has is made by the server.

    Raises CommandFailed, ValueError.
    """
    deltas = [(sign, label_list(labels)) for sign, labels in ((b"+", add), (b"-", remove)) if labels]
    for sign, labels in deltas:
        room = command_room(wire, taken=len(labels) + 40)
        for piece in uids.chunks(max_bytes=room, max_uids=MOST_PER_COMMAND):
            wire.finish(b"UID", b"STORE", piece.to_wire(), sign + b"X-GM-LABELS", labels)


def _transfer(wire: Wire, word: bytes, uids: UidSet, destination: bytes) -> tuple[Text, bool]:
    """COPY or MOVE of one piece: the text that holds COPYUID, untagged before tagged."""
    told: Text | None = None
    for response in wire.run(b"UID", word, uids.to_wire(), String(destination), patience=wire.patience * 5):
        found = _COPYUID.match(response.chunks[0])
        if found:
            told = parse_text(found[1])
        else:
            wire.volunteer(response)
    told = told or wire.completion
    return told, told.code == b"COPYUID"


def _transfer_all(wire: Wire, word: bytes, uids: UidSet, destination: bytes) -> CopyResult:
    pairs: dict[int, int] = {}
    uidvalidity = None
    room = command_room(wire, taken=len(destination) + 40)
    for piece in uids.chunks(max_bytes=room, max_uids=MOST_PER_COMMAND):
        text, told = _transfer(wire, word, piece, destination)
        if told:
            validity, found = parse_copyuid(text.data, asked=piece)
            uidvalidity = validity or uidvalidity
            pairs |= found
    return CopyResult(pairs, uidvalidity)


def copy(wire: Wire, uids: UidSet, destination: bytes) -> CopyResult:
    """Copy messages; says where they landed if the server does. Raises CommandFailed (TRYCREATE, OVERQUOTA...)."""
    return _transfer_all(wire, b"COPY", uids, destination)


def move(wire: Wire, uids: UidSet, destination: bytes) -> MoveResult:
    """Move messages. Without MOVE: copy, mark \\Deleted, expunge just these, or leave them marked if that cannot be.

    Raises CommandFailed; without MOVE the sources are then untouched, or marked and not yet expunged.
    """
    if "MOVE" in wire.capabilities:
        moved = _transfer_all(wire, b"MOVE", uids, destination)
        return MoveResult(moved.uids, moved.uidvalidity)
    copied = copy(wire, uids, destination)
    store_flags(wire, uids, add=("\\Deleted",))
    gone = expunge(wire, uids)
    return MoveResult(copied.uids, copied.uidvalidity, UidSet() if gone else uids)


def expunge(wire: Wire, uids: UidSet) -> bool:
    """Remove those of these messages that carry \\Deleted. False, and nothing done, on a server without UIDPLUS."""
    if not {"UIDPLUS", "IMAP4REV2"} & wire.capabilities:
        return False
    for piece in uids.chunks(max_bytes=command_room(wire, taken=20)):
        wire.finish(b"UID", b"EXPUNGE", piece.to_wire(), patience=wire.patience * 2)
    return True


def append(
    wire: Wire,
    wire_name: bytes,
    data: bytes | IO[bytes],
    *,
    flags: Collection[str] = (),
    internaldate: datetime | None = None,
) -> AppendResult:
    """Store a message (CRLF line ends) in a mailbox; one in a file that can be rewound is read while it is sent.

    Raises CommandFailed (TRYCREATE, OVERQUOTA...), ValueError for an argument or a message that IMAP cannot carry.
    """
    words: list[Argument] = [b"APPEND", String(wire_name)]
    if flags:
        words.append(flag_list(flags))
    if internaldate is not None:
        words.append(date_time(internaldate))
    message = Literal(data) if isinstance(data, bytes) else _streamed(data)
    size = len(message.value) if isinstance(message, Literal) else message.size
    text = wire.finish(*words, message, patience=wire.patience * 2 + size / SLOWEST_UPLOAD)
    found = _APPENDUID.fullmatch(text.data) if text.code == b"APPENDUID" else None
    return AppendResult(int(found[1]), int(found[2])) if found else AppendResult()


def _streamed(file: IO[bytes]) -> Streamed:
    """The file from its beginning. Raises ValueError when it holds a NUL, which no literal may (RFC 9051, 4.3)."""
    size = 0
    file.seek(0)
    while piece := file.read(PIECE):
        if b"\0" in piece:
            raise ValueError("the message holds a NUL")
        size += len(piece)
    file.seek(0)
    return Streamed(file, size)
