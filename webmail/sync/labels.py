"""What the server says about labels, into the placements of the labelled mailbox. Call inside ``guarded``.

Invariant: people see the server's labels with the changes that queued operations still owe laid over them, so a look
at the server never takes back what a person just did.
"""

from collections.abc import Collection, Mapping, Sequence

from webmail.sync.owed import LabelChange, owed_labels
from webmail.sync.placements import Spot
from webmail.sync.rows import Incoming
from webmail.sync.sql import ask

Labels = tuple[str, ...]

_STORED = "SELECT id, server_labels FROM webmail_placement WHERE id = ANY(%s)"
_LOCK = "SELECT id, server_labels FROM webmail_placement WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_UNDER = "SELECT uid, id FROM webmail_placement WHERE mailbox_id = %s AND gen = %s AND uid = ANY(%s)"
_WRITE = """
UPDATE webmail_placement SET server_labels = %s, labels = %s
WHERE id = ANY(%s) AND mailbox_id = coalesce(%s, mailbox_id) RETURNING thread_id
"""


def note(spot: Spot, said: Mapping[int, Labels | None]) -> set[int]:
    """Writes labels that differ from what the server said before, by placement; returns the conversations touched.

    What was put into Spam or Trash meanwhile has none there.
    """
    told = {pk: labels for pk, labels in said.items() if labels is not None}
    if not spot.labelled or not told:
        return set()
    differing = [pk for pk, labels in ask(_STORED, [list(told)]) if labels is None or tuple(labels) != told[pk]]
    return _write(spot.account_id, {pk: told[pk] for pk in differing}, mailbox_id=spot.mailbox_id)


def note_rows(spot: Spot, rows: Sequence[Incoming]) -> bool:
    """The same for fetched rows whose placements are here; the caller sums up their conversations."""
    by_uid = {row.uid: row.labels for row in rows if row.labels is not None}
    if not spot.labelled or not by_uid:
        return False
    under = ask(_UNDER, [spot.mailbox_id, spot.gen, list(by_uid)])
    return bool(note(spot, {pk: by_uid[uid] for uid, pk in under}))


def settle(account_id: int, placements: Collection[int], change: LabelChange, *, besides: Collection[int]) -> None:
    """The server has the change: its labels are now what it said, with the change."""
    add, remove = change
    now = {pk: tuple(sorted((set(labels or ()) | add) - remove)) for pk, labels in ask(_LOCK, [list(placements)])}
    _write(account_id, now, besides=besides)


def take_back(account_id: int, placements: Collection[int], *, besides: Collection[int]) -> None:
    """The server refused a change: people see what it has, with what others still owe."""
    now = {pk: tuple(labels or ()) for pk, labels in ask(_LOCK, [list(placements)])}
    _write(account_id, now, besides=besides)


def _write(
    account_id: int, said: Mapping[int, Labels], *, besides: Collection[int] = (), mailbox_id: int | None = None
) -> set[int]:
    """Locks first: what a person owes is asked for when nobody can add to it any more. With a mailbox only there."""
    if not said:
        return set()
    ask(_LOCK, [list(said)])
    owed = owed_labels(account_id, said.keys(), besides=besides)
    groups: dict[tuple[Labels, Labels], list[int]] = {}
    for pk, labels in said.items():
        groups.setdefault((labels, _laid_over(labels, owed.get(pk, ()))), []).append(pk)
    threads: set[int] = set()
    for (server, seen), placements in groups.items():
        threads |= {row[0] for row in ask(_WRITE, [list(server), list(seen), placements, mailbox_id])}
    return threads


def _laid_over(labels: Labels, changes: Sequence[LabelChange]) -> Labels:
    seen = set(labels)
    for add, remove in changes:
        seen = (seen | add) - remove
    return tuple(sorted(seen))
