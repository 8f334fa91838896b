"""One text to each person of a table: begun by the person, made by a worker row by row, stopped and taken back whole.

Invariants: a row becomes a message and is counted in one transaction, under the lock of the merge's row, so that a job
delivered twice or a worker that dies makes no row twice; each message goes through the same door as any other
(`outbox.submit`: limits, addresses, size); what does not pass is told with its row and does not stop the others.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from webmail import live
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.merge_tables import MergeTable, only_address
from webmail.models import Draft, MailMerge, Outgoing
from webmail.queries.merging import filled_row

from . import drafts, outbox, sending_limits

SLICE_SECONDS = 15.0
AT_LEAST = timedelta(seconds=30)  # to take all of it back, whatever the person's own time for one message is
MOST_OCTETS = 2**30  # of files in all messages together
State = MailMerge.State
_GONE = gettext_lazy("This message was sent or discarded already, perhaps in another window.")
_OF_ONE_ROW = {"to", ""}  # what keeps a message from being made for a reason that only its row has


def lay_beside(draft: Draft, table: MergeTable) -> MailMerge:
    """The table for this text, in place of an earlier one. Raises NotReady where that was begun, in another tab."""
    values = {
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "address_column": table.address_column,
        "total": len(table.rows),
    }
    with transaction.atomic():
        made, is_new = MailMerge.objects.select_for_update().get_or_create(
            draft=draft, defaults=values | {"user_id": draft.user_id}
        )
        if made.state != State.OPEN:
            raise outbox.NotReady({"": str(_GONE)})
        if not is_new:
            MailMerge.objects.filter(pk=made.pk).update(**values)
            made.refresh_from_db()
    return made


def choose_column(merge: MailMerge, column: int) -> None:
    """Which column says whom to write to."""
    MailMerge.objects.filter(pk=merge.pk, state=State.OPEN).update(address_column=column)


def put_aside(merge: MailMerge) -> None:
    """Nothing was begun: the text is a message like any other again."""
    MailMerge.objects.filter(pk=merge.pk, state=State.OPEN).delete()


@transaction.atomic
def begin(seen: MailMerge, *, send_after: datetime | None = None) -> None:
    """Raises NotReady, and nothing is begun: without a single address, or beyond what may be sent in an hour."""
    waiting = MailMerge.objects.select_for_update(of=("self",)).select_related("draft__account", "draft__identity")
    merge = waiting.filter(pk=seen.pk, state=State.OPEN, draft__closed_at=None).first()
    if merge is None:
        raise outbox.NotReady({"": str(_GONE)})
    draft = merge.draft
    if draft.identity is None or not draft.identity.is_usable or draft.account.outgoing is None:
        raise outbox.NotReady({"": _("Choose an address to write from.")})
    addressed = sum(bool(only_address(row[merge.address_column])) for row in merge.rows)
    if not addressed:
        raise outbox.NotReady({"": _("No row has an address in that column.")})
    copies, wrong = outbox.copies_to(draft)
    if wrong:
        raise outbox.NotReady({"": wrong})
    octets = drafts.total_size(draft) * addressed
    if octets > MOST_OCTETS:
        words = _("The files would be sent %(count)d times, %(size)d MB in all. Put them elsewhere and write where.")
        raise outbox.NotReady({"": words % {"count": addressed, "size": octets // 10**6}})
    try:
        sending_limits.check(draft.user, addressed * (1 + copies))
    except sending_limits.TooManyRecipients as refused:
        raise outbox.NotReady({"": str(refused)}) from None
    leaves = send_after or timezone.now() + max(AT_LEAST, timedelta(seconds=draft.user.undo_send_seconds))
    if not Draft.objects.filter(pk=draft.pk, closed_at=None).update(closed_at=timezone.now(), copy_after=None):
        raise outbox.NotReady({"": str(_GONE)})
    MailMerge.objects.filter(pk=merge.pk).update(
        state=State.RUNNING, send_after=leaves, scheduled=send_after is not None, worked_at=timezone.now()
    )
    enqueue_on_commit(Job.SAVE_DRAFT, merge.draft_id)
    enqueue_on_commit(Job.MERGE, merge.pk)


def advance(merge_id: int, *, seconds: float = SLICE_SECONDS) -> bool:
    """Makes messages until no row is left (False) or the time is up (True)."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if not _next(merge_id):
            return False
    return True


