"""That somebody looks at an account now: it is looked after more often for a while.

Kept in Redis only: reading a page changes no row, and losing the note costs nothing but a slower poll.
"""

from datetime import timedelta

from django.utils import timezone

from accounts.models import MailAccount
from webmail import live
from webmail.jobs import Job, enqueue

_STALE = {"imap": timedelta(seconds=60), "pop3": timedelta(minutes=5)}  # POP3 hosts refuse logins that come faster


def here(account: MailAccount) -> None:
    """Notes the visit; an account that was not looked after lately is synced now."""
    first = live.mark_here(account.pk, account.user_id)
    if not first or account.stopped:
        return
    if account.last_sync_at is None or account.last_sync_at < timezone.now() - _STALE[account.protocol]:
        enqueue(Job.SYNC_ACCOUNT, account.pk)
