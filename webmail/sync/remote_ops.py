"""Replays on the server what people did here, in order, idempotently.

Invariants: an operation is marked as begun in a committed transaction before its command is sent, with the
destination's UIDNEXT where the command makes new messages; one that was begun and never ended is looked for at its
destination before it is done again; marks are deltas, which can be repeated; nothing but named UIDs is ever expunged;
a refusal puts the rows back as the server has them and stays visible with the server's words, never silent.
RFC 9051 sections 6.4.6 to 6.4.9, RFC 4315, RFC 6851.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from webmail import live
from webmail.models import Mailbox, RemoteOp
from webmail.protocols.errors import CommandFailed, MailServerError
from webmail.sync import failpoints, ops_send, ops_settle
from webmail.sync.apply import replayed
from webmail.sync.ops_plan import APPEND, COPY, FOLDERS, KEYWORDS, MOVE, Batch, Held, Op, batches, free_to_run
from webmail.sync.ops_resolve import Replaced
from webmail.sync.run import Run

MOST_TRIES = 8
LONGEST_TRYING = timedelta(hours=24)
AT_ONCE = 400  # operations looked at in one go
_FINAL = frozenset(
    {"OVERQUOTA", "NOPERM", "READ-ONLY", "CANNOT", "NONEXISTENT", "TRYCREATE", "ALREADYEXISTS", "TOOBIG", "LIMIT"}
)
_PASSING = frozenset({"INUSE", "UNAVAILABLE", "SERVERBUG", "CONTACTADMIN"})  # of a folder, anything else is final


def replay(run: Run) -> bool:
    """Sends everything that is due. Returns whether anything was sent. Raises MailServerError when the line breaks."""
    sent = False
    while due := _due(run):
        if not _in_order(run, batches(due)):
            return sent
        sent = True
    return sent


def _in_order(run: Run, due: Sequence[Batch]) -> bool:
    """Carries out batches; what has to wait holds up what comes later about the same messages."""
    moved = False
    held = Held()
    for batch in due:
        ops = list(batch.ops)
        if not any(held.keeps(op) for op in ops) and _carry_out(run, batch):
            moved = True
            continue
        for op in ops:
            held.add(op)
    return moved


def _due(run: Run) -> list[Op]:
    now = timezone.now()
    rows = list(RemoteOp.objects.filter(account=run.account.pk, state__in=_OPEN).order_by("id")[:AT_ONCE])
    waiting = {row.pk for row in rows if row.not_before is not None and row.not_before > now}
    return free_to_run([_value(row) for row in rows], waiting)


_OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)


def _value(row: RemoteOp) -> Op:
    return Op(
        id=row.pk,
        kind=row.kind,
        mailbox=row.mailbox_id,
        gen=row.gen,
        destination=row.destination_id,
        placements=tuple(row.placements),
        uids=tuple(row.uids),
        set_flags=row.set_flags,
        clear_flags=row.clear_flags,
        inflight=row.state == RemoteOp.State.INFLIGHT,
        sources=tuple(row.args.get("sources", ())),
        add=tuple(row.args["add"]) if row.kind == KEYWORDS else (),
        remove=tuple(row.args["remove"]) if row.kind == KEYWORDS else (),
    )


def _carry_out(run: Run, batch: Batch) -> bool:
    """One batch from claim to outcome; False when it could not run now and nothing changed."""
    source = _mailbox(batch.mailbox)
    destination = _mailbox(batch.destination)
    if (batch.mailbox and source is None) or (batch.destination and destination is None):
        _refuse(run, batch, "the mailbox is gone")
        return True
    try:
        dest_uidnext = _uidnext(run, destination) if batch.kind in (MOVE, COPY, APPEND) else None
        batch.ops = _claim(run, batch, destination, dest_uidnext)
        if not batch.ops:
            return True  # taken back meanwhile
        failpoints.reach("op claimed")
        settle = ops_send.SENDERS[batch.kind](run, batch, source, destination)
    except CommandFailed as error:
        return _failed(run, batch, error)
    except MailServerError:
        raise
    except Replaced as error:
        _keep_folder(run, error)
        _put_off(run, batch, "waits for its messages", wait=False)
        return False
    except ValueError:  # the gate let an argument not out; left where it is, it would stop every pass to come
        _refuse(run, batch, "this cannot be said to a mail server")
        return True
    if settle is None:
        _put_off(run, batch, "waits for its messages")
        return False
    failpoints.reach("op sent")
    boxes = replayed(run.lease, settle)
    for box in boxes:
        run.tell(box)
    return True


def _keep_folder(run: Run, why: Replaced) -> None:
    """The folder was deleted here, and cannot be there before something else is done: that is refused. So passes follow
    the folder again, and what they find there decides.
    """
    removals = RemoteOp.objects.filter(mailbox=why.mailbox, kind=RemoteOp.Kind.REMOVE, state__in=_OPEN).order_by("id")
    for row in removals:
        _refuse(run, Batch(row.kind, row.mailbox_id, row.gen, None, [_value(row)]), str(why))


def _mailbox(pk: int | None) -> Mailbox | None:
    """The mailbox, also one its owner deleted here and the server still has; None when it is gone there."""
    if pk is None:
        return None
    removal = RemoteOp.objects.filter(mailbox=OuterRef("pk"), kind=RemoteOp.Kind.REMOVE, state__in=_OPEN)
    there = ~Q(phase=Mailbox.Phase.GONE) | Exists(removal)
    return Mailbox.objects.filter(there, pk=pk).first()


def _uidnext(run: Run, destination: Mailbox | None) -> int | None:
    """The destination's UIDNEXT now: whatever a command puts there comes at or above it. 1 where it is of a numbering
    that we do not know.
    """
    if destination is None:
        return None
    selected = run.session.selected
    if selected is not None and selected.wire_name == bytes(destination.wire_name):
        run.session.unselect()
    status = run.session.status(bytes(destination.wire_name))
    known = destination.uidvalidity in (None, status.uidvalidity) and bool(status.uidvalidity)
    return status.uidnext or None if known else 1


def _claim(run: Run, batch: Batch, destination: Mailbox | None, dest_uidnext: int | None) -> list[Op]:
    """Marks the operations as begun, unless they were taken back. The first recorded UIDNEXT stands.

    They are read anew: the operation before may have told them their messages' UIDs.
    """

    def work() -> list[Op]:
        rows = RemoteOp.objects.select_for_update().filter(pk__in=batch.ids, state__in=_OPEN).order_by("id")
        found = []
        for row in rows:
            found.append(_value(row))
            batch.gen = row.gen
            row.state = RemoteOp.State.INFLIGHT
            row.attempts += 1
            if row.dest_uidnext is None and batch.kind == APPEND and destination is not None:
                row.gen = destination.gen  # the numbering that UIDNEXT is of
            row.dest_uidnext = row.dest_uidnext or dest_uidnext
            row.save(update_fields=["state", "attempts", "dest_uidnext", "gen"])
        return found

    return replayed(run.lease, work)


def _failed(run: Run, batch: Batch, error: CommandFailed) -> bool:
    """The server refused: for good, or for now."""
    final = error.permanent or error.code in _FINAL or (batch.kind in FOLDERS and error.code not in _PASSING)
    if final or not batch.ops:
        _refuse(run, batch, error.server_line)
        return True
    _put_off(run, batch, error.server_line, failed=True)
    return False


def _refuse(run: Run, batch: Batch, words: str) -> None:
    """Puts the rows back and keeps the operations in view."""
    boxes = replayed(run.lease, partial(ops_settle.revert, batch, words))
    for box in boxes:
        run.tell(box)
    live.publish(run.account.user_id, "account", account=run.account.pk)


def _put_off(run: Run, batch: Batch, words: str, *, failed: bool = False, wait: bool = True) -> None:
    """Later again, up to eight tries in a day; then it counts as refused.

    What a refused command did of several steps (COPY before STORE, long sets in parts) is looked for before it is sent
    again, as after a crash.
    """
    now = timezone.now()
    rows = list(RemoteOp.objects.filter(pk__in=batch.ids))
    hopeless = [row for row in rows if _hopeless(row.attempts, row.created_at, now)]
    if failed and hopeless:
        _refuse(run, batch, words)
        return

    begun = batch.uncertain or (failed and batch.kind in (MOVE, COPY))

    def work() -> None:
        for row in rows:
            pause = timedelta(seconds=min(15 * 2 ** min(row.attempts, 8), 3600))
            RemoteOp.objects.filter(pk=row.pk).update(
                state=RemoteOp.State.INFLIGHT if begun else RemoteOp.State.QUEUED,
                not_before=now + pause if wait else None,
                error=words[:500],
            )

    replayed(run.lease, work)


def _hopeless(attempts: int, created: datetime, now: datetime) -> bool:
    return attempts >= MOST_TRIES or now - created > LONGEST_TRYING


def next_due(account_id: int) -> datetime | None:
    """When the earliest open operation may run; None without one."""
    return (
        RemoteOp.objects.filter(Q(not_before__isnull=False), account=account_id, state__in=_OPEN)
        .order_by("not_before")
        .values_list("not_before", flat=True)
        .first()
    )


def open_mailboxes(account_id: int) -> set[int]:
    """Mailboxes that open operations are about: looked at early in a pass."""
    pairs: Sequence[tuple[int | None, int | None]] = list(
        RemoteOp.objects.filter(account=account_id, state__in=_OPEN).values_list("mailbox_id", "destination_id")
    )
    return {pk for pair in pairs for pk in pair if pk is not None}


Settle = Callable[[], set[int]]
