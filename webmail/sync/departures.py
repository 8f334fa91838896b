"""Messages on their way out of a mailbox: a queued move or deletion takes them away. Call inside ``guarded``.

Invariants: the UID of such a message is known to the operation alone, so it is neither stored again nor shown; where it
is not known (the mailbox was numbered anew, or an earlier move did not say where its messages went) it is recognised
when the mailbox shows the message, before a row is made or bound for it; what the server says of its flags is written
where its row is now, since the message takes them along, and is there should the operation be taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from webmail.models import RemoteOp
from webmail.sync.keywords import seen
from webmail.sync.messages import Stored
from webmail.sync.placements import Here, Spot
from webmail.sync.rows import Incoming
from webmail.sync.sql import ask, change

_OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)
# What an operation that was not begun still brings here cannot be here yet. An earlier move from elsewhere that was
# begun may have come through unheard.
_NAMELESS = """
SELECT p.id, p.message_id, op.id, op.kind = 'expunge' FROM webmail_remoteop op
JOIN unnest(op.placements, op.uids) AS item(placement, uid) ON item.uid IS NULL OR op.gen < %(gen)s
JOIN webmail_placement p ON p.id = item.placement
WHERE op.account_id = %(account)s AND op.mailbox_id = %(mailbox)s AND op.state IN ('queued', 'inflight')
  AND op.kind IN ('move', 'expunge') AND p.message_id = ANY(%(messages)s)
  AND NOT EXISTS (SELECT 1 FROM webmail_remoteop before WHERE before.account_id = op.account_id AND before.id < op.id
                  AND before.state = 'queued' AND before.kind IN ('move', 'copy') AND p.id = ANY(before.placements))
ORDER BY p.id, op.id
"""
_LOCK = """
SELECT id FROM webmail_placement
WHERE id = ANY(%s) OR (message_id = ANY(%s) AND mailbox_id = %s AND state <> 1 AND (uid IS NULL OR gen < %s))
ORDER BY id FOR NO KEY UPDATE
"""
_FORGET = """
UPDATE webmail_remoteop SET gen = %(gen)s, uids = array_fill(NULL::bigint, ARRAY[cardinality(uids)])
WHERE account_id = %(account)s AND mailbox_id = %(mailbox)s AND state IN ('queued', 'inflight')
  AND gen < %(gen)s AND cardinality(uids) > 0
"""
_NOTE = """
UPDATE webmail_placement
SET server_flags = %s, flags = (%s::int & ~pending_mask::int) | (flags & pending_mask),
    keywords = :seen, server_keywords = %s
WHERE id = %s AND (uid IS NULL OR mailbox_id = %s) RETURNING mailbox_id, thread_id
""".replace(":seen", seen("%s"))
_NUMBER = "UPDATE webmail_placement SET gen = %s, uid = %s, modseq = %s WHERE id = %s AND mailbox_id = %s AND state = 1"


@dataclass(slots=True)
class Departing:
    """UIDs that were recognised, and the mailboxes and conversations whose lines may have changed."""

    uids: set[int] = field(default_factory=set)
    boxes: set[int] = field(default_factory=set)
    threads: set[int] = field(default_factory=set)


def recognise(spot: Spot, rows: Sequence[Incoming], here: Mapping[int, Here], known: Mapping[str, Stored]) -> Departing:
    """Which of these rows, of messages in ``known``, are on their way out under UIDs that nobody knew: operations
    learn them. Copies are told apart by the order of their UIDs.
    """
    wanted: dict[int, list[Incoming]] = {}
    for row in sorted(rows, key=lambda row: row.uid):
        if row.uid and row.uid not in here and not row.problem and row.fingerprint in known:
            wanted.setdefault(known[row.fingerprint].id, []).append(row)
    found = Departing()
    if not wanted:
        return found
    where = {"account": spot.account_id, "mailbox": spot.mailbox_id, "gen": spot.gen, "messages": list(wanted)}
    candidates = ask(_NAMELESS, where)
    if not candidates:
        return found
    # with those that wait here for a UID, which are bound next: all in one order
    held = {pk for (pk,) in ask(_LOCK, [[row[0] for row in candidates], list(wanted), spot.mailbox_id, spot.gen])}
    change(_FORGET, where)
    named: dict[int, int] = {}
    for placement, message, op, deleted in ask(_NAMELESS, where):  # again, now that nobody can take them back
        if placement not in held or placement in named or not wanted[message]:
            continue
        row = wanted[message].pop(0)
        named[placement] = row.uid
        tell(spot.account_id, spot.mailbox_id, placement, row.uid, last=op)
        if deleted:
            change(_NUMBER, [spot.gen, row.uid, row.modseq, placement, spot.mailbox_id])
        words = list(row.keywords)
        for box, thread in ask(_NOTE, [row.flags, row.flags, words, words, placement, spot.mailbox_id]):
            found.boxes.add(box)
            found.threads.add(thread)
    found.uids = set(named.values())
    return found


def tell(account_id: int, mailbox_id: int, placement: int, uid: int, *, last: int | None) -> None:
    """Open operations about this message in the mailbox, up to the one with the id ``last``, learn its UID."""
    about = Q(placements__contains=[placement]) | Q(kind=RemoteOp.Kind.COPY)
    until = Q() if last is None else Q(pk__lte=last)
    rows = RemoteOp.objects.select_for_update().filter(
        about, until, account=account_id, mailbox=mailbox_id, state__in=_OPEN
    )
    for op in rows.order_by("id"):
        members = op.args.get("sources", []) if op.kind == RemoteOp.Kind.COPY else op.placements
        pairs = zip(members, op.uids, strict=True)
        uids = [uid if member == placement and old is None else old for member, old in pairs]
        if uids != op.uids:
            RemoteOp.objects.filter(pk=op.pk).update(uids=uids)
