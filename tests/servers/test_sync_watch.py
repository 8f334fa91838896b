"""The watcher on a real Dovecot: what arrives wakes the sync, what breaks is mended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import imap_account, message, sync
from tests.support.dovecot import Dovecot
from webmail.watch import accounts, loop
from webmail.watch.loop import Loop

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 20.0


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[int]:
    """The accounts that the watcher wakes, in order."""
    seen: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(accounts, "wake", seen.put)
    monkeypatch.setattr(loop, "RECONCILE_SECONDS", 0.2)
    monkeypatch.setattr(loop, "TICK", 0.05)
    return seen


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(1)])
    sync(made)
    return made


@pytest.fixture
def watcher(account: MailAccount, woken: queue.Queue[int]) -> Iterator[Loop]:
    watching = Loop()
    thread = threading.Thread(target=watching.run, daemon=True)
    thread.start()
    yield watching
    watching.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


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
