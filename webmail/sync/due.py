"""What is due, found in Postgres: the schedule that nothing can lose.

Invariants: an account is claimed by marking it queued, under SKIP LOCKED, so that any number of dispatchers may run; a
claim whose job got lost (Redis was flushed, the worker died) is repeated after a while; nothing here talks to a server.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import MailAccount
from webmail.jobs import Job, enqueue
from webmail.models import BulkJob, Draft, Mailbox, MailMerge, MessageBody, Outgoing, Unsubscription

CLAIM_LASTS = timedelta(seconds=60)  # a queued job that nobody took up by then is queued again
WANTED_AGAIN = timedelta(seconds=10)
WANTED_AT_MOST = timedelta(minutes=10)
BULK_AGAIN = timedelta(seconds=10)
DRAFT_IDLE = timedelta(seconds=10)
DRAFT_AT_MOST = timedelta(days=7)
AT_ONCE = 200
# Jobs that put themselves off by a few seconds, while the account is busy: a repeat sooner than the usual is no double.
SOONER = {Job.FILE_SENT: 5.0, Job.REMIND: 5.0}
NEVER = float("inf")

Enqueue = Callable[..., bool]

_CLAIM = """
UPDATE accounts_mailaccount SET queued_at = now() WHERE id IN (
    SELECT a.id FROM accounts_mailaccount a
    JOIN accounts_user u ON u.id = a.user_id AND u.is_active
    JOIN accounts_organisation o ON o.id = a.organisation_id AND o.suspended_at IS NULL
    WHERE a.next_run_at <= now() AND a.state NOT IN ('refused', 'paused', 'suspended')
      AND (a.lease_expires_at IS NULL OR a.lease_expires_at < now())
      AND (a.queued_at IS NULL OR a.queued_at < now() - make_interval(secs => %s))
    ORDER BY a.next_run_at LIMIT %s FOR UPDATE OF a SKIP LOCKED)
RETURNING id
"""


_CLAIM_CARDS = """
UPDATE accounts_cardserver SET queued_at = now() WHERE id IN (
    SELECT s.id FROM accounts_cardserver s
    JOIN accounts_user u ON u.id = s.user_id AND u.is_active
    LEFT JOIN accounts_organisation o ON o.id = u.organisation_id
    WHERE s.removed_at IS NULL AND s.next_run_at <= now() AND s.state <> 'refused' AND o.suspended_at IS NULL
      AND (s.lease_expires_at IS NULL OR s.lease_expires_at < now())
      AND (s.queued_at IS NULL OR s.queued_at < now() - make_interval(secs => %s))
    ORDER BY s.next_run_at LIMIT %s FOR UPDATE OF s SKIP LOCKED)
RETURNING id
"""


def claim_card_servers() -> list[int]:
    """Address book servers to sync now; claimed as accounts are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM_CARDS, [CLAIM_LASTS.total_seconds(), AT_ONCE])
        return [row[0] for row in cursor.fetchall()]


