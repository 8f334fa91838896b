"""Writes fetched messages, a few hundred in a transaction, with COPY and set operations.

Invariants: applying a batch twice changes nothing the second time; a message is one row however often it lies
somewhere; a placement that was put somewhere before its UID was known (a local move, a renumbered mailbox) is bound,
not doubled; flags owed to the server keep what the person sees (``pending_mask``). Ids are drawn first, so rows go
straight into their tables by COPY; should another writer have been faster, the unique constraint ends the transaction
and the batch is applied again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import IntegrityError, OperationalError

from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.sync import departures, failpoints, labels, placements
from webmail.sync.digests import LineDigest, line_digests
from webmail.sync.lease import Lease, guarded
from webmail.sync.messages import Stored, Threads, known_messages, make_messages
from webmail.sync.owed import leaving_uids
from webmail.sync.placements import Spot, placements_here
from webmail.sync.rows import Incoming
from webmail.sync.sql import array, change, copy

BATCH = 500
TRIES = 4
T = TypeVar("T")

_CROSSED = frozenset({"23505", "40001", "40P01", "55P03"})  # unique, serialization, deadlock, lock timeout
_COUNT = "UPDATE webmail_mailbox SET total = total + %s, unread = unread + %s WHERE id = %s"
_LINE = """webmail_mailboxthread (account_id, mailbox_id, thread_id, newest_at, newest_message_id, message_count,
unread_count, flags_any, keywords, has_attachment, has_invite)"""


@dataclass(slots=True)
class Outcome:
    """What a batch changed. ``arrived`` are messages that were nowhere in the account before, as (id, uid)."""

    arrived: list[tuple[int, int]] = field(default_factory=list)
    changed: bool = False


def replayed(lease: Lease, work: Callable[[], T]) -> T:
    """Runs a transaction that only reads what it needs and writes; again when another writer crossed it."""
    for left in range(TRIES - 1, -1, -1):
        try:
            with guarded(lease):
                done = work()
                failpoints.reach("before commit")
                return done
        except (IntegrityError, OperationalError) as error:
            if not left or getattr(error.__cause__, "sqlstate", "") not in _CROSSED:
                raise
    raise AssertionError("unreachable")


def store(spot: Spot, batch: Sequence[Incoming]) -> Outcome:
    """Writes the rows; call inside ``guarded``. Messages that a queued operation takes away are passed over."""
    latest = {row.uid: row for row in batch}  # a message without a UID (POP3) comes alone
    here = placements_here(spot, list(latest))
    # asked for after what is here: a move that commits in between is seen by one or the other
    leaving = leaving_uids(spot.account_id, spot.mailbox_id, spot.gen)
    rows = [row for row in latest.values() if row.uid not in leaving]
    if not rows:
        return Outcome()
    known = known_messages(spot.account_id, rows)
    away = departures.recognise(spot, rows, here, known)
    rows = [row for row in rows if row.uid not in away.uids]
    fresh = list({row.fingerprint: row for row in rows if row.fingerprint not in known}.values())
    visible = frozenset(row.fingerprint for row in rows if row.visible)
    made, threads = make_messages(spot.account_id, fresh, visible=visible)
    failpoints.reach("messages made")
    known = {mark: Stored(old.id, threads.merges.get(old.thread, old.thread)) for mark, old in known.items()}
    old_threads = {stored.thread for stored in known.values()} | {at.thread for at in here.values()}
    known |= made
    bound = placements.bind(spot, rows, here, known)
    new = [row for row in rows if row.uid not in here and row.uid not in bound]
    placements.make(spot, new, known)
    changed = placements.update(spot, rows, here, known)
    relabelled = labels.note_rows(spot, [row for row in rows if row.uid in here or row.uid in bound])
    outcome = Outcome([(made[row.fingerprint].id, row.uid) for row in fresh], bool(new or changed or bound))
    outcome.changed = outcome.changed or relabelled
    # threads are locked before mailboxes, here as everywhere
    _summarise(spot, threads, (old_threads if outcome.changed else set()) | away.threads, away.boxes)
    _write_lines(spot, rows, known, threads)
    if spot.labelled and threads.new:  # lines of their views
        refresh_lines({spot.mailbox_id}, threads.new)
    return outcome


def _write_lines(spot: Spot, rows: Sequence[Incoming], known: Mapping[str, Stored], threads: Threads) -> None:
    """Lines of conversations that the batch brought whole are written outright."""
    placed = [(row, known[row.fingerprint]) for row in rows]
    lines = line_digests([(row, at.id, at.thread) for row, at in placed if at.thread in threads.new])
    if lines:
        copy(_LINE, (_line(spot, line) for line in lines))
        change(_COUNT, [sum(line.count for line in lines), sum(line.unread for line in lines), spot.mailbox_id])


def _line(spot: Spot, line: LineDigest) -> tuple[object, ...]:
    return (
        spot.account_id,
        spot.mailbox_id,
        line.thread,
        line.newest_at,
        line.newest_message,
        line.count,
        line.unread,
        line.flags_any,
        array(sorted(line.keywords)),
        line.has_attachment,
        line.has_invite,
    )


def _summarise(spot: Spot, threads: Threads, changed: Collection[int], boxes: Collection[int]) -> None:
    """Conversations that were here before are summed up anew."""
    old = (threads.touched | set(changed)) - threads.new
    if old:
        refresh_lines({spot.mailbox_id, *boxes} | threads.boxes, old)
        refresh_threads(old)
