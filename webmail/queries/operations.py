"""Counts for the operator's overview: sending, what waits for the mail servers, how much is kept. Never any content."""

from datetime import timedelta

from django.db import connection
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

from accounts.queries.overview import MailFigures
from webmail.models import Mailbox, Outgoing, RemoteOp

State = Outgoing.State
_WAITING = (State.QUEUED, State.SENDING, State.DEFERRED)
_REFUSED = (State.FAILED, State.PARTIAL, State.UNKNOWN)


def mail_figures() -> MailFigures:
    """The figures as they stand now."""
    now = timezone.now()
    scheduled = Q(state=State.QUEUED, scheduled=True)
    sends = Outgoing.objects.aggregate(
        waiting=Count("pk", filter=Q(state__in=_WAITING) & ~scheduled),
        refused=Count("pk", filter=Q(state__in=_REFUSED)),
        scheduled=Count("pk", filter=scheduled),
    )
    waiting = RemoteOp.objects.filter(state__in=(RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT))
    changes = waiting.aggregate(count=Count("pk"), first=Min("created_at"))
    by_hour = _sent_by_hour()
    return MailFigures(
        sent=sum(by_hour),
        waiting=sends["waiting"],
        refused=sends["refused"],
        scheduled=sends["scheduled"],
        sent_by_hour=by_hour,
        changes=changes["count"],
        oldest_change=now - changes["first"] if changes["first"] else None,
        messages=Mailbox.objects.filter(label="").aggregate(total=Sum("total"))["total"] or 0,
        octets=_octets(),
    )


def _sent_by_hour() -> tuple[int, ...]:
    """Messages accepted in each of the last 24 hours of the clock, the oldest first, the running hour last."""
    first = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    rows = Outgoing.objects.filter(sent_at__gte=first).annotate(hour=TruncHour("sent_at")).values("hour")
    counts = {row["hour"]: row["n"] for row in rows.annotate(n=Count("pk")).order_by()}
    return tuple(counts.get(first + timedelta(hours=hour), 0) for hour in range(24))


def _octets() -> int:
    """What the database takes; raw messages and attachments lie in storage beside it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
