"""Folders that are labels (Gmail, X-GM-EXT-1): which mailbox carries all messages, which ones are views over it.

Invariants: All Mail, Spam and Trash are read from the server, every other folder follows from the labels in All Mail;
while All Mail is hidden from IMAP folders are read plainly, as on any server; what a folder held before it became a
view stays in sight until All Mail has come down to its oldest message; a view whose number of messages is not the
server's has every label read again, since a label that is renamed elsewhere changes no message.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from webmail.models import Mailbox, Placement, RemoteOp
from webmail.models.cursors import FRESH_CURSORS
from webmail.models.label_views import carriers, rename_label
from webmail.models.summaries import refresh_lines
from webmail.protocols.values import ListedMailbox, MailboxStatus
from webmail.sync.apply import replayed
from webmail.sync.label_names import is_home, label_of
from webmail.sync.mailbox import save, sync_mailbox
from webmail.sync.run import Run
from webmail.sync.vanish import hide_mailbox, hide_plain

READ_AGAIN = timedelta(hours=24)  # for a folder that goes on counting otherwise than its label does
_FILL = 1000  # conversations summed up in one transaction

Phase = Mailbox.Phase


def hidden(listed: Iterable[ListedMailbox]) -> bool:
    """Whether a server with labels keeps All Mail from us: its owner chose so in Gmail's settings."""
    return not any(is_home(box) for box in listed)


def carried(listed: Sequence[ListedMailbox], rows: Sequence[Mailbox]) -> bool:
    """Whether All Mail is there; one that fails to be listed once is believed to come back."""
    return not hidden(listed) or any(row.labelled and row.phase != Phase.GONE for row in rows)


def columns(box: ListedMailbox, row: Mailbox | None, *, labelled: bool) -> dict[str, Any]:
    """The columns that say what a mailbox is to the labels. Leads an existing row over from what it was before."""
    home = labelled and is_home(box)
    label = label_of(box) if labelled else ""
    wanted: dict[str, Any] = {"labelled": home, "label": label}
    if row is None:
        return wanted
    if home and not row.labelled:  # its messages are here without their labels
        wanted |= {"highestmodseq": None, "full_flags_at": None}
    if row.label and label and row.label != label:
        rename_label(row, label)
    elif row.label and not label:
        Mailbox.objects.filter(pk=row.pk).update(label="")
        hide_mailbox(row.pk)
        Placement.objects.filter(mailbox=row, origin__isnull=False).delete()
        wanted |= {"phase": Phase.NEW, **FRESH_CURSORS}
    elif label and not row.label:
        wanted |= {"phase": Phase.INITIAL, "full_flags_at": None, "full_enum_at": None, "backfill_low": 1}
    return wanted


def taken_off(row: Mailbox) -> None:
    """The folder of a label is gone, and so is the label on every message."""
    if row.label:
        rename_label(row, "")


def follow(run: Run, home: Mailbox, views: Sequence[tuple[Mailbox, MailboxStatus | None]]) -> None:
    """After All Mail: new views are filled, what folders held before goes, counts are compared with the server's."""
    home.refresh_from_db()
    complete = home.backfill_low is not None and home.backfill_low <= 1
    for view, _ in views:
        if view.full_flags_at is None and home.backfill_low is not None:
            _fill(run, view)
        if complete and view.verified_high:
            replayed(run.lease, partial(hide_plain, view.pk))
            save(run, view, verified_high=0, highestmodseq=None)
            run.tell(view.pk)
        _save(run, view, phase=Phase.LIVE if complete else Phase.INITIAL, backfill_low=1)
    if complete and not _owed(run.account.pk):
        _compare(run, home, views)


def _fill(run: Run, view: Mailbox) -> None:
    """Messages that carried the label before its folder was seen."""
    threads = carriers(view)
    for start in range(0, len(threads), _FILL):
        replayed(run.lease, partial(refresh_lines, {view.pk}, threads[start : start + _FILL]))
    save(run, view, full_flags_at=run.now)
    run.tell(view.pk)


def _compare(run: Run, home: Mailbox, views: Sequence[tuple[Mailbox, MailboxStatus | None]]) -> None:
    """Views that count otherwise than the server have the labels read again, at most once a day each."""
    off = []
    totals = dict(Mailbox.objects.filter(account=run.account.pk).values_list("pk", "total"))
    for view, told in views:
        status = told or run.status(bytes(view.wire_name))
        if status is not None and status.messages != totals.get(view.pk):
            status = run.status(bytes(view.wire_name))  # what came with the listing may be older than our look
        if status is None:
            continue
        _save(run, view, uidvalidity=status.uidvalidity, uidnext=status.uidnext, exists_count=status.messages)
        if status.messages != totals.get(view.pk) and status.messages != _count(view) and _may_read(run, view):
            off.append(view)
    if off:
        save(run, home, highestmodseq=None, full_flags_at=None)
        sync_mailbox(run, home, None)
    for view in off:
        save(run, view, full_enum_at=run.now)


def _may_read(run: Run, view: Mailbox) -> bool:
    return view.full_enum_at is None or run.now - view.full_enum_at >= READ_AGAIN


def _count(view: Mailbox) -> int:
    return Placement.objects.filter(mailbox=view, state=Placement.State.LIVE).count()


def _save(run: Run, view: Mailbox, **columns: Any) -> None:
    """Writes what differs: most passes change nothing of most folders."""
    differing = {name: value for name, value in columns.items() if getattr(view, name) != value}
    if differing:
        save(run, view, **differing)


def _owed(account_id: int) -> bool:
    """Whether the server is still to learn of something: its counts are then older than ours."""
    open_ops = RemoteOp.objects.filter(account=account_id, state__in=[RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT])
    return open_ops.exists()
