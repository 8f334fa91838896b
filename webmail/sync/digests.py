"""Summaries of conversations that a batch brings whole, computed before they are written. Pure.

Invariant: equal to what ``models.summaries`` would compute from the rows; that module sums up everything older.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webmail.models import Flag
from webmail.sync.rows import Incoming

MOST_PARTICIPANTS = 8
_SEEN = int(Flag.SEEN)  # members of a flag are slow to compute with


@dataclass(slots=True)
class ThreadDigest:
    thread: int
    subject: str = ""
    newest_at: datetime | None = None
    count: int = 0
    participants: str = "[]"


@dataclass(slots=True)
class LineDigest:
    thread: int
    newest_at: datetime
    newest_message: int
    flags_any: int = 0
    keywords: set[str] = field(default_factory=set)
    has_attachment: bool = False
    has_invite: bool = False
    members: set[int] = field(default_factory=set)
    unread_members: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.members)

    @property
    def unread(self) -> int:
        return len(self.unread_members)


def thread_digests(
    rows: Sequence[Incoming], threads: Sequence[int], new: frozenset[int], visible: frozenset[str]
) -> list[ThreadDigest]:
    """One digest for each new conversation, of its rows whose fingerprint is among the visible ones."""
    members: dict[int, list[Incoming]] = {thread: [] for thread in new}
    for row, thread in zip(rows, threads, strict=True):
        if thread in members and row.fingerprint in visible:
            members[thread].append(row)
    return [_thread_digest(thread, found) for thread, found in members.items()]


def _thread_digest(thread: int, rows: list[Incoming]) -> ThreadDigest:
    if not rows:
        return ThreadDigest(thread)
    if len(rows) > 1:
        rows.sort(key=lambda row: row.received_at)
    names: dict[str, str] = {}
    for row in rows:
        address = row.from_address.lower()
        names[address] = names.get(address) or row.from_name
    people = [[name, address] for address, name in names.items()][:MOST_PARTICIPANTS]
    return ThreadDigest(
        thread,
        subject=rows[0].subject,
        newest_at=rows[-1].received_at,
        count=len(rows),
        participants=json.dumps(people, ensure_ascii=False),
    )


def line_digests(placed: Iterable[tuple[Incoming, int, int]]) -> list[LineDigest]:
    """The lines of conversations in the batch's mailbox, from (row, message id, thread id)."""
    lines: dict[int, LineDigest] = {}
    for row, message, thread in placed:
        if not row.visible:
            continue
        line = lines.get(thread)
        if line is None:
            line = lines[thread] = LineDigest(thread, row.received_at, message)
        elif (row.received_at, message) > (line.newest_at, line.newest_message):
            line.newest_at, line.newest_message = row.received_at, message
        line.members.add(message)
        if not row.flags & _SEEN:
            line.unread_members.add(message)
        line.flags_any |= row.flags
        line.keywords.update(row.keywords)
        line.has_attachment = line.has_attachment or row.has_attachment
        line.has_invite = line.has_invite or row.has_invite
    return list(lines.values())
