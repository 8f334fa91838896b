"""POP3 accounts through deaths, renumberings, hostile lines and full disks: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import MailAccount
from deploy.demo.tls import DemoCertificate
from tests.servers.faults.rounds import LONG_RUN
from tests.servers.sync_rig import account_on, check_summaries, message, pop_account, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import Direction, FaultProxy, call, cut, fault_proxy
from tests.support.workers import SYNC, Workers
from webmail import storage
from webmail.models import Message, MessageBody, Placement, PopUid
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

LONG_LINE = b"x" * 3000
ENDLESS_LINE = b"y" * 1_000_000
RENUMBERED = 1000 if LONG_RUN else 120


@pytest.fixture
def pop_proxy(dovecot: Dovecot, certificates: DemoCertificate) -> Iterator[FaultProxy]:
    """A fault proxy before Dovecot's POP3."""
    with fault_proxy(dovecot.pop3_endpoint(), certificates, literals=False) as made:
        yield made


def filled(dovecot: Dovecot, proxy: FaultProxy, count: int, **columns: object) -> MailAccount:
    """An account that collects through the proxy."""
    account = account_on(proxy.endpoint, dovecot.add_user(), protocol="pop3")
    MailAccount.objects.filter(pk=account.pk).update(**columns)
    dovecot.load_maildir(account.address, [message(n) for n in range(count)])
    return account


def left_on_server(dovecot: Dovecot, account: MailAccount) -> int:
    return dovecot.doveadm("search", "-u", account.address, "mailbox", "INBOX", "all").count("\n")


def check(dovecot: Dovecot, account: MailAccount, *, count: int, left: int) -> None:
    """So many messages here, each once, whole and readable; so many on the server; nothing owed."""
    assert Message.objects.filter(account=account).count() == count
    assert Placement.objects.filter(account=account, state=Placement.State.LIVE).count() == count
    bodies = list(MessageBody.objects.filter(account=account))
    assert [body.state for body in bodies] == ["here"] * count
    for body in bodies:
        assert storage.read(account.pk, body.raw_digest).endswith(b"\r\n")
    assert left_on_server(dovecot, account) == left
    assert not PopUid.objects.filter(account=account, state__in=["delete_due", "failed"]).exists()
    check_summaries(account)


PLACES: dict[str, tuple[Direction, bytes]] = {
    "before the listing": ("to_server", rb"\AUIDL"),
    "before a download": ("to_server", rb"\ARETR 2"),
    "within a download": ("to_client", rb"\ASubject: Topic 1"),
    "at the end of a download": ("to_client", rb"\A\.\r\n"),
    "before a deletion": ("to_server", rb"\ADELE 2"),
    "before QUIT": ("to_server", rb"\AQUIT"),
    "before the answer to QUIT": ("to_client", rb"\A\+OK Logging out"),
}


@pytest.mark.parametrize("how", ["killed", "cut off"])
@pytest.mark.parametrize("place", PLACES)
def test_f39_whoever_dies_where_nothing_is_lost_or_doubled(
    dovecot: Dovecot, pop_proxy: FaultProxy, workers: Workers, place: str, how: str
) -> None:
    account = filled(dovecot, pop_proxy, 4, pop_policy="delete")
    direction, pattern = PLACES[place]
    rule = pop_proxy.rule(direction, pattern, call(workers.kill) if how == "killed" else cut())
    assert workers.run(SYNC, account.pk) == (-9 if how == "killed" else 0)
    assert rule.hits == 1
    stored = Message.objects.filter(account=account).count()
    assert stored + left_on_server(dovecot, account) >= 4
    MailAccount.objects.filter(pk=account.pk).update(lease_expires_at=None)
    sync(account)
    check(dovecot, account, count=4, left=0)
    sync(account)
    check(dovecot, account, count=4, left=0)


def test_f39_nothing_is_deleted_before_it_is_here_for_good(dovecot: Dovecot, pop_proxy: FaultProxy) -> None:
    account = filled(dovecot, pop_proxy, 4, pop_policy="delete")
    here: list[int] = []

    def look() -> None:
        bodies = MessageBody.objects.filter(account=account).exclude(raw_digest="")
        here.append(sum(storage.exists(account.pk, body.raw_digest) for body in bodies))

    pop_proxy.rule("to_server", rb"\ADELE", call(look), nth=None)
    sync(account)
    assert here == [4] * 4
    check(dovecot, account, count=4, left=0)


def test_f40_renumbered_messages_are_known_again(dovecot: Dovecot, pop_proxy: FaultProxy) -> None:
    account = filled(dovecot, pop_proxy, RENUMBERED)
    sync(account)
    assert len(pop_proxy.said(rb"\ARETR")) == RENUMBERED
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--uid-validity", "4711", "INBOX")
    MailAccount.objects.filter(pk=account.pk).update(pop_policy="delete")
    sync(account)
    assert len(pop_proxy.said(rb"\ARETR")) == RENUMBERED
    assert not pop_proxy.said(rb"\ADELE")
    sync(account)
    check(dovecot, account, count=RENUMBERED, left=RENUMBERED)
    assert not pop_proxy.said(rb"\ADELE")


def awkward(number: int) -> bytes:
    """Lines beyond every limit of the standard, and lines that look like the end of a message."""
    lines = [
        b"Subject: Lines %d" % number,
        b"Message-ID: <lines%d@x.test>" % number,
        b"",
        LONG_LINE,
        b".",
        b"..",
        b".x",
    ]
    return b"\r\n".join([*lines, ENDLESS_LINE, b".", b"", b"...", b"the end", b""])


def test_f41_every_octet_arrives_as_it_was(dovecot: Dovecot) -> None:
    account = pop_account(dovecot, pop_policy="delete")
    originals = {awkward(number) for number in range(2)}
    dovecot.load_maildir(account.address, sorted(originals))
    sync(account)
    kept = MessageBody.objects.filter(account=account).values_list("raw_digest", flat=True)
    assert {storage.read(account.pk, digest) for digest in kept} == originals
    check(dovecot, account, count=2, left=0)


def test_f41_a_message_without_its_end_is_no_message(dovecot: Dovecot, pop_proxy: FaultProxy) -> None:
    account = account_on(pop_proxy.endpoint, dovecot.add_user(), protocol="pop3")
    MailAccount.objects.filter(pk=account.pk).update(pop_policy="delete")
    dovecot.load_maildir(account.address, [awkward(1)])
    within, at_its_end = cut(after=9_000), (lambda: pop_proxy.rule("to_client", rb"\A\.\r\n", cut()))
    pop_proxy.rule("to_client", rb"\A\+OK 10\d+ octets", within)
    pop_proxy.rule("to_server", rb"\ARETR", call(at_its_end), nth=2)
    for _ in range(2):
        sync_account(account.pk)
        account.refresh_from_db()
        assert account.error_code == "lost"
        assert not Message.objects.filter(account=account).exists()
        assert left_on_server(dovecot, account) == 1
    sync(account)
    check(dovecot, account, count=1, left=0)
