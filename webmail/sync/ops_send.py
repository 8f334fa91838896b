"""The commands of each kind of operation. Each sender returns what to write afterwards, or None to wait.

Invariants: no transaction is open here; a sender that is repeated after a crash first finds out what the earlier one
achieved (``batch.uncertain``); a mark the mailbox does not keep is not sent, since some servers answer BAD for ever.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import IO, Any

from webmail import storage
from webmail.models import Flag, Mailbox, RemoteOp
from webmail.protocols.errors import CommandFailed
from webmail.protocols.values import Selected, UidSet
from webmail.sync import ops_folders, ops_resolve, ops_settle
from webmail.sync.label_names import on_the_wire
from webmail.sync.ops_plan import Batch
from webmail.sync.ops_resolve import select
from webmail.sync.owed import label_change, label_names
from webmail.sync.run import Run

_HIGHEST_UID = 2**32 - 1
Settle = Callable[[], set[int]]
Sender = Callable[[Run, Batch, Mailbox | None, Mailbox | None], Settle | None]


def send_flags(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """STORE of deltas, one command for each net change and as many UIDs as fit. A message that is gone needs none."""
    assert source is not None
    uids = ops_resolve.resolve(run, batch, source)
    selected = select(run, source) if uids is not None else None
    if uids is None or selected is None:
        return None
    unkept = 0
    for (to_set, to_clear), placements in batch.marks().items():
        targets = UidSet.collect(uid for placement in placements if (uid := uids.get(placement)))
        add, not_added = _kept(selected, to_set)
        remove, not_removed = _kept(selected, to_clear)
        unkept |= not_added | not_removed
        if targets and (add or remove):
            run.session.store_flags(targets, add=add, remove=remove)
    return partial(ops_settle.flags_done, batch, unkept=unkept)


def _kept(selected: Selected, bits: int) -> tuple[list[str], int]:
    """The flags this mailbox keeps, and the bits of those it would lose."""
    flags = [flag for flag in Flag if flag & bits]
    lost = 0
    for flag in flags:
        if not selected.keeps_flag(flag.wire):
            lost |= int(flag)
    return [flag.wire for flag in flags if not flag & lost], lost


def send_keywords(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """STORE of keyword deltas, as of flags. What the mailbox does not keep stays here and is not sent."""
    assert source is not None
    uids = ops_resolve.resolve(run, batch, source)
    selected = select(run, source) if uids is not None else None
    if uids is None or selected is None:
        return None
    changes = batch.keywords()
    words = {word for both in changes for part in both for word in part}
    unkept = {word.lower() for word in words if not selected.keeps_flag(word)}
    for (to_add, to_remove), placements in changes.items():
        targets = UidSet.collect(uid for placement in placements if (uid := uids.get(placement)))
        add, remove = ([word for word in part if word.lower() not in unkept] for part in (to_add, to_remove))
        if targets and (add or remove):
            run.session.store_flags(targets, add=add, remove=remove)
    return partial(ops_settle.keywords_done, batch, source, unkept=unkept)


def send_labels(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """STORE of label deltas, in the names the labels have now. A message that is gone needs none."""
    assert source is not None
    uids = ops_resolve.resolve(run, batch, source)
    if uids is None or select(run, source) is None:
        return None
    names = label_names(source.account_id)
    for row in RemoteOp.objects.filter(pk__in=batch.ids).order_by("pk"):
        add, remove = label_change(row.args, names)
        targets = UidSet.collect(uid for placement in row.placements if (uid := uids.get(placement)))
        if targets:
            run.session.store_labels(targets, add=on_the_wire(add), remove=on_the_wire(remove))
    return partial(ops_settle.labels_done, batch, source)


def send_move(run: Run, batch: Batch, source: Mailbox | None, destination: Mailbox | None) -> Settle | None:
    """MOVE of what is still in the source; what is not may have been moved by an earlier try."""
    assert source is not None
    assert destination is not None
    uids = ops_resolve.resolve(run, batch, source)
    if uids is None or select(run, source) is None:
        return None
    present = ops_resolve.present(run, uids)
    arrived: set[int] = set()
    if batch.uncertain or len(present) < len(uids):
        arrived = ops_resolve.arrived(run, batch, destination)
        if select(run, source) is None:
            return None
    copied = UidSet.collect(uid for placement, uid in present.items() if placement in arrived)
    if copied:  # an earlier COPY came through and its source was not removed yet
        run.session.store_flags(copied, add=[Flag.DELETED.wire])
        run.session.expunge(copied)
    to_move = {placement: uid for placement, uid in present.items() if placement not in arrived}
    landed: dict[int, int] = {}
    if to_move:
        result = run.session.move(UidSet.collect(to_move.values()), bytes(destination.wire_name))
        if result.uidvalidity == destination.uidvalidity:  # else the next look at the mailbox binds them
            landed = dict(result.uids)
    moved = ops_settle.Moved(
        bound={placement: landed[uid] for placement, uid in to_move.items() if uid in landed},
        lost=frozenset(uids.keys() - present.keys() - arrived),
        left=UidSet.collect(present.values()),
    )
    return partial(ops_settle.move_done, batch, source, destination, moved)


def send_copy(run: Run, batch: Batch, source: Mailbox | None, destination: Mailbox | None) -> Settle | None:
    """COPY of what has not arrived yet. The batch's placements are the copies, its UIDs those of their originals."""
    assert source is not None
    assert destination is not None
    uids = ops_resolve.resolve(run, batch, source)
    if uids is None:
        return None
    arrived = ops_resolve.arrived(run, batch, destination) if batch.uncertain else set()
    if select(run, source, read_only=True) is None:
        return None
    present = ops_resolve.present(run, uids)
    to_copy = {placement: uid for placement, uid in present.items() if placement not in arrived}
    landed: dict[int, int] = {}
    if to_copy:
        result = run.session.copy(UidSet.collect(to_copy.values()), bytes(destination.wire_name))
        if result.uidvalidity == destination.uidvalidity:  # else the next look at the mailbox binds them
            landed = dict(result.uids)
    moved = ops_settle.Moved(
        bound={placement: landed[uid] for placement, uid in to_copy.items() if uid in landed},
        lost=frozenset(uids.keys() - present.keys() - arrived),
        left=UidSet(),
    )
    return partial(ops_settle.move_done, batch, source, destination, moved)


