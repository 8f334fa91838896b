"""Where the messages of an operation are on the server now.

Invariants: a message is looked for by the UID it had, then where its placement is now, then by what it is; it counts as
lost only after a complete look at the mailbox, and while no earlier operation could still bring it there. A folder
deleted here is followed by nobody, so nothing can wait for it to become as it was (``Replaced``).
"""

from dataclasses import replace

from django.db.models import Q

from webmail.models import Mailbox, Placement, RemoteOp
from webmail.protocols.errors import CommandFailed
from webmail.protocols.values import Selected, UidSet
from webmail.sync import plan
from webmail.sync.mailbox import known_of, sync_mailbox
from webmail.sync.ops_plan import Batch
from webmail.sync.owed import departing
from webmail.sync.run import Run

Uids = dict[int, int | None]


class Replaced(Exception):
    """What is to be done in a folder before it is deleted cannot be done until the folder is followed again."""

    def __init__(self, box: Mailbox, words: str) -> None:
        super().__init__(words)
        self.mailbox = box.pk


ANOTHER_FOLDER = "another folder has this name on the server now"
MAIL_LEFT_IN = "mail that was to be kept could not be taken out of this folder"


def resolve(run: Run, batch: Batch, source: Mailbox) -> Uids | None:
    """Placement to its UID in the source, None where it is lost; None as a whole while that cannot be told yet.

    Where a mailbox has no stable UIDs (UIDVALIDITY 0), those of an earlier connection may be another message's now.
    Raises Replaced.
    """
    uids = source_uids(batch, source)
    unknown = [placement for placement, uid in uids.items() if uid is None]
    stable = source.uidvalidity != 0
    if not unknown and stable:
        return uids
    if _awaited(batch, source.account_id, [*unknown, *(pk for op in batch.ops for pk in op.sources)]):
        return None
    deleted = source.phase == Mailbox.Phase.GONE
    if deleted:
        select(run, source, read_only=True)  # before a look takes what is there now for the folder its owner meant
    sync_mailbox(run, source, None)
    source.refresh_from_db()
    read_again(batch)  # the look may have numbered them anew, and found them
    uids = source_uids(batch, source)
    complete = source.backfill_low is not None and source.backfill_low <= 1
    if complete or None not in uids.values():
        return uids
    if deleted:
        raise Replaced(source, MAIL_LEFT_IN)
    return None


def read_again(batch: Batch) -> None:
    """The UIDs of a claimed batch as its rows name them now."""
    rows = {row.pk: row for row in RemoteOp.objects.filter(pk__in=batch.ids)}
    batch.ops = [replace(op, gen=rows[op.id].gen, uids=tuple(rows[op.id].uids)) for op in batch.ops if op.id in rows]
    batch.gen = next((op.gen for op in batch.ops), batch.gen)


def source_uids(batch: Batch, source: Mailbox) -> Uids:
    """Each placement's UID in the source as it is numbered now; None where it is not known."""
    here = Placement.objects.filter(mailbox=source.pk, gen=source.gen, uid__isnull=False)
    now = dict(here.filter(pk__in=batch.items).values_list("pk", "uid"))
    found: Uids = {
        placement: (uid if batch.gen == source.gen else None) or now.get(placement)
        for placement, uid in batch.items.items()
    }
    unknown = [placement for placement, uid in found.items() if uid is None]
    if unknown:
        messages = dict(Placement.objects.filter(pk__in=unknown).values_list("message_id", "pk"))
        same = here.filter(message__in=messages).exclude(state=Placement.State.GONE).order_by("-uid")
        found |= {messages[message]: uid for message, uid in same.values_list("message_id", "uid")}
    return found


def _awaited(batch: Batch, account_id: int, placements: list[int]) -> bool:
    """Whether an earlier open operation is about these messages."""
    earlier = RemoteOp.objects.filter(
        Q(state=RemoteOp.State.QUEUED) | Q(state=RemoteOp.State.INFLIGHT),
        account=account_id,
        pk__lt=min(batch.ids),
        placements__overlap=placements,
    )
    return earlier.exists()


def present(run: Run, uids: Uids) -> dict[int, int]:
    """Those whose UID the selected mailbox still has."""
    named = {placement: uid for placement, uid in uids.items() if uid}
    if not named:
        return {}
    here: UidSet = run.session.search_uids(min(named.values()), max(named.values()))
    return {placement: uid for placement, uid in named.items() if uid in here}


def arrived(run: Run, batch: Batch, destination: Mailbox) -> set[int]:
    """Placements of the batch that a look at the destination has given a UID there, or the operation that takes them
    on from there; also what is out of view, with its folder or since it went again: it came there all the same.
    """
    sync_mailbox(run, destination, None)
    destination.refresh_from_db()
    rows = Placement.objects.filter(pk__in=batch.items, mailbox=destination.pk, gen=destination.gen, uid__isnull=False)
    onwards = departing(destination.account_id, destination.pk, destination.gen)
    return set(rows.values_list("pk", flat=True)) | (set(onwards.values()) & batch.items.keys())


def select(run: Run, box: Mailbox, *, read_only: bool = False) -> Selected | None:
    """The mailbox, open for writing; None while its numbering is not the one we hold, or another mailbox has its name:
    the next pass settles that.

    Raises CommandFailed, also for a mailbox that is open for reading only; Replaced for one that is deleted here, which
    no pass looks at.
    """
    selected = run.session.selected
    name = bytes(box.wire_name)
    if selected is None or selected.wire_name != name or (selected.read_only and not read_only):
        selected = run.session.select(name, read_only=read_only)
    if selected.read_only and not read_only:
        raise CommandFailed("the mailbox is read-only", code="READ-ONLY", permanent=True)
    if not plan.other(known_of(box), selected):
        return selected
    if box.phase == Mailbox.Phase.GONE:
        raise Replaced(box, ANOTHER_FOLDER)
    return None
