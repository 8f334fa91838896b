"""Writes to the columns of MailAccount that the sync owns: state in words, schedule, wake-ups.

Every write is a conditional ``update()`` of just these columns, so that a person's edit and a worker never overwrite
each other.
"""

from datetime import datetime

from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from accounts.models import MailAccount

State = MailAccount.State
_HELD = (State.PAUSED, State.SUSPENDED)  # only a person or an administrator ends these


def wake(account_id: int) -> None:
    """Makes the account due now, unless it is held or its password was refused.

    One whose server asked for time stays due when that is over.
    """
    now = timezone.now()
    due = Case(When(state=State.THROTTLED, then=F("next_run_at")), default=Value(now))
    MailAccount.objects.filter(pk=account_id).exclude(state__in=(*_HELD, State.PASSWORD_REFUSED)).update(
        next_run_at=due, woken_at=now
    )


def wake_at(account_id: int, when: datetime) -> None:
    """Makes the account due then, unless it is due before or its server asked for time."""
    later = MailAccount.objects.filter(pk=account_id, next_run_at__gt=when)
    later.exclude(state=State.THROTTLED).update(next_run_at=when)


def succeed(account_id: int, *, next_run_at: datetime, why: str = "") -> None:
    """A pass ended well: failures are forgotten and the next run is set (earlier if a wake-up came meanwhile)."""
    now = timezone.now()
    MailAccount.objects.filter(pk=account_id).update(
        state=_unless_held(State.WORKING),
        state_since=_since(State.WORKING, now),
        error_code="",
        server_line="",
        failures=0,
        refused_logins=0,
        last_sync_at=now,
        next_run_at=next_run_at,
        next_why=why,
    )


def postpone(account_id: int, *, next_run_at: datetime) -> None:
    """Nothing was wrong and nothing was done: the account is due again then, as it stands."""
    MailAccount.objects.filter(pk=account_id).update(next_run_at=next_run_at, next_why=MailAccount.NextWhy.BUSY)


def fail(account_id: int, *, state: str, code: str, server_line: str, next_run_at: datetime) -> None:
    """A pass failed; ``state`` says how in the account's own words, ``server_line`` is what the server said."""
    now = timezone.now()
    refused = Value(1) if state == State.PASSWORD_REFUSED or code == "auth" else Value(0)
    MailAccount.objects.filter(pk=account_id).update(
        state=_unless_held(state),
        state_since=_since(state, now),
        error_code=code[:40],
        server_line=server_line[:500],
        failures=F("failures") + 1,
        refused_logins=F("refused_logins") + refused,
        next_run_at=next_run_at,
        next_why="",
    )


def _unless_held(state: str) -> Case:
    return Case(When(state__in=_HELD, then=F("state")), default=Value(state))


def _since(state: str, now: datetime) -> Case:
    return Case(When(Q(state=state) | Q(state__in=_HELD), then=F("state_since")), default=Value(now))
