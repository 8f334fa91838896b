"""Faults 8 to 11: workers that are killed, sleep through their lease, lose their queue or get a job twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, here, message, summaries, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy
from tests.support.workers import SYNC, Workers
from webmail.jobs import Job
from webmail.models import Message, Placement
from webmail.sync import due, failpoints
from webmail.sync.account import Result, sync_account
from webmail.tasks import sync as tasks

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = 700  # the first page, then two windows of older mail
PLACES = (
    "lease taken",
    "connected",
    "folders listed",
    "mailbox open",
    "before batch",
    "messages made",
    "before commit",
    "after batch",
    "before cursor",
    "cursor moved",
    "before prefetch",
    "before rest",
)


@pytest.fixture
def account(dovecot: Dovecot, proxy: FaultProxy) -> MailAccount:
    return account_on(proxy.endpoint, dovecot.add_user())


def lease_runs_out() -> None:
    """Two minutes pass for Postgres."""
    MailAccount.objects.filter(lease_expires_at__isnull=False).update(
        lease_expires_at=timezone.now() - timedelta(seconds=1)
    )


# --- 8 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_f08_killed_in_the_initial_sync(dovecot: Dovecot, account: MailAccount, workers: Workers, place: str) -> None:
    """SIGKILL at the first, then at the second time in the first pass, then while older mail comes."""
    dovecot.load_maildir(account.address, [message(n, parent=n - 1 if n % 3 else None) for n in range(MESSAGES)])
    killed = 0
    for older, nth in ((False, 1), (False, 2), (True, 1), (True, 2)):
        code = workers.run(SYNC, account.pk, at=place, nth=nth, older=older)
        killed += code == -9
        lease_runs_out()
    assert killed
    sync(account)
    check(dovecot, account)
    assert Message.objects.filter(account=account).count() == MESSAGES
    assert Placement.objects.filter(account=account).count() == MESSAGES


# --- 9 ---------------------------------------------------------------------------------------------------------------


def test_f09_a_second_worker_gets_no_lease(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, workers: Workers
) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(40)])
    first = workers.stop_at("after batch", SYNC, account.pk)
    connections = proxy.connections
    assert sync_account(account.pk) == Result()
    assert proxy.connections == connections
    assert first.resume() == 0
    check(dovecot, account)


def test_f09_a_sleeper_cannot_write(dovecot: Dovecot, account: MailAccount, workers: Workers) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(40)])
    sleeper = workers.stop_at("before batch", SYNC, account.pk)
    lease_runs_out()
    dovecot.deliver(account.address, message(900))
    sync(account)
    check(dovecot, account)
    account.refresh_from_db()
    before = here(account), summaries(account), account.lease_token, account.last_sync_at
    assert sleeper.resume() == 0
    account.refresh_from_db()
    assert (here(account), summaries(account), account.lease_token, account.last_sync_at) == before
    check(dovecot, account)


# --- 10 --------------------------------------------------------------------------------------------------------------


def test_f10_redis_is_flushed(dovecot: Dovecot, account: MailAccount, redis_url: str) -> None:
    """Before a worker takes the job, and in the middle of a pass: a minute later the account is queued again."""
    dovecot.load_maildir(account.address, [message(n) for n in range(230)])
    queued: list[int] = []

    def put(job: Job, pk: int) -> bool:
        queued.append(pk)
        return True

    repeats = due.Repeats(30, lambda: 0.0)
    with redis.Redis.from_url(redis_url) as client:
        due.dispatch(repeats, put=put)
        client.flushall()
        due.dispatch(repeats, put=put)
        assert queued == [account.pk]
        MailAccount.objects.update(queued_at=timezone.now() - due.CLAIM_LASTS)
        due.dispatch(repeats, put=put)
        assert queued == [account.pk] * 2
        failpoints.arm("after batch", client.flushall)
        try:
            sync(account)
        finally:
            failpoints.disarm()
    check(dovecot, account)


# --- 11 --------------------------------------------------------------------------------------------------------------


def test_f11_a_running_job_is_given_out_again(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, workers: Workers
) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(30)])
    running = workers.stop_at("after batch", SYNC, account.pk)
    connections, before = proxy.connections, here(account)
    for _ in range(3):
        tasks.sync_account(account.pk)
        tasks.backfill_account(account.pk)
    assert (proxy.connections, here(account)) == (connections, before)
    assert running.resume() == 0
    check(dovecot, account)
    tasks.sync_account(account.pk)
    check(dovecot, account)
