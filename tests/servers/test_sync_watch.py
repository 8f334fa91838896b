"""The watcher on a real Dovecot: what arrives wakes the sync, what breaks is mended."""

from __future__ import annotations

import queue
from collections.abc import Callable

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import imap_account, message, sync
from tests.servers.watch_rig import PATIENCE, watch, woken
from tests.support.dovecot import Dovecot
from webmail.watch import accounts, loop
from webmail.watch.loop import Loop

__all__ = ["watch", "woken"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(1)])
    sync(made)
    return made


@pytest.fixture
def watcher(account: MailAccount, watch: Callable[[], Loop]) -> Loop:
    return watch()


def test_the_beginning_and_each_arrival_wake_the_sync(
    dovecot: Dovecot, account: MailAccount, watcher: Loop, woken: queue.Queue[int]
) -> None:
    assert woken.get(timeout=PATIENCE) == account.pk
    dovecot.deliver(account.address, message(2))
    assert woken.get(timeout=PATIENCE) == account.pk
    assert watcher.watched == {account.pk}


def test_a_server_that_restarts_is_watched_again(
    dovecot: Dovecot, account: MailAccount, watcher: Loop, woken: queue.Queue[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    woken.get(timeout=PATIENCE)
    monkeypatch.setattr(loop, "wait_after", lambda failures, throttled=None: 0.2)
    dovecot.stop()
    dovecot.start()
    assert woken.get(timeout=PATIENCE) == account.pk
    dovecot.deliver(account.address, message(3))
    assert woken.get(timeout=PATIENCE) == account.pk


def test_a_renewal_wakes_too_and_the_line_lives_on(
    dovecot: Dovecot, account: MailAccount, watcher: Loop, woken: queue.Queue[int]
) -> None:
    woken.get(timeout=PATIENCE)
    watcher._lines[account.pk].renew_at = 0.0
    assert woken.get(timeout=PATIENCE) == account.pk
    dovecot.deliver(account.address, message(4))
    assert woken.get(timeout=PATIENCE) == account.pk


def test_who_is_watched(account: MailAccount) -> None:
    assert accounts.targets().keys() == {account.pk}
    for columns in ({"state": "paused"}, {"state": "refused"}, {"settings_seen": {"capabilities": ["IMAP4REV1"]}}):
        MailAccount.objects.update(**columns)
        assert accounts.targets() == {}
