"""How often an account is looked at, why, and what a look costs when nothing has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from accounts.models import MailAccount, User
from tests.servers.sync_rig import forbid, imap_account, message, sync
from tests.support.dovecot import Dovecot
from webmail import live
from webmail.models import Mailbox
from webmail.protocols.imap_wire.wire import Wire
from webmail.services import presence
from webmail.sync import schedule
from webmail.sync.account import sync_account
from webmail.views.live import Hub

pytestmark = pytest.mark.django_db(transaction=True)
FOLDERS = 50


@pytest.fixture
def account(dovecot: Dovecot, redis_url: str) -> Iterator[MailAccount]:
    made = imap_account(dovecot)
    yield made
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands after the login, one a round trip."""
    seen: list[str] = []
    run = Wire.run

    def noting(self: Wire, *arguments: Any, **more: Any) -> Any:
        words = [part.decode() for part in arguments if isinstance(part, bytes)]
        if words[0] not in ("ID", "ENABLE"):
            seen.append(" ".join(words[:2]))
        return run(self, *arguments, **more)

    monkeypatch.setattr(Wire, "run", noting)
    return seen


def in_seconds(account: MailAccount) -> tuple[int, str]:
    now = timezone.now()
    found = MailAccount.objects.select_related("user").get(pk=account.pk)
    at, why = schedule.next_run(found, now)
    return round((at - now).total_seconds()), why


def test_polls_follow_whether_somebody_looks(account: MailAccount) -> None:
    assert in_seconds(account) == (settings.MAILROOM["POLL_IDLE_SECONDS"], "idle") == (1800, "idle")
    User.objects.update(last_seen_at=timezone.now() - timedelta(hours=2))
    assert in_seconds(account) == (300, "active")
    User.objects.update(last_seen_at=timezone.now() - timedelta(days=3))  # signed in long ago, and reads mail today
    presence.here(account)
    live.connection().delete(f"here:{account.pk}")
    assert in_seconds(account) == (300, "active")
    presence.here(account)
    assert in_seconds(account) == (60, "open")


def test_a_page_that_stays_open_keeps_its_persons_accounts_watched(account: MailAccount) -> None:
    async def page_is_open() -> None:
        hub = Hub()
        queue = hub.join(account.user_id)
        await asyncio.wait_for(queue.get(), 10)  # it listens, so it has said whose pages are open
        for _ in range(100):
            if await asyncio.to_thread(live.is_here, 0, account.user_id):
                break
            await asyncio.sleep(0.05)
        hub.leave(account.user_id, queue)

    asyncio.run(page_is_open())
    assert in_seconds(account) == (60, "open")
    assert 0 < live.connection().ttl(f"open:{account.user_id}") <= live.OPEN_SECONDS


def test_pop3_is_not_asked_more_often_than_hosts_allow(account: MailAccount) -> None:
    MailAccount.objects.update(protocol="pop3")
    presence.here(account)
    assert in_seconds(account) == (300, "open")


def test_a_change_that_is_owed_comes_before_the_poll(account: MailAccount) -> None:
    now = timezone.now()
    soon = now + timedelta(seconds=5)
    assert schedule.next_run(account, now, owed=soon) == (soon, "owed")
    assert schedule.next_run(account, now, owed=now + timedelta(days=1))[1] == "idle"


def test_without_redis_polls_go_on(account: MailAccount, no_redis: None) -> None:
    presence.here(account)
    assert in_seconds(account) == (1800, "idle")


def test_a_pass_writes_when_and_why(dovecot: Dovecot, account: MailAccount) -> None:
    sync(account)
    assert (account.next_why, account.next_run_at > timezone.now()) == ("idle", True)


def quiet(dovecot: Dovecot, account: MailAccount) -> None:
    """Fifty mailboxes, synced, and nothing happened for a while."""
    name = account.address.partition("@")[0]
    made = [f"Folder {number}" for number in range(FOLDERS - 6)]
    dovecot.doveadm("mailbox", "create", "-s", "-u", name, *made)
    dovecot.load_maildir(account.address, [message(number) for number in range(60)])
    sync(account)
    sync(account)
    assert Mailbox.objects.filter(account=account).count() == FOLDERS
    Mailbox.objects.update(last_sync_at=timezone.now() - timedelta(hours=1))


def test_a_pass_without_changes_costs_one_listing(dovecot: Dovecot, account: MailAccount, commands: list[str]) -> None:
    quiet(dovecot, account)
    commands.clear()
    result = sync_account(account.pk)
    assert not result.again
    assert not result.older
    assert commands[0].startswith("LIST")
    assert len(commands) <= 3
    assert not any(word.startswith(("SELECT", "EXAMINE", "STATUS")) for word in commands)
    commands.clear()
    dovecot.deliver(account.address, message(99))
    sync_account(account.pk)
    assert sum(word.startswith(("SELECT", "EXAMINE")) for word in commands) in (1, 2)  # the inbox, and its text ahead


def test_without_list_status_counters_are_asked_and_nothing_is_opened(
    dovecot: Dovecot, account: MailAccount, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "LIST-STATUS")
    quiet(dovecot, account)
    commands.clear()
    sync_account(account.pk)
    assert sum(word.startswith("STATUS") for word in commands) == FOLDERS
    assert not any(word.startswith(("SELECT", "EXAMINE")) for word in commands)
