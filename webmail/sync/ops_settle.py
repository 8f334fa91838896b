"""What to write once an operation has ended, well or not. Call inside ``guarded``; returns the mailboxes touched.

Invariants: a mark stops being masked only when no other open operation covers it; after a refusal the rows show what
the server has; a placement gets its UID at the destination, or gives way to the row that already has it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.utils import timezone

from webmail.models import Mailbox, Placement, RemoteOp
from webmail.models.folder_tree import reappear, take_wire_name
from webmail.models.label_views import rename_label
from webmail.models.numbering import Before, put_back
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.protocols.values import UidSet
from webmail.sync import departures, keywords, labels
from webmail.sync.folders import shown_name
from webmail.sync.ops_plan import (
    COPY,
    CREATE,
    EXPUNGE,
    FLAGS,
    FOLDERS,
    KEYWORDS,
    LABELS,
    MOVE,
    REMOVE,
    RENAME,
    SUBSCRIBE,
    Batch,
)
from webmail.sync.ops_resolve import read_again
from webmail.sync.owed import folders, label_change, label_names, still_pending
from webmail.sync.sql import change
from webmail.sync.vanish import hide_mailbox

_OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)
_LOCK = "SELECT id FROM webmail_placement WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_SENT = """
UPDATE webmail_placement p SET server_flags = (p.server_flags | %s::int) & ~%s::int,
    pending_mask = (p.pending_mask & ~%s::int) | row.keep
FROM unnest(%s::bigint[], %s::int[]) AS row(id, keep) WHERE p.id = row.id
"""
_BACK = """
UPDATE webmail_placement p SET flags = (p.flags & ~row.bits) | (p.server_flags & row.bits),
    pending_mask = p.pending_mask & ~row.bits
