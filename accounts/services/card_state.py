"""Writes to the columns of CardServer that the sync owns: state in words, schedule, wake-ups.

Every write is a conditional ``update()`` of just these columns, so that a person's change and a worker never overwrite
each other.
"""

from datetime import datetime

from django.db.models import F
from django.db.models.functions import Least
from django.utils import timezone

from accounts.models import CardServer

State = CardServer.State


def wake(user_id: int, when: datetime) -> None:
    """Something is to be sent by then; servers in trouble keep their own date."""
    due = CardServer.objects.filter(user=user_id, removed_at=None, state=State.WORKING)
    due.update(next_run_at=Least(F("next_run_at"), when), woken_at=timezone.now())


def succeed(server_id: int, *, state: str, next_run_at: datetime) -> None:
    """A pass ended well: failures are forgotten."""
    CardServer.objects.filter(pk=server_id).update(
        state=state,
        error_code="",
        server_line="",
        failures=0,
        refused_logins=0,
        last_sync_at=timezone.now(),
        next_run_at=next_run_at,
        progress_done=0,
        progress_total=0,
    )


def fail(server: CardServer, *, state: str, code: str, server_line: str, next_run_at: datetime) -> None:
    """A pass failed with the password that was known then: what is said of an older one holds for nothing."""
    refused = int(state == State.REFUSED or code == "auth")
    CardServer.objects.filter(pk=server.pk, changed_at=server.changed_at).update(
        state=state,
        error_code=code[:40],
        server_line=server_line[:500],
        failures=F("failures") + 1,
        refused_logins=F("refused_logins") + refused,
        next_run_at=next_run_at,
        progress_done=0,
        progress_total=0,
    )
