"""Entering and leaving a mailbox.

Invariants: the snapshot holds what this selection said and nothing older; what QRESYNC brought is trusted only under
the UIDVALIDITY it was asked for; a mailbox is never left by CLOSE while writable, since that expunges.
RFC 9051 sections 6.3.2, 6.3.3 and 6.4.2, RFC 7162 section 3.2.5, RFC 3691 (UNSELECT).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from webmail.protocols.imap_wire.encode import Argument, String
from webmail.protocols.imap_wire.fetch import flag_row, parse_flags
from webmail.protocols.imap_wire.limits import HEADERS
from webmail.protocols.imap_wire.replies import Text, kind_of, parse_objectid, parse_text, parse_vanished
from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.values import FlagRow, Selected, UidSet

MOST_CHANGES = 200_000
_OK = re.compile(rb"\* OK ", re.IGNORECASE)
_UID = re.compile(rb"\* \d+ FETCH \(.*?UID (\d{1,10})[ )]", re.IGNORECASE)


@dataclass(slots=True)
class _Snapshot:
    exists: int = 0
    numbers: dict[bytes, int] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    permanent_flags: frozenset[str] | None = None
    mailbox_id: str | None = None
    vanished: list[UidSet] = field(default_factory=list)
    changed: list[FlagRow] = field(default_factory=list)
    whole: bool = True

    def take(self, wire: Wire, response: Response) -> None:
        """Note one untagged response of a SELECT."""
        kind, number = kind_of(response)
        if kind == b"EXISTS":
            self.exists = number
        elif kind == b"FLAGS":
            self.flags = parse_flags(response.chunks[0][len(b"* FLAGS ") :])
        elif kind == b"OK":
            self.take_text(parse_text(_OK.sub(b"", response.chunks[0], count=1)))
        elif kind == b"VANISHED":
            found = parse_vanished(response)
            self.whole = self.whole and found is not None and len(self.vanished) < 1000
            if found and self.whole:
                self.vanished.append(found[1])
        elif kind == b"FETCH":
            row = flag_row(response, depth=HEADERS.depth)
            self.whole = self.whole and isinstance(row, FlagRow) and len(self.changed) < MOST_CHANGES
            if isinstance(row, FlagRow) and self.whole:
                self.changed.append(row)
        else:
            wire.volunteer(response)

    def take_text(self, text: Text) -> None:
        """Note one response code."""
        if text.code in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ"):
            if text.data.isdigit() and len(text.data) <= 20:
                self.numbers[text.code] = int(text.data)
        elif text.code == b"PERMANENTFLAGS":
            self.permanent_flags = parse_flags(text.data)
        elif text.code == b"MAILBOXID":
            self.mailbox_id = parse_objectid(text.data)


def _open(wire: Wire, wire_name: bytes, *, read_only: bool, qresync: tuple[int, int] | None) -> tuple[_Snapshot, bool]:
    command: list[Argument] = [b"EXAMINE" if read_only else b"SELECT", String(wire_name)]
    if qresync is not None and "QRESYNC" in wire.capabilities:
        command.append(b"(QRESYNC (%d %d))" % qresync)
    elif "CONDSTORE" in wire.capabilities:
        command.append(b"(CONDSTORE)")
    snapshot = _Snapshot()
    for response in wire.run(*command, patience=wire.patience * 2):
        if b"[CLOSED]" in response.chunks[0][:14].upper():
            snapshot = _Snapshot()  # all before was still about the mailbox we leave
        else:
            snapshot.take(wire, response)
    return snapshot, read_only or wire.completion.code == b"READ-ONLY"


def select(wire: Wire, wire_name: bytes, *, read_only: bool, qresync: tuple[int, int] | None) -> Selected:
    """Open a mailbox. `qresync` is the (UIDVALIDITY, HIGHESTMODSEQ) the caller holds. Raises CommandFailed."""
    if qresync is not None and min(qresync) < 1:
        raise ValueError("QRESYNC wants a UIDVALIDITY and a mod-sequence of at least 1")
    snapshot, closed_to_us = _open(wire, wire_name, read_only=read_only, qresync=qresync)
    uidvalidity = snapshot.numbers.get(b"UIDVALIDITY", 0)
    highestmodseq = snapshot.numbers.get(b"HIGHESTMODSEQ") or None
    resynced = (
        qresync is not None
        and "QRESYNC" in wire.capabilities
        and snapshot.whole
        and uidvalidity == qresync[0]
        and (highestmodseq or 0) >= qresync[1]
    )
    kept = snapshot.permanent_flags
    return Selected(
        wire_name,
        closed_to_us,
        snapshot.exists,
        uidvalidity,
        snapshot.numbers.get(b"UIDNEXT") or _uidnext(wire, snapshot.exists),
        highestmodseq,
        snapshot.flags,
        # RFC 9051 section 6.3.2: without the code, all flags last
        kept if kept is not None else frozenset() if closed_to_us else snapshot.flags | {"\\*"},
        snapshot.mailbox_id,
        resynced,
        UidSet(span for uids in snapshot.vanished for span in uids.ranges) if resynced else UidSet(),
        tuple(snapshot.changed) if resynced else (),
    )


def _uidnext(wire: Wire, exists: int) -> int:
    """UIDNEXT of a server that keeps it to itself: one more than the last message's UID."""
    if not exists:
        return 1
    highest = 0
    for response in wire.run(b"UID", b"FETCH", b"*", b"(UID)"):
        found = _UID.match(response.chunks[0])
        if found:
            highest = max(highest, int(found[1]))
        else:
            wire.volunteer(response)
    return highest + 1


def unselect(wire: Wire, selected: Selected) -> None:
    """Leave the mailbox without expunging. Where no command can do that, it stays open until the next SELECT."""
    if "UNSELECT" in wire.capabilities:
        wire.finish(b"UNSELECT")
    elif selected.read_only:
        wire.finish(b"CLOSE")