@transaction.atomic
def _next(merge_id: int) -> bool:
    running = MailMerge.objects.filter(pk=merge_id, state=State.RUNNING, user__is_active=True)
    merge = running.select_for_update(skip_locked=True, of=("self",)).select_related("draft__identity", "user").first()
    if merge is None:
        return False
    with _as_the_person(merge):
        why = _make(merge)
    if why:
        merge.skipped = [*merge.skipped, [merge.done + 1, why]]
    if merge.state == State.RUNNING:
        merge.done += 1
        merge.state = State.RUNNING if merge.done < merge.total else State.ENDED
    changed = ["done", "skipped", "state", "problem", "worked_at"]  # a whole table is not written with every row
    if merge.state == State.ENDED:
        merge.rows = []  # of no more use, and about other people
        changed.append("rows")
    merge.worked_at = timezone.now()
    merge.save(update_fields=changed)
    live.publish_on_commit(merge.user_id, "outbox")
    return merge.state == State.RUNNING


@contextmanager
def _as_the_person(merge: MailMerge) -> Iterator[None]:
    """Dates and words as they would be in their own browser."""
    with timezone.override(merge.user.time_zone or None), override(merge.user.language or None):
        yield


def _make(merge: MailMerge) -> str:
    """The message of the next row; why there is none, in words.

    What the next row would meet as well, as a limit of sending, stops the merge before this one.
    """
    row = filled_row(merge, merge.done)
    if not row.to:
        return _("“%s” is not one address.") % row.cell[:60] if row.cell else _("There is no address.")
    try:
        with transaction.atomic():
            draft = _copy(merge.draft, to=row.to, subject=row.subject, html=row.html, text=row.text)
            made = outbox.submit(draft, send_after=merge.send_after)
    except outbox.NotReady as refused:
        if refused.over_limit or not refused.errors.keys() <= _OF_ONE_ROW:
            merge.state, merge.problem = State.STOPPED, str(" ".join(refused.errors.values()))[:300]
            return ""
        return " ".join(refused.errors.values())[:300]
    Outgoing.objects.filter(pk=made.pk).update(merge=merge, scheduled=merge.scheduled)
    return ""


def _copy(source: Draft, **fields: str) -> Draft:
    """The text with its files and wishes for one person; never shown as a draft, since it is sent at once."""
    made = Draft.objects.create(
        user_id=source.user_id,
        account_id=source.account_id,
        identity=source.identity,
        sender=source.sender,
        cc="",
        bcc=source.bcc,
        plain=source.plain,
        receipt=source.receipt,
        report=source.report,
        remind_days=source.remind_days,
        **fields,
    )
    drafts.copy_uploads(source, made)
    return made


@transaction.atomic
def stop(merge: MailMerge) -> bool:
    """No further row becomes a message; what was made stays as it is."""
    return bool(MailMerge.objects.filter(pk=merge.pk, state=State.RUNNING).update(state=State.STOPPED, problem=""))


@transaction.atomic
def go_on(merge: MailMerge) -> bool:
    """The rows that are left."""
    changed = MailMerge.objects.filter(pk=merge.pk, state=State.STOPPED, done__lt=merge.total).update(
        state=State.RUNNING, problem="", worked_at=timezone.now()
    )
    if changed:
        enqueue_on_commit(Job.MERGE, merge.pk)
    return bool(changed)


@transaction.atomic
def take_back(merge: MailMerge) -> int:
    """Stops, and cancels every message of it that no worker has begun to send; how many those were.

    Where nothing at all has left, the text lies among the drafts again, its table beside it if rows were left to make.
    """
    merge = MailMerge.objects.select_for_update(of=("self",)).select_related("draft").get(pk=merge.pk)
    stop(merge)
    waiting = [Outgoing.State.QUEUED, Outgoing.State.DEFERRED, Outgoing.State.FAILED]
    mine = Outgoing.objects.filter(merge=merge.pk)
    count = mine.filter(state__in=waiting, claim=None, sent_at=None).update(state=Outgoing.State.CANCELLED)
    live.publish_on_commit(merge.user_id, "outbox")
    if merge.state != State.OPEN and not mine.exclude(state=Outgoing.State.CANCELLED).exists():
        _lay_back(merge)
    return count


def _lay_back(merge: MailMerge) -> None:
    """As it was before it was begun; a table of which all was made is not there any more and has to be chosen again."""
    draft = merge.draft
    if merge.rows:
        MailMerge.objects.filter(pk=merge.pk).update(state=State.OPEN, done=0, skipped=[], send_after=None, problem="")
    else:
        merge.delete()
    drafts.reopen(draft)
