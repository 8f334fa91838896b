"""Servers that take few connections: people are served first, what is learnt is kept, nobody hammers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import MailAccount, MailServer
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import check, imap_account, message, other_client, sync
from tests.stack import RUN_DIR
from tests.support.dovecot import Dovecot
from webmail import budget, connections
from webmail.budget import Busy, Use
from webmail.models import Mailbox, MessageBody, Placement
from webmail.protocols.errors import TooManyConnections
from webmail.sync import backfill, bodies, plan, warm
from webmail.sync.account import sync_account
from webmail.watch import accounts as watched

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 900


def narrow(certificates: DemoCertificate, most: int) -> Dovecot:
    server = Dovecot(RUN_DIR / f"narrow-{most}", certificates, settings=f"mail_max_userip_connections = {most}\n")
    server.start()
    return server


@pytest.fixture(scope="module")
def servers(certificates: DemoCertificate) -> Iterator[dict[int, Dovecot]]:
    """Dovecots that let each person in once or twice."""
    made = {most: narrow(certificates, most) for most in (1, 2)}
    yield made
    for server in made.values():
        server.stop()


@pytest.fixture(autouse=True)
def cold(redis_url: str) -> Iterator[None]:
    """Nothing is warm or counted from an earlier test."""
    warm.sweep(older_than=0)
    yield
    warm.sweep(older_than=0)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


@pytest.fixture
def slow_backfill(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Older mail comes in small windows with a rest after each; set once the first is here."""
    begun = threading.Event()
    write = backfill._write

    def writing(*arguments: Any) -> None:
        write(*arguments)
        begun.set()
        time.sleep(0.1)

    monkeypatch.setattr(backfill, "_write", writing)
    monkeypatch.setattr(plan, "next_rows", lambda rows, *, seconds: 20)
    monkeypatch.setattr(plan, "WINDOW_START", 20)
    monkeypatch.setattr(backfill.Pace, "__init__", lambda self: setattr(self, "rows", 20))
    return begun


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Runs it in another thread, as another worker would; its end is waited for."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()
    assert not failed


@contextmanager
def idling(account: MailAccount) -> Iterator[None]:
    """The watcher's connection."""
    idle = watched.log_in(account.pk)
    try:
        yield
    finally:
        idle.sock.close()
        watched.leave(account.pk)


def refusals(server: Dovecot, address: str) -> int:
    log = (server.home / "dovecot.log").read_text(errors="replace")
    return sum("Maximum number of connections" in line and f"user=<{address}>" in line for line in log.splitlines())


@pytest.mark.parametrize("most", [1, 2])
def test_a_person_does_not_wait_for_a_backfill(
    servers: dict[int, Dovecot], most: int, slow_backfill: threading.Event
) -> None:
    server = servers[most]
    account = imap_account(server)
    server.load_maildir(account.address, [message(number) for number in range(MANY)])
    sync_account(account.pk)
    inbox = Mailbox.objects.get(account=account, role="inbox")
    client = Client()
    client.force_login(account.user)
    with ExitStack() as stack:
        if most == 2:
            stack.enter_context(idling(account))
        with beside(lambda: sync_account(account.pk, older=True)):
            assert slow_backfill.wait(30)
            begun = inbox_low(inbox)
            wanted = Placement.objects.filter(mailbox=inbox, message__body=None).latest("received_at")
            page = client.get(reverse("mail:thread", args=[account.pk, inbox.pk, wanted.thread_id]))
            assert page.status_code == 200
            bodies.fetch_body(wanted.message_id)
            assert MessageBody.objects.get(message=wanted.message_id).state == "here"
        assert 1 < inbox_low(inbox) <= begun  # it gave way with mail still to come
    account.refresh_from_db()
    assert (account.state, account.connection_cap) == ("working", most)
    assert refusals(server, account.address) == 1
    warm.sweep(older_than=0)
    sync(account)
    check(server, account)
    assert refusals(server, account.address) == 1


def inbox_low(inbox: Mailbox) -> int:
    return Mailbox.objects.values_list("backfill_low", flat=True).get(pk=inbox.pk) or 0


def test_our_own_connection_in_the_way_is_no_trouble_of_the_account(servers: dict[int, Dovecot]) -> None:
    account = imap_account(servers[1])
    sync(account)
    with connections.open_imap(account, Use.PERSON):
        for _ in range(3):
            sync_account(account.pk)
        account.refresh_from_db()
        assert (account.state, account.next_why, account.failures) == ("working", "busy", 0)
        assert account.next_run_at < timezone.now() + timedelta(seconds=10)
    assert refusals(servers[1], account.address) == 1  # learnt, so not tried against again
    sync(account)


def test_other_programs_in_the_way_are(servers: dict[int, Dovecot]) -> None:
    account = imap_account(servers[1])
    with other_client(servers[1], account.address):
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.error_code, account.connection_cap) == ("throttled", "connections", 1)


