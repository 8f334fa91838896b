"""An action on very many messages: its first part at once, so that the page shows it, the rest by a worker.

Invariants: what was meant is settled when the person acts, so mail that arrives meanwhile is left alone; each part is
one transaction and one Action; the mail server is told when all parts are done, in as few commands as can be; Undo
stops what is under way and takes back the parts that were done, newest mail first.
"""

import time
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Action, BulkJob, Mailbox, RemoteOp

from . import intents, ops, targets
from . import undo as undoing
from .mailboxes import NotPossible

PART = 500  # messages in one transaction
SLICE_SECONDS = 20.0
State = BulkJob.State

_VISIBLE = """
SELECT coalesce(array_agg(p.id ORDER BY p.received_at DESC, p.id DESC), '{}') FROM webmail_placement p
WHERE p.mailbox_id = %s AND p.state = 0 AND p.flags & 32 = 0
"""
# a star on a conversation sits on its newest message
_NEWEST = """
SELECT coalesce(array_agg(id ORDER BY received_at DESC, id DESC), '{}') FROM (
    SELECT DISTINCT ON (p.thread_id) p.id, p.received_at FROM webmail_placement p
    WHERE p.mailbox_id = %s AND p.state = 0 AND p.flags & 32 = 0
    ORDER BY p.thread_id, p.received_at DESC, p.id DESC) newest
"""


def wanted(box: Mailbox) -> bool:
    """Whether acting on all of this mailbox is too much for one transaction."""
    return box.total > PART


@transaction.atomic
def begin(user: User, kind: str, box: Mailbox, destination: Mailbox | None = None, *, keyword: str = "") -> Action:
    """Everything visible in the mailbox: the newest part is done on return, the rest is a worker's."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST if kind == "star" and user.conversations else _VISIBLE, [box.pk])
        placements = cursor.fetchone()[0]
    job = _job(user, kind, placements, mailbox=box, destination=destination, keyword=keyword)
    _go_on(job)
    return job.action


@transaction.atomic
def begin_with(user: User, kind: str, placements: Sequence[int], *, keyword: str, instead: str = "") -> Action:
    """A label of these messages, wherever they lie, comes, goes or gives way to another; as ``begin``."""
    job = _job(user, kind, placements, keyword=keyword, instead=instead)
    _go_on(job)
    return job.action


def _job(user: User, kind: str, placements: Sequence[int], **columns: Mailbox | str | None) -> BulkJob:
    total = len(placements)
    action = Action.objects.create(user=user, kind=kind, count=total)
    return BulkJob.objects.create(
        action=action, user=user, kind=kind, placements=list(placements), total=total, **columns
    )


def advance(job_id: int, *, seconds: float = SLICE_SECONDS) -> bool:
    """Does parts until none is left (False) or the time is up (True). Two workers do not meet on one job."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if not ops.done_again(lambda: _next(job_id)):
            return False
    return True


def _next(job_id: int) -> bool:
    open_jobs = BulkJob.objects.filter(state__in=[State.RUNNING, State.UNDOING]).defer("placements")
    job = open_jobs.select_for_update(skip_locked=True, of=("self",)).filter(pk=job_id).first()
    return job is not None and _go_on(job)


def _go_on(job: BulkJob) -> bool:
    """One part forwards or backwards; True while the job has more."""
    with ops.telling_nobody():
        left = _part(job) if job.state == State.RUNNING else _part_back(job)
    if not left:
        job.state = State.ENDED
        for account in _told(job):
            ops.wake(account)
    job.worked_at = timezone.now()
    job.save(update_fields=["done", "state", "worked_at"])
    if left:
        enqueue_on_commit(Job.BULK, job.pk)
    return left


def _part(job: BulkJob) -> bool:
    chunk = _slice(job)
    scope = targets.visible(job.user) if job.mailbox is None else targets.in_mailbox(job.user, job.mailbox)
    if spots := targets.lock(scope.filter(pk__in=chunk)):
        part = intents.perform(job.user, job.kind, spots, job.destination, keyword=job.keyword, instead=job.instead)
        Action.objects.filter(pk=part.pk).update(whole=job.action_id)
    job.done += len(chunk)
    return job.done < job.total


def _told(job: BulkJob) -> list[int]:
    """The accounts whose servers now owe something."""
    if job.mailbox is not None:
        return [job.mailbox.account_id]
    parts = RemoteOp.objects.filter(action__user=job.user, state=RemoteOp.State.QUEUED)
    return list(parts.order_by().values_list("account", flat=True).distinct())


def _slice(job: BulkJob) -> list[int]:
    """The next ids, without bringing all of them here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT placements[%s:%s] FROM webmail_bulkjob WHERE id = %s", [job.done + 1, job.done + PART, job.pk]
        )
        found: list[int] = cursor.fetchone()[0]
        return found


def _part_back(job: BulkJob) -> bool:
    parts = Action.objects.filter(whole=job.action_id, undone_at=None).order_by("created_at")
    part = parts.first()
    if part is not None:
        try:
            undoing.undo(job.user, part)
        except NotPossible:  # it stays as it is; the others are taken back all the same
            Action.objects.filter(pk=part.pk).update(undone_at=timezone.now())
    return parts.exists()
