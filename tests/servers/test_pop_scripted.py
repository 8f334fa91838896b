"""POP3 servers with habits of their own, played by scripts: what the account's state and schedule make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from accounts.queries import account_words
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import account_on, message
from tests.support.scripted import Client, Server, scripted
from webmail import live
from webmail.models import Message, PopUid
from webmail.services import presence
from webmail.sync import failpoints, pop_ledger, pop_plan
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

Mail = Mapping[str, bytes]  # by UIDL, oldest first


class Maildrop:
    """A session over this mail; ``without`` commands it refuses. ``deleted`` is what QUIT committed, by UIDL."""

    def __init__(self, mail: Mail, *capabilities: bytes, without: frozenset[bytes] = frozenset()) -> None:
        self.mail, self.uidls = mail, list(mail)
        self.capabilities, self.without = capabilities, without
        self.deleted: list[str] = []
        self.fetched = 0
        self._marked: list[str] = []

    def __call__(self, client: Client) -> None:
        client.say(b"+OK ready")
        while line := client.line():
            verb, _, rest = line.partition(b" ")
            client.raw(b"-ERR unknown command\r\n" if verb in self.without else self._answer(verb, rest))
            if verb == b"QUIT":
                self.deleted += self._marked
                return

    def _answer(self, verb: bytes, rest: bytes) -> bytes:
        if verb == b"CAPA":
            return self._rows([b"USER", *self.capabilities])
        if verb == b"LIST":
            return self._rows([b"%d %d" % (number, len(self.mail[uidl])) for number, uidl in self._numbered()])
        if verb == b"UIDL":
            return self._rows([b"%d %s" % (number, uidl.encode()) for number, uidl in self._numbered()])
        if verb == b"RETR":
            self.fetched += 1
            return b"+OK\r\n" + self.mail[self._uidl(rest)] + b".\r\n"
        if verb == b"TOP":
            return b"+OK\r\n" + self.mail[self._uidl(rest)].partition(b"\r\n\r\n")[0] + b"\r\n\r\n.\r\n"
        if verb == b"DELE":
            self._marked.append(self._uidl(rest))
        return b"+OK\r\n"

    def _rows(self, rows: list[bytes]) -> bytes:
        return b"\r\n".join([b"+OK", *rows, b".", b""])

    def _numbered(self) -> list[tuple[int, str]]:
        return list(enumerate(self.uidls, 1))

    def _uidl(self, rest: bytes) -> str:
        return self.uidls[int(rest.split()[0]) - 1]


def refusing(line: bytes) -> Callable[[Client], None]:
    """A server that answers the password with this."""

    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"+OK", b"SASL PLAIN", b".")
        client.expect(b"AUTH PLAIN", b"+ ")
        client.expect(b"", line)

    return script


def account_of(server: Server) -> MailAccount:
    return account_on(server.endpoint, "maren@oldmail.example", protocol="pop3")


def some(*numbers: int) -> dict[str, bytes]:
    return {f"uidl-{number}": message(number) for number in numbers}


def waits(account: MailAccount) -> float:
    """Seconds until the account is due."""
    account.refresh_from_db()
    return (account.next_run_at - timezone.now()).total_seconds()


def test_a_server_that_lists_a_part_at_a_time_is_asked_until_nothing_is_new(certificates: DemoCertificate) -> None:
    parts = [some(*range(60)), some(*range(60, 120)), some(*range(120, 130))]
    with patch.object(pop_plan, "BATCH", 60), scripted(certificates, *map(Maildrop, [*parts, {}])) as server:
        account = account_of(server)
        rounds = [sync_account(account.pk).again for _ in range(4)]
    account.refresh_from_db()
    assert rounds == [True, True, True, False]
    assert Message.objects.filter(account=account).count() == 130
    assert PopUid.objects.filter(account=account, state="fetched").count() == 130
    assert "pop_frozen_until" not in account.settings_seen  # it did not renumber


def test_a_large_download_goes_on_in_slices(certificates: DemoCertificate, settings: Any) -> None:
    settings.MAILROOM = settings.MAILROOM | {"SYNC_SLICE_SECONDS": -1}  # over before the first message
    drop = some(*range(12))
    with scripted(certificates, Maildrop(drop), Maildrop(drop)) as server:
        account = account_of(server)
        assert sync_account(account.pk).again
        account.refresh_from_db()
        assert account_words.fetching(account) == "Downloading 0 of 12"
        began = account.progress_since
        settings.MAILROOM = settings.MAILROOM | {"SYNC_SLICE_SECONDS": 45}
        told: list[tuple[str, datetime | None]] = []
        failpoints.arm("pop stored", lambda: told.append(told_of(account)))
        try:
            assert not sync_account(account.pk).again
        finally:
            failpoints.disarm()
    assert told[0] == ("Downloading 1 of 12", began)
    assert [words for words, _ in told[-2:]] == ["Downloading 11 of 12", ""]
    subjects = Message.objects.filter(account=account).order_by("pk").values_list("subject", flat=True)
    assert list(subjects) == [f"Topic {number}" for number in reversed(range(12))]  # newest first


def told_of(account: MailAccount) -> tuple[str, datetime | None]:
    """What the account's page says of the download, and since when it runs."""
    account.refresh_from_db()
    return account_words.fetching(account), account.progress_since


