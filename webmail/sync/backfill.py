"""Older messages, newest first, window by window, one mailbox after the other so that none starves.

Invariants: ``backfill_low`` moves in the transaction that holds the window's rows, and never past a UID that is neither
stored nor proven absent, so a killed worker repeats at most one window; new mail goes before old: a wake-up ends the
backfill, and the next pass takes it up again.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from django.db import DataError
from django.db.models import F, Sum
from django.utils import timezone

from accounts.models import MailAccount
from webmail.models import Mailbox
from webmail.protocols.values import BadRow, Selected, UidSet
from webmail.sync import failpoints, plan, vanish
from webmail.sync.ahead import ahead
from webmail.sync.apply import Outcome, replayed, store
from webmail.sync.fetch import insist, spot_of, store_singly
from webmail.sync.lease import guarded
from webmail.sync.mailbox import finish, open_mailbox, unreadable_set_aside
from webmail.sync.rows import Incoming, incoming
from webmail.sync.run import Run
from webmail.sync.sql import change

TURN = 10  # windows of one mailbox before the next one has its turn
LISTED = 20  # windows whose UIDs one search lists
_ORDER: dict[str, int] = {"inbox": 0, "sent": 1, "drafts": 1, "archive": 2, "junk": 8, "trash": 9}


@dataclass(slots=True)
class Window:
    """What a window brought. ``low`` is how far down it reaches; ``missing`` the server listed and did not send."""

    low: int
    rows: list[Incoming] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    missing: UidSet = field(default_factory=UidSet)


@dataclass(slots=True)
class Pace:
    """How many messages the next window should hold; the writer sets it, the reader looks."""

    rows: int = plan.WINDOW_START


def unfinished(account_id: int) -> list[Mailbox]:
    """Mailboxes that have begun and not come down to their oldest message, the most looked-at first.

    Not one whose numbering does not last: its newest messages are followed, its older ones stay as they were read. One
    that could not be read waits until a look has found it well.
    """
    rows = Mailbox.objects.filter(account=account_id, backfill_low__gt=1, failures=0).exclude(
        phase__in=[Mailbox.Phase.GONE, Mailbox.Phase.UNSELECTABLE]
    )
    lasting = [box for box in rows if not box.unstable]
    return sorted(lasting, key=lambda box: (_ORDER.get(box.role, 5), box.pk))


def backfill(run: Run) -> bool:
    """Works until nothing is left, the time slice ends or somebody asks for the account. True when more is left."""
    boxes = unfinished(run.account.pk)
    count_progress(run, boxes)
    run.begin_counting()
    while boxes:
        for box in list(boxes):
            with unreadable_set_aside(run, box) as trouble:
                if not _turn(run, box) or (box.backfill_low or 1) <= 1:
                    boxes.remove(box)
            if trouble:
                boxes.remove(box)
            if run.over or run.woken:
                return bool(boxes)
    count_progress(run, [])
    return False


def _turn(run: Run, box: Mailbox) -> bool:
    """A few windows of one mailbox; False when it cannot be opened or begins a new numbering in the next pass."""
    gen, pace = box.gen, Pace()
    seen = open_mailbox(run, box)
    if seen is None or box.gen != gen:
        return False
    held: Window | None = None
    with closing(ahead(islice(_windows(run, box, seen, pace), TURN))) as windows:
        for window in windows:
            if window.missing:
                held = window
                break
            began = run.clock()
            _write(run, box, window)
            pace.rows = plan.next_rows(pace.rows, seconds=run.clock() - began)
            if run.over or run.woken:
                break
    if held is not None:  # the session is ours again: ask for what did not come before going on
        insist(run, box, held.missing, held.bad)
        _write(run, box, held)
    return True


def _windows(run: Run, box: Mailbox, seen: Selected, pace: Pace) -> Iterator[Window]:
    """Windows downwards from where the backfill stands. Runs beside the writer: no database here."""
    top = (box.backfill_low or 1) - 1
    while top >= 1:
        width = plan.window_width(exists=seen.exists, uidnext=seen.uidnext, rows=pace.rows * LISTED)
        span = UidSet.span(max(1, top - width + 1), top)
        left = run.session.search_uids(span.lowest, span.highest)
        if not left:
            yield Window(low=span.lowest)
        while left:
            piece = next(plan.newest_first(left, pace.rows))
            left = left - piece
            yield _read(run, piece, low=piece.lowest if left else span.lowest)
        top = span.lowest - 1


def _read(run: Run, piece: UidSet, *, low: int) -> Window:
    window = Window(low)
    for row in run.session.fetch_headers(piece, believe=True):
        if isinstance(row, BadRow):
            if row.uid is not None:
                window.bad[row.uid] = row.reason
        else:
            window.rows.append(incoming(run.account.pk, row, now=run.now))
    window.missing = piece - UidSet.collect(row.uid for row in window.rows)
    return window


def _write(run: Run, box: Mailbox, window: Window) -> None:
    """The rows, the cursor and the progress, in one transaction."""
    failpoints.reach("before batch")
    rate, account_rate = run.count(box.pk, len(window.rows))
    now = timezone.now()

    def work() -> Outcome:
        change("SET LOCAL synchronous_commit TO off", [])  # what a crash of Postgres loses is fetched again
        outcome = store(spot_of(box), window.rows)
        columns = {"backfill_low": window.low, "last_sync_at": run.now, "rate": rate, "rate_at": now}
        finish(box, columns, low=window.low)
        MailAccount.objects.filter(pk=run.account.pk).update(
            progress_done=F("progress_done") + len(window.rows), progress_rate=account_rate, progress_at=now
        )
        return outcome

    try:
        changed = replayed(run.lease, work).changed
    except DataError:
        changed = store_singly(run, box, window.rows)
        window.rows = []
        replayed(run.lease, work)
    failpoints.reach("after batch")
    if changed or window.low <= 1:
        run.tell(box.pk)


def count_progress(run: Run, open_boxes: Sequence[Mailbox]) -> None:
    """How much of the account is here, for the progress shown to its owner; all of it without open mailboxes."""
    boxes = Mailbox.objects.filter(account=run.account.pk, label="").exclude(
        phase__in=[Mailbox.Phase.GONE, Mailbox.Phase.UNSELECTABLE]
    )
    total = boxes.aggregate(all=Sum("exists_count"))["all"] or 0
    lacking = sum(max(box.exists_count - vanish.stored_count(spot_of(box)), 0) for box in open_boxes)
    with guarded(run.lease):
        MailAccount.objects.filter(pk=run.account.pk).update(
            progress_total=total, progress_done=max(total - lacking, 0), progress_since=run.now
        )