FROM unnest(%s::bigint[], %s::int[]) AS row(id, bits) WHERE p.id = row.id
"""


def done(batch: Batch) -> set[int]:
    """The server has it."""
    _close(batch, RemoteOp.State.DONE)
    return {box for box in (batch.mailbox, batch.destination) if box is not None}


def flags_done(batch: Batch, *, unkept: int) -> set[int]:
    """The server has the marks. Bits it does not keep stay masked, so that they remain visible here."""
    pending = still_pending(batch.items, besides=batch.ids)
    _lock(batch.items)
    for (to_set, to_clear), placements in batch.marks().items():
        bits = to_set | to_clear
        keeps = [pending.get(pk, 0) | unkept & bits for pk in placements]
        change(_SENT, [to_set & ~unkept, to_clear & ~unkept, bits, placements, keeps])
    _close(batch, RemoteOp.State.DONE)
    return set()  # people saw it when it was done


def keywords_done(batch: Batch, source: Mailbox, *, unkept: Collection[str]) -> set[int]:
    """The server has the keywords, but for those it does not keep. People saw it when it was done."""
    keywords.settle(source.account_id, batch.keywords(), unkept=unkept, besides=batch.ids)
    _close(batch, RemoteOp.State.DONE)
    return set()


def labels_done(batch: Batch, source: Mailbox) -> set[int]:
    """The server has the labels. People saw it when it was done."""
    names = label_names(source.account_id)
    for row in RemoteOp.objects.filter(pk__in=batch.ids).order_by("pk"):
        labels.settle(source.account_id, row.placements, label_change(row.args, names), besides=batch.ids)
    _close(batch, RemoteOp.State.DONE)
    return set()


@dataclass(frozen=True, slots=True)
class Moved:
    """What a MOVE did: placements with their new UIDs, those the server had no more, and UIDs that left the source."""

    bound: Mapping[int, int]
    lost: frozenset[int]
    left: UidSet


def move_done(batch: Batch, source: Mailbox, destination: Mailbox, moved: Moved) -> set[int]:
    """Moved: placements get their new UIDs; those the server had no more become tombstones."""
    left = _rows_of(source, moved.left)
    came = _rows_of(destination, moved.bound.values())
    # what a person did to them until now is seen from here on
    _lock({*moved.bound, *moved.lost, *left, *came})
    threads = _hide_twins(source, moved.left)
    for pk, uid in sorted(moved.bound.items()):
        threads |= _bind(pk, destination, uid)
        _tell_followers(batch, pk, destination, uid)
    gone = Placement.objects.filter(pk__in=moved.lost, mailbox=destination.pk, uid__isnull=True)
    threads |= set(gone.values_list("thread_id", flat=True))
    gone.update(state=Placement.State.GONE, gone_at=timezone.now())
    _refresh({source.pk, destination.pk}, threads)
    words = "the server no longer had some of these messages" if moved.lost else ""
    _close(batch, RemoteOp.State.DONE, words)
    return {destination.pk} if threads else set()


def _rows_of(box: Mailbox, uids: Iterable[int]) -> list[int]:
    """Placements stored under these UIDs."""
    rows = Placement.objects.filter(mailbox=box.pk, gen=box.gen, uid__in=list(uids))
    return list(rows.values_list("pk", flat=True))


def _hide_twins(source: Mailbox, left: UidSet) -> set[int]:
    """Rows that a look at the source made for messages on their way out. The rows are locked. Returns threads."""
    twins = Placement.objects.filter(mailbox=source.pk, gen=source.gen, uid__in=list(left))
    threads = set(twins.values_list("thread_id", flat=True))
    twins.update(state=Placement.State.GONE, gone_at=timezone.now())
    return threads


def _bind(pk: int, destination: Mailbox, uid: int) -> set[int]:
    """Gives a waiting placement its UID; a row that a look at the mailbox made first gives way. Returns threads.

    The placement is locked. One that was deleted here meanwhile stays so: by its UID the waiting deletion finds it.
    """
    waiting = Placement.objects.filter(pk=pk, mailbox=destination.pk, uid__isnull=True)
    if not waiting.exists():
        return set()
    twin = Placement.objects.filter(mailbox=destination.pk, gen=destination.gen, uid=uid)
    threads = set(twin.values_list("thread_id", flat=True))
    twin.delete()
    waiting.update(gen=destination.gen, uid=uid)
    return threads


def _tell_followers(batch: Batch, pk: int, destination: Mailbox, uid: int) -> None:
    """Later operations about this message, made before its UID here was known, learn it: up to the one that takes it
    away again. Should it come back once more, it has another UID then.
    """
    later = RemoteOp.objects.filter(
        account=destination.account_id, state__in=_OPEN, mailbox=destination.pk, placements__contains=[pk]
    ).exclude(pk__in=batch.ids)
    takes = later.filter(kind__in=[RemoteOp.Kind.MOVE, RemoteOp.Kind.EXPUNGE]).order_by("id").first()
    departures.tell(destination.account_id, destination.pk, pk, uid, last=None if takes is None else takes.pk)


def mailbox_removed(batch: Batch, source: Mailbox) -> set[int]:
    """The mailbox is gone from the server, and its mail from view."""
    Mailbox.objects.filter(pk=source.pk).update(phase=Mailbox.Phase.GONE, role="", role_source="")
    if source.label:
        rename_label(source, "")
    hide_mailbox(source.pk)
    return done(batch)


def renamed(batch: Batch, source: Mailbox, new: bytes) -> set[int]:
    """The server calls the mailbox, and all within it, by the new name."""
    take_wire_name(source.account_id, bytes(source.wire_name), new, source.delimiter)
    for view in Mailbox.objects.filter(account=source.account_id).exclude(label=""):
        name = bytes(view.wire_name).decode("latin-1")
        if not view.label.startswith("\\") and view.label != name:  # where folders are labels, messages have it too
            rename_label(view, name)
    return done(batch)


def revert(batch: Batch, words: str) -> set[int]:
    """The server refused: the rows go back to what it has, the operations stay visible as not done."""
    placements = list(Placement.objects.filter(pk__in=batch.items).order_by("pk").select_for_update())
    read_again(batch)
    boxes = {box for box in (batch.mailbox, batch.destination) if box is not None}
    boxes |= {row.mailbox_id for row in placements}  # what is moved on meanwhile shows it there
    if batch.kind == FLAGS:
        _revert_flags(batch)
    elif batch.kind == KEYWORDS and placements:
        keywords.take_back(placements[0].account_id, batch.keywords(), besides=batch.ids)
    elif batch.kind == LABELS and batch.mailbox is not None:
        labels.take_back(placements[0].account_id if placements else 0, list(batch.items), besides=batch.ids)
    elif batch.kind == MOVE:
        _revert_move(batch, placements)
    elif batch.kind == EXPUNGE:
        _revert_expunge(placements)
    elif batch.kind == COPY:
        Placement.objects.filter(pk__in=batch.items, uid=None).update(
            state=Placement.State.GONE, gone_at=timezone.now()
        )
    elif batch.kind in FOLDERS:
        _revert_folder(batch)
    _refresh(boxes, {row.thread_id for row in placements})
    _close(batch, RemoteOp.State.FAILED, words)
    return boxes


def _revert_folder(batch: Batch) -> None:
    """The folder as the server has it: not made, called as before, still there, shown or hidden as before."""
    row = Mailbox.objects.filter(pk=batch.mailbox or 0).first()
    if row is None:
        return
    args = RemoteOp.objects.get(pk=batch.ids[0]).args
    if batch.kind == CREATE:
        Mailbox.objects.filter(pk=row.pk, uidvalidity=None, total=0).update(phase=Mailbox.Phase.GONE)
    elif batch.kind == RENAME:
        owed = folders(row.account_id, besides=batch.ids)
        for box in Mailbox.objects.filter(account=row.account_id).exclude(phase=Mailbox.Phase.GONE):
            name = shown_name(owed.called(bytes(box.wire_name)), box.delimiter or None)
            Mailbox.objects.filter(pk=box.pk).exclude(name=name).update(name=name)
    elif batch.kind == REMOVE and "kept" in args and row.phase == Mailbox.Phase.GONE:
        reappear(row.pk, args["kept"])
    elif batch.kind == SUBSCRIBE and "was" in args:
        Mailbox.objects.filter(pk=row.pk).update(subscribed=args["was"])


def _revert_flags(batch: Batch) -> None:
    pending = still_pending(batch.items, besides=batch.ids)
    _lock(batch.items)
    for (to_set, to_clear), placements in batch.marks().items():
        change(_BACK, [placements, [(to_set | to_clear) & ~pending.get(pk, 0) for pk in placements]])


def _revert_move(batch: Batch, placements: Iterable[Placement]) -> None:
    """Back to where the server still has them, unless the person has moved them on since.

    They are live again, should the destination have vanished from the server and its mail from view.
    """
    there = [row.pk for row in placements if row.mailbox_id == batch.destination and row.uid is None]
    if batch.mailbox is not None:
        _put_back(batch.mailbox, {pk: (batch.gen, batch.items[pk]) for pk in there})


def _revert_expunge(placements: Iterable[Placement]) -> None:
    """In sight again, under the numbers they have now."""
    by_box: dict[int, dict[int, Before]] = {}
    for row in placements:
        by_box.setdefault(row.mailbox_id, {})[row.pk] = (row.gen, row.uid)
    for box, before in by_box.items():
        _put_back(box, before)


def _put_back(box: int, before: Mapping[int, Before]) -> None:
    """Live again; hidden with their folder when the server no longer has that, and it is not only deleted here."""
    put_back(box, before)
    deleted_here = RemoteOp.objects.filter(mailbox=box, kind=REMOVE, state__in=_OPEN)
    if Mailbox.objects.filter(pk=box, phase=Mailbox.Phase.GONE).exists() and not deleted_here.exists():
        Placement.objects.filter(pk__in=before).update(state=Placement.State.GONE, gone_at=timezone.now())


def _refresh(boxes: Collection[int], threads: Collection[int]) -> None:
    if threads:
        refresh_lines(boxes, threads)
        refresh_threads(threads)


def _close(batch: Batch, state: str, words: str = "") -> None:
    RemoteOp.objects.filter(pk__in=batch.ids).update(state=state, error=words[:500], finished_at=timezone.now())


def _lock(placements: Iterable[int]) -> None:
    """Holds the rows in order of id, so that two writers queue and never cross."""
    change(_LOCK, [sorted(placements)])
