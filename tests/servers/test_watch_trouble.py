"""The watcher beside servers, accounts and a database that change, refuse or go while it waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, connections

from accounts.models import MailAccount
from accounts.services import credentials, provisioning
from tests.servers.faults.conftest import proxy
from tests.servers.sync_rig import account_on, imap_account, message, sync
from tests.servers.watch_rig import PATIENCE, drain, watch, woken
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, cut
from tests.support.loopback import PASSWORD
from webmail.protocols.errors import AuthenticationFailed
from webmail.watch import accounts, loop
from webmail.watch.loop import Loop

__all__ = ["proxy", "watch", "woken"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot, proxy: FaultProxy) -> MailAccount:
    made = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(made.address, [message(1)])
    sync(made)
    return made


def until(true: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """After how many failures in a row the watcher waited before another login."""
    seen: list[int] = []

    def wait_after(failures: int, *, throttled: float | None = None) -> float:
        seen.append(failures)
        return 0.05

    monkeypatch.setattr(loop, "wait_after", wait_after)
    monkeypatch.setattr("webmail.watch.pacing.HOST_SECONDS", 0.0)
    return seen


def test_a_server_that_ends_each_idle_at_once_is_met_with_growing_patience(
    proxy: FaultProxy, account: MailAccount, patience: list[int], watch: Callable[[], Loop]
) -> None:
    proxy.rule("to_client", rb"\A\+ ", cut(after=len(b"+ idling\r\n")), nth=None)
    watch()
    until(lambda: len(patience) >= 5)
    assert patience[:5] == [0, 1, 2, 3, 4]


def test_one_that_ends_a_line_that_has_lived_is_asked_again_soon(
    proxy: FaultProxy,
    account: MailAccount,
    patience: list[int],
    watch: Callable[[], Loop],
    woken: queue.Queue[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "STEADY_SECONDS", 0.0)
    watch()
    for _ in range(3):
        assert woken.get(timeout=PATIENCE) == account.pk
        drain(woken)
        proxy.hang_up()
    until(lambda: len(patience) >= 3)
    assert set(patience) == {0}


def test_the_watcher_without_accounts_outlives_its_database_connection(
    dovecot: Dovecot, watch: Callable[[], Loop], woken: queue.Queue[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    ask = accounts.targets

    def noting() -> dict[int, accounts.Target]:
        looks.append(backend())
        return ask()

    monkeypatch.setattr(accounts, "targets", noting)
    watch()
    until(lambda: any(looks))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [max(looks)])
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(1)])
    sync(made)
    assert woken.get(timeout=PATIENCE) == made.pk


def backend() -> int:
    """The server's process behind this thread's database connection, as far as there is one."""
    raw = connections["default"].connection
    return int(raw.info.backend_pid) if raw is not None else 0


def test_a_removed_account_is_let_go(
    proxy: FaultProxy, account: MailAccount, watch: Callable[[], Loop], woken: queue.Queue[int], dovecot: Dovecot
) -> None:
    watching = watch()
    assert woken.get(timeout=PATIENCE) == account.pk
    account.delete()
    until(lambda: not watching.watched)
    drain(woken)
    dovecot.deliver(account.address, message(2))
    other = imap_account(dovecot)
    sync(other)
    assert woken.get(timeout=PATIENCE) == other.pk  # and nobody before


def test_a_password_changed_while_the_old_one_is_being_refused_is_tried(
    account: MailAccount, watch: Callable[[], Loop], woken: queue.Queue[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in, tried, may_go_on = accounts.log_in, threading.Event(), threading.Event()

    def refused_once(account_id: int) -> object:
        if not tried.is_set():
            tried.set()
            may_go_on.wait(PATIENCE)
            raise AuthenticationFailed("no")
        return log_in(account_id)

    monkeypatch.setattr(accounts, "log_in", refused_once)
    watching = watch()
    assert tried.wait(PATIENCE)
    before = watching._targets[account.pk]
    credentials.store(account, password=PASSWORD)
    until(lambda: watching._targets.get(account.pk) not in (None, before))
    until(lambda: not watching._pacing._waiting)
    may_go_on.set()
    assert woken.get(timeout=PATIENCE) == account.pk


def test_a_password_changed_while_the_line_is_open_opens_another(
    proxy: FaultProxy, account: MailAccount, watch: Callable[[], Loop], woken: queue.Queue[int]
) -> None:
    watch()
    assert woken.get(timeout=PATIENCE) == account.pk
    drain(woken)
    provisioning.update_password(account, PASSWORD)
    assert woken.get(timeout=PATIENCE) == account.pk


def test_f27_a_refusal_of_the_watcher_counts_among_the_three(
    account: MailAccount, watch: Callable[[], Loop], woken: queue.Queue[int]
) -> None:
    credentials.store(account, password="wrong")
    watch()
    until(lambda: MailAccount.objects.get(pk=account.pk).refused_logins == 1)
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("failing", "auth")


def test_hosts_that_do_not_answer_keep_nobody_else_from_being_watched(
    dovecot: Dovecot,
    account: MailAccount,
    watch: Callable[[], Loop],
    woken: queue.Queue[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty accounts of two hosts that swallow every packet, and one of another."""
    log_in, over = accounts.log_in, threading.Event()
    dead = {-number: accounts.Target(-number, f"dead{number % 2}.test", 0) for number in range(1, 41)}
    ask = accounts.targets

    def swallowed(account_id: int) -> object:
        if account_id < 0:
            over.wait(PATIENCE)
            raise OSError("timed out")
        return log_in(account_id)

    monkeypatch.setattr("webmail.watch.pacing.HOST_SECONDS", 0.0)
    monkeypatch.setattr(accounts, "log_in", swallowed)
    monkeypatch.setattr(accounts, "targets", lambda: dead | ask())
    watch()
    try:
        assert woken.get(timeout=PATIENCE / 2) == account.pk
    finally:
        over.set()
