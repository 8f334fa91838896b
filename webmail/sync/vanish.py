"""Hides what the server no longer has, and changes flags of what it has. Rows of a known numbering only.

Invariants: a vanished placement becomes a tombstone (it can come back, and is purged after seven days); UIDs that a
queued operation is taking away are left alone; flags that a person changed and the server does not know yet stay as
the person sees them. Call inside ``guarded``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from webmail.models import Flag, Mailbox, RemoteOp
from webmail.models.folder_tree import hide_mail
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.protocols.values import FlagRow, UidSet
from webmail.sync import labels
from webmail.sync.keywords import seen
from webmail.sync.label_names import label_texts
from webmail.sync.owed import departing, leaving_uids
from webmail.sync.placements import GONE, LIVE, Spot, placements_here
from webmail.sync.sql import ask, change

HIGHEST = 0xFFFF_FFFF  # UIDs have 32 bits
_LOCK = "SELECT id FROM webmail_placement WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_FIND_IN_RANGES = """
SELECT p.id, p.uid FROM unnest(%s::bigint[], %s::bigint[]) AS span(low, high)
JOIN webmail_placement p ON p.mailbox_id = %s AND p.gen = %s AND p.uid BETWEEN span.low AND span.high
WHERE p.state <> 1
"""
# a person may have moved some on while the rows were waited for: those are hidden nowhere
_HIDE = """
UPDATE webmail_placement SET state = 1, gone_at = now()
WHERE id = ANY(%s) AND mailbox_id = %s AND state <> 1 AND uid IS NOT NULL RETURNING thread_id
"""
_CHANGE = """
UPDATE webmail_placement p
SET server_flags = new.flags, modseq = coalesce(new.modseq, p.modseq), server_keywords = new.words,
    keywords = :seen,
    flags = (new.flags & ~p.pending_mask::int) | (p.flags & p.pending_mask)
FROM (SELECT id, flags, modseq,
             coalesce(string_to_array(nullif(words, ''), ' ')::varchar(100)[], '{}') AS words
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::text[]) AS row(id, flags, modseq, words)) new
WHERE p.id = new.id AND :where RETURNING p.id, p.mailbox_id, p.thread_id
""".replace(":seen", seen("new.words", "p."))
_CHANGE_HERE = _CHANGE.replace(":where", "p.mailbox_id = %s")
# not of a row that stands for the message under another UID already
_CHANGE_AWAY = _CHANGE.replace(
    ":where",
    "(p.uid IS NULL OR p.mailbox_id = %s)"
    " AND (p.server_flags, p.server_keywords) IS DISTINCT FROM (new.flags, new.words)",
)
_STORED_RANGES = """
SELECT min(uid), max(uid) FROM (
    SELECT uid, uid - row_number() OVER (ORDER BY uid) AS island FROM webmail_placement
    WHERE mailbox_id = %s AND gen = %s AND uid BETWEEN %s AND %s AND state <> 1) runs
GROUP BY island ORDER BY 1
"""
_THREADS = (
    "SELECT DISTINCT thread_id FROM webmail_placement WHERE mailbox_id = %s AND gen = %s AND uid BETWEEN %s AND %s"
)
_STRANDED = """
SELECT p.id FROM webmail_placement p WHERE p.mailbox_id = %s AND p.gen <= %s AND p.uid IS NULL AND p.state <> 1
AND NOT EXISTS (SELECT 1 FROM webmail_remoteop op WHERE op.account_id = p.account_id
                AND op.state IN ('queued', 'inflight') AND p.id = ANY(op.placements))
"""
_IN_MAILBOX = "SELECT id, account_id FROM webmail_placement WHERE mailbox_id = %s AND state <> 1"
_COUNT = "SELECT count(*) FROM webmail_placement WHERE mailbox_id = %s AND gen = %s AND uid IS NOT NULL AND state <> 1"


def change_flags(spot: Spot, rows: Sequence[FlagRow]) -> tuple[set[int], set[int]]:
    """Writes what differs; returns the mailboxes where something changed, and the UIDs that are not stored at all.

    What a queued operation takes away, or has hidden, takes its flags along: they are written where its row is now.
    """
    latest = {row.uid: row for row in rows}
    here = placements_here(spot, list(latest))
    away = departing(spot.account_id, spot.mailbox_id, spot.gen)
    unknown = latest.keys() - here.keys() - away.keys()
    told = {uid: _Told.of(row) for uid, row in latest.items()}
    differing = {
        uid: at.id
        for uid, at in here.items()
        if at.state == LIVE and (at.server_flags, at.server_keywords) != (told[uid].flags, told[uid].keywords)
    }
    change(_LOCK, [[*differing.values(), *(away[uid] for uid in away.keys() & latest.keys())]])
    written = _write(_CHANGE_HERE, [(pk, told[uid]) for uid, pk in differing.items()], spot.mailbox_id)
    if len(written) < len(differing):  # some were just moved on
        away = departing(spot.account_id, spot.mailbox_id, spot.gen)
    written += _write(_CHANGE_AWAY, [(away[uid], told[uid]) for uid in away.keys() & latest.keys()], spot.mailbox_id)
    relabelled = labels.note(spot, {at.id: label_texts(latest[uid].labels) for uid, at in here.items()})
    boxes = {box for _, box, _ in written} | ({spot.mailbox_id} if relabelled else set())
    _summarise(boxes, {thread for _, _, thread in written} | relabelled)
    return boxes, unknown


@dataclass(frozen=True, slots=True)
class _Told:
    """What the server says of a message."""

    flags: int
    keywords: tuple[str, ...]
    modseq: int | None

    @classmethod
    def of(cls, row: FlagRow) -> "_Told":
        flags, keywords = Flag.from_wire(row.flags)
        return cls(flags, tuple(keywords), row.modseq)


def _write(sql: str, changes: list[tuple[int, _Told]], *values: int) -> list[tuple[int, int, int]]:
    """Returns (placement, mailbox, conversation) of those written."""
    if not changes:
        return []
    columns = [(pk, told.flags, told.modseq, " ".join(told.keywords)) for pk, told in changes]
    return [(pk, box, thread) for pk, box, thread in ask(sql, [*map(list, zip(*columns, strict=True)), *values])]


def hide(spot: Spot, uids: UidSet) -> int:
    """Tombstones what is stored under these UIDs, however wide their ranges; returns how many."""
    if not uids:
        return 0
    leaving = leaving_uids(spot.account_id, spot.mailbox_id, spot.gen)
    with connection.cursor() as cursor:
        lows, highs = map(list, zip(*uids.ranges, strict=True))
        cursor.execute(_FIND_IN_RANGES, [lows, highs, spot.mailbox_id, spot.gen])
        ids = [pk for pk, uid in cursor.fetchall() if uid not in leaving]
        return _hide(spot, ids)


def hide_mailbox(mailbox_id: int) -> None:
    """Tombstones everything in a mailbox that is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, account_id FROM webmail_placement WHERE mailbox_id = %s AND state <> 1", [mailbox_id]
        )
        found = cursor.fetchall()
    for start in range(0, len(found), 1000):
        part = found[start : start + 1000]
        _hide(Spot(part[0][1], mailbox_id, 0), [pk for pk, _ in part], without_uid=True)