def test_idle_gives_way_where_there_is_one_connection(servers: dict[int, Dovecot]) -> None:
    account = imap_account(servers[1])
    sync(account)
    assert watched.targets().keys() == {account.pk}
    with idling(account):
        sync_account(account.pk)
    assert watched.targets() == {}
    sync(account)
    MailAccount.objects.update(connection_cap_at=timezone.now() - timedelta(days=1))
    assert watched.targets().keys() == {account.pk}  # a day later one more is tried
    MailServer.objects.update(max_connections=1)
    assert watched.targets() == {}


def test_a_mass_of_departures_is_proven_with_one_connection_too(servers: dict[int, Dovecot]) -> None:
    account = imap_account(servers[1])
    servers[1].load_maildir(account.address, [message(number) for number in range(150)])
    sync(account)
    with other_client(servers[1], account.address) as client:
        client.uid("STORE", "1:140", "+FLAGS", "(\\Deleted)")
        client.expunge()
    sync(account)
    check(servers[1], account)


def test_an_administrators_figure_is_kept_to(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    MailServer.objects.update(max_connections=3)
    account.refresh_from_db()
    account.incoming.refresh_from_db()
    with connections.open_imap(account), connections.open_imap(account):
        with pytest.raises(Busy):
            connections.open_imap(account)  # the third is a person's
        with connections.open_imap(account, Use.PERSON), pytest.raises(Busy):
            connections.open_imap(account, Use.PERSON)
    connections.open_imap(account).logout()  # all were given back


def test_a_host_is_shared_between_accounts(dovecot: Dovecot) -> None:
    first, second = imap_account(dovecot), imap_account(dovecot)
    MailServer.objects.update(host_connections=2)
    for account in (first, second):
        account.incoming.refresh_from_db()
    with connections.open_imap(first), connections.open_imap(second, Use.PERSON), pytest.raises(Busy):
        connections.open_imap(second, Use.PERSON)
    connections.open_imap(second).logout()


def test_a_greeting_that_refuses_is_about_the_host(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot)
    refusal = TooManyConnections("Maximum connection limit reached")
    refusal.at_greeting = True

    def refuse(*_: object, **__: object) -> None:
        raise refusal

    with connections.open_imap(account):
        monkeypatch.setattr("webmail.protocols.imap.connect", refuse)
        with pytest.raises(Busy):
            connections.open_imap(account)
    server = MailServer.objects.get(pk=account.incoming_id)
    account.refresh_from_db()
    assert (server.host_cap, account.connection_cap) == (1, None)


def test_without_redis_the_server_decides(servers: dict[int, Dovecot], no_redis: None) -> None:
    account = imap_account(servers[1])
    budget._script.cache_clear()
    try:
        sync(account)
        with connections.open_imap(account), pytest.raises(TooManyConnections) as refused:
            connections.open_imap(account)
        assert not isinstance(refused.value, Busy)
        account.refresh_from_db()
        assert account.connection_cap == 1
    finally:
        budget._script.cache_clear()


def test_places_of_a_killed_worker_end_by_themselves(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot)
    MailServer.objects.update(max_connections=1)
    account.incoming.refresh_from_db()
    monkeypatch.setitem(budget.HELD_SECONDS, "sync", 0.3)
    assert budget.take(account, Use.SYNC)
    with pytest.raises(Busy):
        budget.take(account, Use.SYNC)
    time.sleep(0.4)
    assert budget.take(account, Use.SYNC)


@pytest.mark.parametrize(
    ("use", "cap", "host", "found"),
    [
        ("person", 1, 1, (1, 1)),
        ("sync", 1, 1, (1, 1)),
        ("sync", 2, 10, (2, 8)),
        ("sync", 8, 100, (7, 80)),
        ("idle", 1, 10, (0, 5)),
        ("idle", 2, 10, (1, 5)),
        ("idle", 3, 10, (1, 5)),
        ("idle", 8, 1, (6, 0)),
    ],
)
def test_who_may_take_how_many(use: str, cap: int, host: int, found: tuple[int, int]) -> None:
    assert budget.room(Use(use), cap, host) == found


def test_what_was_learnt_wears_off_by_the_day() -> None:
    assert budget.learnt(2, NOW, NOW + timedelta(hours=23)) == 2
    assert budget.learnt(2, NOW, NOW + timedelta(days=3)) == 5
    assert budget.learnt(None, None, NOW) is None


def test_the_server_of_the_installation_is_counted_on_for_thousands() -> None:
    """A stranger's host is met with caution; one that the administrator named carries everybody of the house."""
    own = MailServer(host="mail.house.example", trusted=True)
    stranger = MailServer(host="mail.elsewhere.example")
    assert budget.host_cap(own, NOW) >= 2 * 5_000  # half of them may idle
    assert budget.host_cap(stranger, NOW) == budget.MOST
    own.host_connections = 40
    assert budget.host_cap(own, NOW) == 40
    own.host_cap, own.host_cap_at = 7, NOW
    assert budget.host_cap(own, NOW) == 7
