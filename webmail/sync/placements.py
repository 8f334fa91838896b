"""Placements under a numbering: found, bound, brought up to date, made. Call inside ``guarded``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webmail.models import Placement
from webmail.sync.keywords import seen
from webmail.sync.messages import Stored
from webmail.sync.rows import Incoming
from webmail.sync.sql import array, ask, change, copy

LIVE, GONE, UNFETCHABLE = (int(state) for state in Placement.State)

_HERE = """
SELECT uid, id, message_id, thread_id, server_flags, state, server_keywords, problem FROM webmail_placement
WHERE mailbox_id = %s AND gen = %s AND uid = ANY(%s) AND uid BETWEEN %s AND %s
"""
# What a move that was not begun is to bring cannot be here yet: this is another copy of the message. What one that was
# begun brought is here, also if it was hidden with its folder since; not if a person deleted it (sync.departures).
_WAITING = """
SELECT p.id, p.message_id FROM webmail_placement p
WHERE p.mailbox_id = %s AND p.message_id = ANY(%s) AND (p.uid IS NULL OR p.state <> 1 AND p.gen < %s)
  AND (p.state <> 1 OR EXISTS (
        SELECT 1 FROM webmail_remoteop op WHERE op.account_id = p.account_id AND op.state = 'inflight'
        AND op.kind IN ('move', 'copy') AND op.destination_id = p.mailbox_id AND p.id = ANY(op.placements))
    AND NOT EXISTS (
        SELECT 1 FROM webmail_remoteop op WHERE op.account_id = p.account_id AND op.state IN ('queued', 'inflight')
        AND op.kind = 'expunge' AND p.id = ANY(op.placements)))
  AND NOT EXISTS (SELECT 1 FROM webmail_remoteop op WHERE op.account_id = p.account_id AND op.state = 'queued'
                  AND op.kind IN ('move', 'copy') AND op.destination_id = p.mailbox_id AND p.id = ANY(op.placements))
ORDER BY p.id FOR NO KEY UPDATE OF p
"""
_BIND = """
UPDATE webmail_placement
SET gen = %s, uid = %s, modseq = %s, server_flags = %s, flags = (%s::int & ~pending_mask::int) | (flags & pending_mask),
    keywords = :seen, server_keywords = %s, received_at = %s, state = 0, gone_at = NULL, problem = ''
WHERE id = %s
""".replace(":seen", seen("%s"))
_RENEW = """
UPDATE webmail_placement
SET message_id = %s, thread_id = %s, server_flags = %s, flags = (%s::int & ~pending_mask::int) | (flags & pending_mask),
    modseq = %s, keywords = :seen, server_keywords = %s, received_at = coalesce(%s, received_at), state = %s,
    problem = %s, gone_at = NULL
WHERE id = %s AND state = %s AND mailbox_id = %s
""".replace(":seen", seen("%s"))
_PLACEMENT = """webmail_placement (account_id, mailbox_id, gen, uid, message_id, thread_id, received_at, modseq, flags,
server_flags, pending_mask, keywords, server_keywords, pending_keywords, state, problem, labels, server_labels)"""


@dataclass(frozen=True, slots=True)
class Spot:
    """A mailbox under one numbering; ``labelled`` where messages carry labels."""

    account_id: int
    mailbox_id: int
    gen: int
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """A placement that is stored under a UID."""

    id: int
    message: int
    thread: int
    server_flags: int
    state: int
    server_keywords: tuple[str, ...]
    problem: str


def placements_here(spot: Spot, uids: Sequence[int]) -> dict[int, Here]:
    """What is stored under these UIDs, tombstones included."""
    if not uids:
        return {}
    # the bounds say nothing new, but lead a planner without statistics to the index on (mailbox, gen, uid)
    rows = ask(_HERE, [spot.mailbox_id, spot.gen, list(uids), min(uids), max(uids)])
    return {
        uid: Here(pk, message, thread, flags, state, tuple(keywords), problem)
        for uid, pk, message, thread, flags, state, keywords, problem in rows
    }


def bind(spot: Spot, rows: Sequence[Incoming], here: Mapping[int, Here], known: Mapping[str, Stored]) -> frozenset[int]:
    """Gives UIDs to placements of these messages that wait here for one: moved here by a person, or renumbered.

    Copies are bound in the order of their UIDs. Returns the UIDs so bound.
    """
    wanted: dict[int, list[Incoming]] = {}
    for row in sorted(rows, key=lambda row: row.uid):
        if row.uid not in here and row.uid and not row.problem:
            wanted.setdefault(known[row.fingerprint].id, []).append(row)
    if not wanted:
        return frozenset()
    waiting = ask(_WAITING, [spot.mailbox_id, list(wanted), spot.gen])
    pairs = [(pk, wanted[message].pop(0)) for pk, message in waiting if wanted[message]]
    for pk, row in pairs:
        words = list(row.keywords)
        change(_BIND, [spot.gen, row.uid, row.modseq, row.flags, row.flags, words, words, row.received_at, pk])
    return frozenset(row.uid for _, row in pairs)


def update(spot: Spot, rows: Sequence[Incoming], here: Mapping[int, Here], known: Mapping[str, Stored]) -> int:
    """Brings stored placements up to what was fetched; equal ones are not written, and those that were moved on
    meanwhile are left alone. Returns how many changed.
    """
    changed = 0
    for row in sorted((row for row in rows if row.uid in here), key=lambda row: here[row.uid].id):
        at, message = here[row.uid], known[row.fingerprint]
        if row.problem and at.state == LIVE:
            continue
        state = UNFETCHABLE if row.problem else LIVE
        wanted = (message.id, message.thread, row.flags, state, row.keywords, row.problem)
        if (at.message, at.thread, at.server_flags, at.state, at.server_keywords, at.problem) != wanted:
            received_at = row.received_at if message.id != at.message else None
            words = list(row.keywords)
            values = [message.id, message.thread, row.flags, row.flags, row.modseq, words, words, received_at]
            changed += change(_RENEW, [*values, state, row.problem, at.id, at.state, spot.mailbox_id])
    return changed


def make(spot: Spot, rows: Sequence[Incoming], known: Mapping[str, Stored]) -> None:
    """Stores placements that are new."""
    copy(
        _PLACEMENT,
        (
            (
                spot.account_id,
                spot.mailbox_id,
                spot.gen,
                row.uid or None,
                known[row.fingerprint].id,
                known[row.fingerprint].thread,
                row.received_at,
                row.modseq,
                row.flags,
                row.flags,
                0,
                array(row.keywords),
                array(row.keywords),
                "{}",
                UNFETCHABLE if row.problem else LIVE,
                row.problem,
                *_labels(spot, row),
            )
            for row in rows
        ),
    )


def _labels(spot: Spot, row: Incoming) -> tuple[str | None, str | None]:
    """What people see of the labels, and what the server said: the same for a message that has just come."""
    labels = array(row.labels) if spot.labelled and row.labels is not None else None
    return labels, labels