def hide_deleted(mailbox_id: int) -> None:
    """Takes from view what a look at a folder brought back while its owner deleted it; undo brings it with the rest."""
    row = Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox_id)
    if row.phase != Mailbox.Phase.GONE:
        return  # undone meanwhile
    removal = RemoteOp.objects.filter(mailbox=row, kind=RemoteOp.Kind.REMOVE, state__in=["queued", "inflight"]).first()
    if removal is None:
        hide_mailbox(mailbox_id)
    else:
        hide_mail(mailbox_id, datetime.fromisoformat(removal.args["kept"]["gone_at"]))


def hide_plain(mailbox_id: int) -> None:
    """Tombstones what a mailbox held under UIDs of its own, before it became a view over labels."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_MAILBOX + " AND origin_id IS NULL", [mailbox_id])
        found = cursor.fetchall()
    for start in range(0, len(found), 1000):
        part = found[start : start + 1000]
        _hide(Spot(part[0][1], mailbox_id, 0), [pk for pk, _ in part], without_uid=True)


def hide_older_numbering(spot: Spot) -> int:
    """Tombstones what a renumbered mailbox did not bring again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM webmail_placement WHERE mailbox_id = %s AND gen < %s AND state <> 1 AND uid IS NOT NULL",
            [spot.mailbox_id, spot.gen],
        )
        return _hide(spot, [row[0] for row in cursor.fetchall()])


def hide_stranded(spot: Spot) -> int:
    """Tombstones what a local move put here and a complete look at the mailbox did not find, once nothing is owed."""
    with connection.cursor() as cursor:
        cursor.execute(_STRANDED, [spot.mailbox_id, spot.gen])
        return _hide(spot, [row[0] for row in cursor.fetchall()], without_uid=True)


def _hide(spot: Spot, ids: Sequence[int], *, without_uid: bool = False) -> int:
    if not ids:
        return 0
    sql = _HIDE.replace(" AND uid IS NOT NULL", "") if without_uid else _HIDE
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(ids)])
        cursor.execute(sql, [list(ids), spot.mailbox_id])
        found = cursor.fetchall()
    _summarise({spot.mailbox_id}, {row[0] for row in found})
    return len(found)


def stored_in(spot: Spot, uids: UidSet) -> int:
    """How many of these UIDs are stored and live."""
    if not uids:
        return 0
    lows, highs = map(list, zip(*uids.ranges, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_FIND_IN_RANGES, [lows, highs, spot.mailbox_id, spot.gen])
        return len(cursor.fetchall())


def stored_uids(spot: Spot, low: int = 1, high: int = HIGHEST) -> UidSet:
    """Every UID from low to high that this mailbox accounts for: stored, or leaving by a queued operation."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED_RANGES, [spot.mailbox_id, spot.gen, low, high])
        stored = UidSet(cursor.fetchall())
    leaving = UidSet.collect(leaving_uids(spot.account_id, spot.mailbox_id, spot.gen))
    return stored | (leaving & UidSet.span(low, high))


def summarise_span(spot: Spot, low: int, high: int) -> None:
    """Lines and threads of what lies under these UIDs, tombstones included, computed anew."""
    with connection.cursor() as cursor:
        cursor.execute(_THREADS, [spot.mailbox_id, spot.gen, low, high])
        _summarise({spot.mailbox_id}, {row[0] for row in cursor.fetchall()})


def stored_count(spot: Spot) -> int:
    """How many UIDs ``stored_uids`` would name, without naming them."""
    leaving = leaving_uids(spot.account_id, spot.mailbox_id, spot.gen)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [spot.mailbox_id, spot.gen])
        count = int(cursor.fetchone()[0])
    here = placements_here(spot, list(leaving))
    return count + sum(uid not in here or here[uid].state == GONE for uid in leaving)


def _summarise(boxes: set[int], threads: set[int]) -> None:
    if threads:
        refresh_lines(boxes, threads)
        refresh_threads(threads)
