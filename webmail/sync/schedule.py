"""When an account is due again: by whether somebody is looking."""

from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import MailAccount
from webmail import live

NextWhy = MailAccount.NextWhy
ACTIVE = timedelta(hours=24)
POP3_LEAST = 300  # seconds; some hosts refuse logins that come faster


def is_active(account: MailAccount, now: datetime) -> bool:
    """Whether its owner came by today or has a page open."""
    seen = account.user.last_seen_at
    return is_watched(account, now) or (seen is not None and now - seen < ACTIVE) or live.came_today(account.user_id)


def is_watched(account: MailAccount, now: datetime) -> bool:
    """Whether a page of the account is open somewhere."""
    return (account.watched_until is not None and account.watched_until > now) or live.is_here(
        account.pk, account.user_id
    )


def next_run(account: MailAccount, now: datetime, *, owed: datetime | None = None) -> tuple[datetime, str]:
    """The next poll and why then, as a NextWhy; ``owed``: when a change is to be sent. IDLE and wake-ups come in
    between.
    """
    if is_watched(account, now):
        seconds, why = settings.MAILROOM["POLL_OPEN_SECONDS"], NextWhy.OPEN
    elif is_active(account, now):
        seconds, why = settings.MAILROOM["POLL_ACTIVE_SECONDS"], NextWhy.ACTIVE
    else:
        seconds, why = settings.MAILROOM["POLL_IDLE_SECONDS"], NextWhy.IDLE
    if account.protocol == MailAccount.Protocol.POP3:
        seconds = max(seconds, POP3_LEAST)
        allowed = account.settings_seen.get("pop_login_after")  # LOGIN-DELAY, RFC 2449 section 6.5
        return max(now + timedelta(seconds=seconds), datetime.fromisoformat(allowed) if allowed else now), why
    at = now + timedelta(seconds=seconds)
    return (owed, NextWhy.OWED) if owed is not None and owed < at else (at, why)
