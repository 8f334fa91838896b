"""What queued operations still owe to the server, as far as reading the server must respect it.

A message that a person moved or deleted stays on the server under its old UID until the operation has been replayed;
meanwhile that UID must neither be stored again nor be missed.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from webmail.mime.folder_names import below, sibling
from webmail.models import Mailbox, RemoteOp

_LEAVING = """
SELECT item.uid, item.placement FROM webmail_remoteop, unnest(uids, placements) AS item(uid, placement)
WHERE account_id = %s AND mailbox_id = %s AND gen = %s AND state IN ('queued', 'inflight')
  AND kind IN ('move', 'expunge') AND item.uid IS NOT NULL
"""
_COVERED = """
SELECT p.id, coalesce(bit_or(op.set_flags | op.clear_flags), 0) FROM webmail_placement p
LEFT JOIN webmail_remoteop op ON op.account_id = p.account_id AND op.kind = 'flags'
     AND op.state IN ('queued', 'inflight') AND p.id = ANY(op.placements) AND op.id <> ALL(%s)
WHERE p.id = ANY(%s) GROUP BY p.id
"""
_CHANGES = """
SELECT placement, op.args FROM webmail_remoteop op, unnest(op.placements) AS placement
WHERE op.account_id = %s AND op.kind = %s AND op.state IN ('queued', 'inflight')
  AND placement = ANY(%s) AND op.id <> ALL(%s) ORDER BY op.id
"""
_NAMES = "SELECT id, label FROM webmail_mailbox WHERE account_id = %s AND label <> ''"
LabelChange = tuple[frozenset[str], frozenset[str]]  # to add, to remove


def leaving_uids(account_id: int, mailbox_id: int, gen: int) -> frozenset[int]:
    """UIDs that an open move or expunge takes out of this mailbox."""
    return frozenset(departing(account_id, mailbox_id, gen))


def departing(account_id: int, mailbox_id: int, gen: int) -> dict[int, int]:
    """The same, each with the placement that stands for the message, wherever that is now."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVING, [account_id, mailbox_id, gen])
        return dict(cursor.fetchall())


def still_pending(placements: Iterable[int], *, besides: Iterable[int]) -> dict[int, int]:
    """For each placement the flag bits that open operations other than these still owe."""
    with connection.cursor() as cursor:
        cursor.execute(_COVERED, [list(besides), list(placements)])
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Folders:
    """What open operations will change about folders. ``renames`` are wire names before and after, in order."""

    renames: tuple[tuple[bytes, bytes, str], ...]
    removed: frozenset[int]
    subscriptions: frozenset[int]

    def called(self, wire_name: bytes) -> bytes:
        """What the folder with this name on the server will be called once all renames are done."""
        for old, new, delimiter in self.renames:
            wire_name = below(wire_name, old, new, delimiter)
        return wire_name


def folders(account_id: int, *, besides: Iterable[int] = ()) -> Folders:
    """What a listing must respect: folders that people renamed, deleted, showed or hid, unknown to the server yet."""
    kinds = [RemoteOp.Kind.RENAME, RemoteOp.Kind.REMOVE, RemoteOp.Kind.SUBSCRIBE]
    open_ops = RemoteOp.objects.filter(
        Q(state=RemoteOp.State.QUEUED) | Q(state=RemoteOp.State.INFLIGHT), account=account_id, kind__in=kinds
    ).exclude(pk__in=list(besides))
    rows = list(open_ops.order_by("id").select_related("mailbox"))
    renames: list[tuple[bytes, bytes, str]] = []
    for row in rows:
        if row.kind == RemoteOp.Kind.RENAME and row.mailbox is not None:
            renames.append(_rename(row.mailbox, row.args["leaf"], renames))
    return Folders(
        renames=tuple(renames),
        removed=frozenset(row.mailbox_id for row in rows if row.mailbox_id and row.kind == RemoteOp.Kind.REMOVE),
        subscriptions=frozenset(
            row.mailbox_id for row in rows if row.mailbox_id and row.kind == RemoteOp.Kind.SUBSCRIBE
        ),
    )


def _rename(box: Mailbox, leaf: str, earlier: Iterable[tuple[bytes, bytes, str]]) -> tuple[bytes, bytes, str]:
    name = bytes(box.wire_name)
    for old, new, delimiter in earlier:
        name = below(name, old, new, delimiter)
    return name, sibling(name, leaf.encode("ascii"), box.delimiter), box.delimiter


def owed_labels(
    account_id: int, placements: Collection[int], *, besides: Collection[int] = ()
) -> dict[int, list[LabelChange]]:
    """For each placement the label changes that open operations other than these still owe, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, [account_id, "labels", list(placements), list(besides)])
        rows = cursor.fetchall()
    names = label_names(account_id) if rows else {}
    found: dict[int, list[LabelChange]] = {}
    for placement, args in rows:
        found.setdefault(placement, []).append(label_change(args, names))
    return found


def owed_keywords(account_id: int, placements: Collection[int], *, besides: Collection[int]) -> dict[int, set[str]]:
    """For each placement the keywords, in lower case, about which open operations other than these still owe a word."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, [account_id, "keywords", list(placements), list(besides)])
        rows = cursor.fetchall()
    found: dict[int, set[str]] = {}
    for placement, args in rows:
        wanted: dict[str, list[str]] = json.loads(args) if isinstance(args, str) else args
        found.setdefault(placement, set()).update(word.lower() for words in wanted.values() for word in words)
    return found


def label_names(account_id: int) -> dict[int, str]:
    """Views to the labels they show, as these are called now."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [account_id])
        return dict(cursor.fetchall())


def label_change(args: dict[str, list[int]] | str, names: dict[int, str]) -> LabelChange:
    """The labels an operation adds and removes; a raw cursor gives its arguments as text."""
    wanted: dict[str, list[int]] = json.loads(args) if isinstance(args, str) else args
    add, remove = (frozenset(names[box] for box in wanted.get(key, ()) if box in names) for key in ("add", "remove"))
    return add, remove
