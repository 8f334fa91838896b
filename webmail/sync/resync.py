"""Everything compared with the server again: asked for by a person, by a count that drifted, or by a week gone by.

Invariants: nothing is deleted first, and ids, bodies and addresses stay what they are; what is missing is fetched, what
is absent is hidden only when a new connection does not find it either; ``resync_low`` moves in the transaction that
ends its window, so a killed worker repeats one window; new mail goes before: a wake-up ends the comparison, and the
next pass takes it up again. RFC 9051 section 6.4.8.
"""

from datetime import datetime
from functools import partial
from itertools import islice

from django.db.models import F, Q
from django.utils import timezone

from accounts.models import MailAccount
from webmail.models import Mailbox, Placement
from webmail.models.summaries import refresh_counts
from webmail.protocols.values import FlagRow, UidSet
from webmail.sync import failpoints, plan, vanish
from webmail.sync.apply import replayed
from webmail.sync.fetch import fetch, spot_of, take
from webmail.sync.lease import guarded
from webmail.sync.mailbox import hide_proven, open_mailbox, save, unreadable_set_aside, witnessed
from webmail.sync.run import Run

TURN = 10  # windows of one mailbox before the next one has its turn
_ORDER: dict[str, int] = {"inbox": 0, "sent": 1, "drafts": 1, "archive": 2, "junk": 8, "trash": 9}


def wanted(account_id: int, now: datetime) -> list[Mailbox]:
    """Mailboxes to compare: asked for, begun, or not compared for a week; the most looked-at first. Views over labels
    are compared with what carries the labels. One that could not be read waits until a look has found it well.
    """
    due = Q(resync_asked_at__isnull=False) | Q(resynced_at__lt=now - plan.RESYNC_AFTER)
    rows = Mailbox.objects.filter(due, account=account_id, phase=Mailbox.Phase.LIVE, label="", failures=0)
    return sorted(rows, key=lambda box: (box.resync_asked_at is None, _ORDER.get(box.role, 5), box.pk))


def resync(run: Run) -> bool:
    """Works until nothing is left, the time slice ends or somebody asks for the account. True when more is left."""
    _ask_all(run)
    boxes = wanted(run.account.pk, run.now)
    run.begin_counting()
    while boxes:
        for box in list(boxes):
            with unreadable_set_aside(run, box) as trouble:
                if not _turn(run, box):
                    boxes.remove(box)
            if trouble:
                boxes.remove(box)
            if run.over or run.woken:
                return bool(boxes)
    return False


def _ask_all(run: Run) -> None:
    """What was asked for the account is asked of each mailbox; one that is still being read for the first time is
    left to that.
    """
    if run.account.resync_asked_at is None:
        return
    run.account.resync_asked_at = None
    with guarded(run.lease):
        MailAccount.objects.filter(pk=run.account.pk).update(resync_asked_at=None)
        boxes = Mailbox.objects.filter(account=run.account.pk, phase=Mailbox.Phase.LIVE, resync_asked_at=None)
        boxes.filter(label="").update(resync_asked_at=run.now)


def _turn(run: Run, box: Mailbox) -> bool:
    """A few windows of one mailbox; False when it is done, was called off, or cannot be opened now."""
    gen = box.gen
    if box.resync_low is None:
        asked = box.resync_asked_at or run.now
        save(run, box, resync_asked_at=asked, resync_low=box.verified_high + 1, resync_done=0)
    seen = open_mailbox(run, box)
    if seen is None or box.gen != gen:
        return False
    spans = plan.backfill_spans((box.resync_low or 1) - 1, exists=seen.exists, uidnext=seen.uidnext)
    for span in islice(spans, TURN):
        if not _compare(run, box, span):
            return False
        if run.over or run.woken:
            break
    if (box.resync_low or 1) > 1:
        return True
    replayed(run.lease, partial(_end, box))
    run.tell(box.pk)
    return False


def _compare(run: Run, box: Mailbox, span: UidSet) -> bool:
    """Makes one window and the server the same; False when the comparison was called off meanwhile."""
    spot = spot_of(box)
    server = run.session.search_uids(span.lowest, span.highest)
    stored = vanish.stored_uids(spot, span.lowest, span.highest)
    fetch(run, box, server - stored)
    again = server & _unfetchable(box, span)
    if again:
        take(run, box, run.session.fetch_headers(again, believe=True))
    if stored - server:
        hide_proven(run, box, witnessed(run, box, stored - server))
    _flags(run, box, server)
    failpoints.reach("before resync window")
    rate, _ = run.count(box.pk, len(server))
    columns = {"resync_low": span.lowest, "rate": rate, "rate_at": timezone.now()}

    def work() -> int:
        vanish.summarise_span(spot, span.lowest, span.highest)
        still = Mailbox.objects.filter(pk=box.pk, resync_asked_at__isnull=False)
        return still.update(resync_done=F("resync_done") + len(server), **columns)

    box.resync_low = span.lowest
    return bool(replayed(run.lease, work))


def _flags(run: Run, box: Mailbox, uids: UidSet) -> None:
    """All flags as the server has them now; what a person changed meanwhile stays."""
    rows = [row for row in run.session.fetch_flags(uids) if isinstance(row, FlagRow)] if uids else []
    for pk in replayed(run.lease, partial(vanish.change_flags, spot_of(box), rows))[0] if rows else ():
        run.tell(pk)


def _unfetchable(box: Mailbox, span: UidSet) -> UidSet:
    rows = Placement.objects.filter(mailbox=box.pk, gen=box.gen, state=Placement.State.UNFETCHABLE)
    uids = rows.filter(uid__range=(span.lowest, span.highest)).values_list("uid", flat=True)
    return UidSet.collect(uid for uid in uids if uid)


def _end(box: Mailbox) -> None:
    """The counters from the lines, and the date."""
    refresh_counts([box.pk])
    Mailbox.objects.filter(pk=box.pk).update(
        resync_asked_at=None, resync_low=None, resync_done=0, resynced_at=timezone.now()
    )