def claim_accounts() -> list[int]:
    """Accounts to sync now; each is given out once a minute at most until a worker takes it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [CLAIM_LASTS.total_seconds(), AT_ONCE])
        return [row[0] for row in cursor.fetchall()]


def due_outgoing() -> list[int]:
    """Messages whose time to be sent has come, those deferred included."""
    due = Outgoing.objects.filter(
        state__in=[Outgoing.State.QUEUED, Outgoing.State.DEFERRED],
        send_after__lte=timezone.now(),
        user__is_active=True,
        account__organisation__suspended_at=None,
    ).exclude(account__state=MailAccount.State.SUSPENDED)
    return list(due.order_by("send_after").values_list("pk", flat=True)[:AT_ONCE])


def due_filings() -> list[int]:
    """Sent messages whose copy in Sent is to be filed or looked for, or looked at again.

    Accounts in trouble are left to the sync.
    """
    now = timezone.now()
    here = Q(account__protocol=MailAccount.Protocol.POP3)
    due = Outgoing.objects.filter(
        here | Q(account__state__in=[MailAccount.State.WORKING, MailAccount.State.NEW]),
        Q(filing=Outgoing.Filing.WAITING, sent_at__isnull=False) | Q(filed_uid__isnull=False),
        filing_after__lte=now,
        user__is_active=True,
        account__organisation__suspended_at=None,
    )
    return list(due.order_by("filing_after").values_list("pk", flat=True)[:AT_ONCE])


def due_drafts() -> list[int]:
    """Drafts whose copy on the server is behind or in the wrong place, or that left older copies, once typing has
    stopped; accounts in trouble are left to the sync.
    """
    now = timezone.now()
    astray = Q(remote_uid__isnull=False, account__protocol=MailAccount.Protocol.POP3)
    behind = Q(closed_at=None, remote_revision__lt=F("revision"), account__protocol=MailAccount.Protocol.IMAP)
    leaving = Q(closed_at__isnull=False, remote_uid__isnull=False) | ~Q(superseded_uids=[])
    working = Q(account__state__in=[MailAccount.State.WORKING, MailAccount.State.NEW])
    due = Draft.objects.filter(
        Q(closed_at__isnull=False) | Q(updated_at__lte=now - DRAFT_IDLE),
        Q(copy_after=None) | Q(copy_after__lte=now),
        behind | leaving | astray,
        working & Q(account__mailboxes__role=Mailbox.Role.DRAFTS),
        Q(updated_at__gte=now - DRAFT_AT_MOST) | Q(closed_at__gte=now - DRAFT_AT_MOST),
        user__is_active=True,
        account__organisation__suspended_at=None,
    )
    return list(due.order_by("updated_at").values_list("pk", flat=True).distinct()[:AT_ONCE])


def forgotten_bodies() -> list[int]:
    """Bodies somebody waits for and no worker has brought."""
    now = timezone.now()
    due = MessageBody.objects.filter(
        state=MessageBody.State.WANTED,
        wanted_at__lte=now - WANTED_AGAIN,
        wanted_at__gte=now - WANTED_AT_MOST,
    )
    return list(due.values_list("pk", flat=True)[:AT_ONCE])


def forgotten_bulk() -> list[int]:
    """Jobs on very many messages that no worker goes on with."""
    due = BulkJob.objects.filter(
        state__in=[BulkJob.State.RUNNING, BulkJob.State.UNDOING], worked_at__lte=timezone.now() - BULK_AGAIN
    )
    return list(due.values_list("pk", flat=True)[:AT_ONCE])


def forgotten_unsubscriptions() -> list[int]:
    """Lists that a person wants asked and no worker has asked yet."""
    due = Unsubscription.objects.filter(
        state=Unsubscription.State.WAITING, changed_at__lte=timezone.now() - WANTED_AGAIN
    )
    return list(due.values_list("pk", flat=True)[:AT_ONCE])


def due_reminders() -> list[int]:
    """Sent messages whose time to be answered is over."""
    due = Outgoing.objects.filter(remind_at__lte=timezone.now(), user__is_active=True)
    return list(due.order_by("remind_at").values_list("pk", flat=True)[:AT_ONCE])


def forgotten_merges() -> list[int]:
    """Tables of which no worker makes messages any more."""
    due = MailMerge.objects.filter(state=MailMerge.State.RUNNING, worked_at__lte=timezone.now() - BULK_AGAIN)
    return list(due.filter(user__is_active=True).order_by("worked_at").values_list("pk", flat=True)[:AT_ONCE])


class Repeats:
    """Keeps a job from being queued every second while it waits or runs."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last: dict[tuple[Job, int], float] = {}

    def fresh(self, job: Job, ids: list[int]) -> Iterator[int]:
        """Those not queued within the last seconds; the others are dropped."""
        now = self._clock()
        self._last = {
            key: at for key, at in self._last.items() if now - at < min(self._seconds, SOONER.get(key[0], NEVER))
        }
        for pk in ids:
            if (job, pk) not in self._last:
                self._last[job, pk] = now
                yield pk

    def forget(self, job: Job, pk: int) -> None:
        """It could not be queued: try again the next time."""
        self._last.pop((job, pk), None)


def dispatch(repeats: Repeats, *, put: Enqueue = enqueue) -> int:
    """Queues everything due; returns how many jobs. Raises DatabaseError."""
    count = 0
    for account_id in claim_accounts():
        count += put(Job.SYNC_ACCOUNT, account_id)
    for server_id in claim_card_servers():
        count += put(Job.SYNC_CARDS, server_id)
    for job, ids in (
        (Job.SEND, due_outgoing()),
        (Job.FILE_SENT, due_filings()),
        (Job.SAVE_DRAFT, due_drafts()),
        (Job.FETCH_BODY, forgotten_bodies()),
        (Job.BULK, forgotten_bulk()),
        (Job.UNSUBSCRIBE, forgotten_unsubscriptions()),
        (Job.REMIND, due_reminders()),
        (Job.MERGE, forgotten_merges()),
    ):
        for pk in repeats.fresh(job, ids):
            if put(job, pk):
                count += 1
            else:
                repeats.forget(job, pk)
    return count