def test_without_top_a_renumbered_server_brings_no_second_copies(certificates: DemoCertificate) -> None:
    first, second = some(*range(60)), {f"new-{n}": message(n) for n in range(60)}
    bare = frozenset({b"TOP"})
    before, after = Maildrop(first, without=bare), Maildrop(second, without=bare)
    with scripted(certificates, before, after) as server:
        account = account_of(server)
        sync_account(account.pk)
        MailAccount.objects.filter(pk=account.pk).update(pop_policy="delete")
        sync_account(account.pk)
    account.refresh_from_db()
    assert Message.objects.filter(account=account).count() == 60
    assert not after.deleted
    assert account.settings_seen["pop_frozen_until"] > (timezone.now() + timedelta(days=6)).isoformat()


@pytest.mark.parametrize(("policy", "between"), [("keep", True), ("delete", True), ("delete", False)])
def test_a_uidl_that_is_given_to_other_mail_hides_and_deletes_none_of_it(
    certificates: DemoCertificate, policy: str, between: bool
) -> None:
    """RFC 1939 forbids it; servers do it whose UIDLs are message numbers, or whose counter began anew."""
    first, second = {"1": message(1)}, {"1": message(2, body="Longer words")}
    after = Maildrop(second)
    drops = [Maildrop(first), *([Maildrop({})] if between else []), after]
    with scripted(certificates, *drops) as server:
        account = account_of(server)
        MailAccount.objects.filter(pk=account.pk).update(pop_policy=policy)
        for _ in drops:
            MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
            sync_account(account.pk)
    subjects = Message.objects.filter(account=account).values_list("subject", flat=True)
    assert sorted(subjects) == ["Topic 1", "Topic 2"]
    assert after.deleted == (["1"] if policy == "delete" else [])  # once it was here


def test_mail_that_a_server_keeps_although_it_was_deleted_is_not_downloaded_again(
    certificates: DemoCertificate,
) -> None:
    drops = [Maildrop(some(1)) for _ in range(3)]
    with scripted(certificates, *drops) as server:
        account = account_of(server)
        MailAccount.objects.filter(pk=account.pk).update(pop_policy="delete")
        for _ in drops:
            sync_account(account.pk)
    assert [drop.deleted for drop in drops] == [["uidl-1"]] * 3
    assert [drop.fetched for drop in drops] == [1, 0, 0]


BARE = frozenset({b"TOP", b"UIDL"})


def test_with_neither_uidl_nor_top_mail_is_fetched_to_be_deleted(certificates: DemoCertificate) -> None:
    drop = Maildrop(some(1, 2), without=BARE)
    with scripted(certificates, drop) as server:
        account = account_of(server)
        MailAccount.objects.filter(pk=account.pk).update(pop_policy="delete")
        assert not sync_account(account.pk).again
    assert Message.objects.filter(account=account).count() == 2
    assert sorted(drop.deleted) == ["uidl-1", "uidl-2"]


def test_with_neither_uidl_nor_top_mail_cannot_stay(certificates: DemoCertificate) -> None:
    with scripted(certificates, Maildrop(some(1, 2), without=BARE)) as server:
        account = account_of(server)
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.server_line) == ("failing", pop_ledger.NEITHER)
    assert not Message.objects.filter(account=account).exists()


@pytest.mark.parametrize(
    ("line", "state", "code", "least", "most"),
    [
        (b"-ERR [IN-USE] another session holds it", "throttled", "throttled", 55, 60),
        (b"-ERR maildrop already locked", "throttled", "throttled", 55, 60),
        (b"-ERR [LOGIN-DELAY] too soon", "throttled", "throttled", 295, 300),
        (b"-ERR [SYS/TEMP] come back", "throttled", "throttled", 220, 380),
        (b"-ERR [AUTH] wrong", "failing", "auth", 600, 1200),
        (b"-ERR [SYS/PERM] moved away", "failing", "refused", 40, 80),
    ],
)
def test_refusals_and_when_to_try_again(
    certificates: DemoCertificate, line: bytes, state: str, code: str, least: int, most: int
) -> None:
    with scripted(certificates, refusing(line)) as server:
        account = account_of(server)
        sync_account(account.pk)
    wait = waits(account)
    assert (account.state, account.error_code) == (state, code)
    assert account.server_line == line.removeprefix(b"-ERR ").decode()
    assert least <= wait <= most


def test_a_login_delay_is_honoured_by_every_pass(certificates: DemoCertificate) -> None:
    with scripted(certificates, Maildrop(some(1), b"LOGIN-DELAY 900")) as server:
        account = account_of(server)
        live.mark_here(account.pk)
        sync_account(account.pk)
        assert 880 < waits(account) <= 900
        MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
        sync_account(account.pk)
        assert server.connections == 1
    assert 880 < waits(account) <= 900
    assert account.state == "working"


def test_a_look_comes_every_five_minutes_at_most(certificates: DemoCertificate) -> None:
    with scripted(certificates, Maildrop(some(1))) as server:
        account = account_of(server)
        live.mark_here(account.pk)  # an open page makes an IMAP account due each minute
        sync_account(account.pk)
    assert waits(account) > 295


@pytest.mark.parametrize(("minutes", "asked"), [(2, False), (6, True)])
def test_opening_a_page_asks_for_no_sooner_look(certificates: DemoCertificate, minutes: int, asked: bool) -> None:
    with scripted(certificates) as server:
        account = account_of(server)
    MailAccount.objects.filter(pk=account.pk).update(last_sync_at=timezone.now() - timedelta(minutes=minutes))
    account.refresh_from_db()
    live.connection().delete(f"visit:{account.pk}")
    with patch("webmail.services.presence.enqueue") as put:
        presence.here(account)
    assert put.called is asked