def send_expunge(run: Run, batch: Batch, source: Mailbox | None, _: Mailbox | None) -> Settle | None:
    """\\Deleted on the named messages, and UID EXPUNGE of just these where the server can."""
    assert source is not None
    uids = ops_resolve.resolve(run, batch, source)
    if uids is None or select(run, source) is None:
        return None
    present = UidSet.collect(ops_resolve.present(run, uids).values())
    if present:
        run.session.store_flags(present, add=[Flag.DELETED.wire])
        run.session.expunge(present)
    return partial(ops_settle.done, batch)


def send_append(run: Run, batch: Batch, source: Mailbox | None, destination: Mailbox | None) -> Settle | None:
    """APPEND of a stored message, unless an earlier try's copy is there; ``args`` as sync.pop_copies writes them."""
    box = destination or source
    assert box is not None
    if batch.uncertain and select(run, box, read_only=True) is None:
        return None
    for row in RemoteOp.objects.filter(pk__in=batch.ids):
        args = row.args
        since = row.dest_uidnext or 1 if row.gen == box.gen else 1
        try:
            file = storage.open_file(args.get("stored_for", run.account.pk), args["digest"])
        except FileNotFoundError:
            raise CommandFailed("the message is no longer here", code="NONEXISTENT", permanent=True) from None
        with file:
            if batch.uncertain and _appended(run, args.get("message_id", ""), file, since=since):
                continue
            _append(run, box, file, args)
    return partial(ops_settle.done, batch)


def _append(run: Run, box: Mailbox, file: IO[bytes], args: dict[str, Any]) -> None:
    when = datetime.fromisoformat(args["internaldate"]) if args.get("internaldate") else None
    try:
        run.session.append(bytes(box.wire_name), file, flags=args.get("flags", ["\\Seen"]), internaldate=when)
    except ValueError:
        raise CommandFailed("the message holds NUL octets, which IMAP cannot carry", permanent=True) from None


def _appended(run: Run, message_id: str, file: IO[bytes], *, since: int) -> bool:
    """Whether an earlier APPEND of this message came through: by its Message-ID, or without one by its header. The
    mailbox is selected.
    """
    if message_id:
        return bool(run.session.search_message_id(f"<{message_id}>", since_uid=since))
    head = file.read(2**18).partition(b"\r\n\r\n")[0].strip()
    newer = run.session.search_uids(since, _HIGHEST_UID)
    return any(run.session.fetch_section(uid, "HEADER", max_bytes=2**18).strip() == head for uid in newer)


SENDERS: dict[str, Sender] = {
    RemoteOp.Kind.FLAGS: send_flags,
    RemoteOp.Kind.KEYWORDS: send_keywords,
    RemoteOp.Kind.LABELS: send_labels,
    RemoteOp.Kind.MOVE: send_move,
    RemoteOp.Kind.COPY: send_copy,
    RemoteOp.Kind.EXPUNGE: send_expunge,
    RemoteOp.Kind.APPEND: send_append,
    RemoteOp.Kind.CREATE: ops_folders.create,
    RemoteOp.Kind.RENAME: ops_folders.rename,
    RemoteOp.Kind.REMOVE: ops_folders.remove,
    RemoteOp.Kind.SUBSCRIBE: ops_folders.subscribe,
}
