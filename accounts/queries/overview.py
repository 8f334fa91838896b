"""The panel's figures: counts, spans and the accounts that need someone. Never mail content, never a credential."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Value, When
from django.utils import timezone

from accounts.models import AuditEvent, MailAccount, Organisation, User

from .audit_words import Act

State = MailAccount.State
NEEDS_SOMEONE = (State.PASSWORD_REFUSED, State.UNREACHABLE, State.THROTTLED, State.FAILING)
_NO_SYNC = (State.PASSWORD_REFUSED, State.PAUSED, State.SUSPENDED)
BUCKETS = (60, 300, 900, 1800, 3600)  # seconds since the last sync; the last bucket has no end


@dataclass(frozen=True, slots=True)
class MailFigures:
    """What only the mail half can count; `sent_by_hour` is the last 24 hours, the oldest first."""

    sent: int
    waiting: int
    refused: int
    scheduled: int
    sent_by_hour: tuple[int, ...]
    changes: int
    oldest_change: timedelta | None
    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class Lag:
    """Time since the last sync of the accounts that are synced: half and 95 % are within these; counts by BUCKETS."""

    half: timedelta
    most: timedelta
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    accounts: int
    by_state: dict[str, int]
    people: int
    organisations: int
    due: int
    overdue: timedelta | None
    running: int
    failed_sign_ins: int
    lag: Lag | None
    mail: MailFigures | None

    @property
    def need_someone(self) -> int:
        return sum(self.by_state.get(state, 0) for state in NEEDS_SOMEONE)


@dataclass(slots=True)
class _Registry:
    source: Callable[[], MailFigures] | None = None


_registry = _Registry()


def register_figures(source: Callable[[], MailFigures]) -> None:
    """Called once, when the mail half starts: where the figures come from that it alone can count."""
    _registry.source = source


def figures() -> Figures:
    """Everything the overview shows at its top, in a handful of queries whatever the number of accounts."""
    now = timezone.now()
    by_state = _by_state()
    held = Q(lease_expires_at__gt=now)  # a worker has taken them up: they are no longer in the queue
    due = synced().filter(next_run_at__lte=now).exclude(held).aggregate(n=Count("pk"), first=Min("next_run_at"))
    return Figures(
        accounts=sum(by_state.values()),
        by_state=by_state,
        people=User.objects.filter(is_active=True).count(),
        organisations=Organisation.objects.count(),
        due=due["n"],
        overdue=now - due["first"] if due["first"] else None,
        running=MailAccount.objects.filter(lease_expires_at__gt=now).count(),
        failed_sign_ins=AuditEvent.objects.filter(action=Act.SIGN_IN_FAILED, at__gt=now - timedelta(days=1)).count(),
        lag=_lag(now),
        mail=_registry.source() if _registry.source else None,
    )


def rail() -> dict[str, int]:
    """The counts beside the panel's pages."""
    return {
        "accounts": MailAccount.objects.count(),
        "people": User.objects.count(),
        "organisations": Organisation.objects.count(),
    }


def synced() -> QuerySet[MailAccount]:
    """Accounts that the dispatcher keeps in step."""
    return MailAccount.objects.filter(organisation__suspended_at=None, user__is_active=True).exclude(state__in=_NO_SYNC)


def needing_someone(*, text: str = "", state: str = "") -> QuerySet[MailAccount]:
    """Accounts in trouble, the longest first; `text` narrows by address or organisation."""
    rows = MailAccount.objects.filter(organisation__suspended_at=None, user__is_active=True).filter(
        state__in=[state] if state in NEEDS_SOMEONE else NEEDS_SOMEONE
    )
    if text:
        rows = rows.filter(Q(address__icontains=text) | Q(organisation__name__icontains=text))
    return rows.select_related("organisation", "user", "incoming").order_by("state_since", "pk")


def asked_for_password(accounts: Iterable[MailAccount]) -> dict[str, datetime]:
    """When a new password was last asked for, by address."""
    addresses = [account.address for account in accounts]
    rows = AuditEvent.objects.filter(action=Act.ACCOUNT_PASSWORD, target__in=addresses).order_by()
    return dict(rows.values_list("target").annotate(last=Max("at")))


def _by_state() -> dict[str, int]:
    """Accounts by the state that is shown: all of a suspended organisation's are suspended."""
    suspended = When(organisation__suspended_at__isnull=False, then=Value(State.SUSPENDED))
    rows = MailAccount.objects.annotate(shown=Case(suspended, default=F("state")))
    return {row["shown"]: row["n"] for row in rows.values("shown").annotate(n=Count("pk")).order_by()}


_LAG = """
WITH age AS (
    SELECT extract(epoch FROM %s - a.last_sync_at) AS s
    FROM accounts_mailaccount a
    JOIN accounts_organisation o ON o.id = a.organisation_id JOIN accounts_user u ON u.id = a.user_id
    WHERE a.last_sync_at IS NOT NULL AND NOT a.state = ANY(%s) AND o.suspended_at IS NULL AND u.is_active
)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s), percentile_cont(0.95) WITHIN GROUP (ORDER BY s),
       array(SELECT count(*) FILTER (WHERE width_bucket(age.s, %s::float8[]) = b)
             FROM age RIGHT JOIN generate_series(0, %s) b ON true GROUP BY b ORDER BY b)
FROM age
"""


def _lag(now: datetime) -> Lag | None:
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [now, [str(state) for state in _NO_SYNC], list(BUCKETS), len(BUCKETS)])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        return None
    half, most, buckets = row
    return Lag(half=timedelta(seconds=half), most=timedelta(seconds=most), buckets=tuple(buckets))
