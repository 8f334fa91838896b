"""Faults 1, 2, 5, 6 and 7: what identifies messages and changes is altered, reset or taken back by the server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.models import MailAccount
from deploy.embedded.process import give, unprivileged
from tests.servers.sync_rig import account_on, check, forbid, lock, message, other_client, sync
from tests.support.clock import Clock
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, replace, without
from webmail.models import Mailbox, Message, MessageBody, Placement, RemoteOp
from webmail.queries import settings
from webmail.services import actions, targets
from webmail.sync import plan
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot, proxy: FaultProxy) -> MailAccount:
    return account_on(proxy.endpoint, dovecot.add_user())


def inbox(account: MailAccount) -> Mailbox:
    return Mailbox.objects.get(account=account, role="inbox")


def identities(account: MailAccount) -> set[tuple[object, ...]]:
    """Ids of messages and their conversations."""
    return set(Message.objects.filter(account=account).values_list("pk", "message_id", "thread_id"))


def bodies(account: MailAccount) -> set[tuple[int, int]]:
    """Ids of bodies that are here, each with its message's: one that keeps them is not downloaded again."""
    return set(MessageBody.objects.filter(account=account, state="here").values_list("pk", "message_id"))


# --- 1 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [(), ("QRESYNC", "CONDSTORE", "ESEARCH")], ids=["all", "few"])
def test_f01_uidvalidity_changed_while_offline(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]
) -> None:
    proxy.rule("to_client", rb"CAPABILITY", without(*lacking, "-"), nth=None)
    dovecot.load_maildir(account.address, [message(n, parent=n - 1 if n % 4 else None) for n in range(230)])
    sync(account)
    before, kept, unread = identities(account), bodies(account), inbox(account).unread
    assert kept
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--uid-validity", "99", "INBOX")
    sync(account)
    check(dovecot, account)
    assert identities(account) == before  # no message is new, so none can be announced as new
    assert bodies(account) >= kept
    assert (inbox(account).unread, inbox(account).gen) == (unread, 2)


# --- 2 ---------------------------------------------------------------------------------------------------------------


def renumber_each_time(proxy: FaultProxy) -> None:
    """Every connection is told another UIDVALIDITY, the same for the whole of it."""

    def other(found: bytes) -> bytes:
        word, _, _ = found.partition(b" ")
        return b"%b %d" % (word, 1000 + proxy.connections)

    proxy.rule("to_client", rb"UIDVALIDITY \d", replace(other, part=rb"UIDVALIDITY \d+"), nth=None)


def as_the_tasks_would(account: MailAccount) -> int:
    """One poll and all that follows from it; returns how many passes went over older mail."""
    result, older = sync_account(account.pk), 0
    while result.older and older < 9:
        assert not result.again
        older += 1
        result = sync_account(account.pk, older=True)
    return older


def test_f02_uidvalidity_changes_every_pass(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, clock: Clock
) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(230)])
    sync(account)
    before = identities(account)
    renumber_each_time(proxy)
    older = []
    for _ in range(5):
        older.append(as_the_tasks_would(account))
        clock.advance(minutes=30)
    assert sum(older) <= Mailbox.RENUMBERED_AT_MOST
    assert older[-1] == 0
    dovecot.deliver(account.address, message(900))
    as_the_tasks_would(account)
    account.refresh_from_db()
    assert account.state == "working"
    assert identities(account) > before
    assert len(identities(account)) == 231
    assert inbox(account).total == 231  # nothing is hidden, and what is new is seen
    assert "again and again" in settings.folders(account, [inbox(account)])[0].words
    proxy.clear()
    clock.advance(hours=25)
    sync(account)
    check(dovecot, account)
    assert settings.folders(account, [inbox(account)])[0].words == "Up to date"


def test_f02_without_stable_uids_what_is_deleted_is_the_message_that_was_meant(
    dovecot: Dovecot, proxy: FaultProxy, account: MailAccount
) -> None:
    """UIDVALIDITY 0: the UIDs of yesterday's connection may be other messages' today."""
    proxy.rule("to_client", rb"UIDVALIDITY \d", replace(b"UIDVALIDITY 0", part=rb"UIDVALIDITY \d+"), nth=None)

    def put(numbers: list[int]) -> None:
        with other_client(dovecot, account.address) as client:
            client.delete("Old")
            client.create("Old")
            for number in numbers:
                client.append("Old", None, None, message(number))

    put([1, 2, 3])
    as_the_tasks_would(account)
    old = Mailbox.objects.get(account=account, name="Old")
    meant = targets.in_mailbox(account.user, old).filter(message__message_id="m1@x.test")
    actions.expunge(account.user, lock(meant))
    put([3, 2, 1])
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    as_the_tasks_would(account)
    with other_client(dovecot, account.address, "Old") as client:
        headers = b"".join(row[1] for row in client.fetch("1:*", "(RFC822.HEADER)")[1] if isinstance(row, tuple))
    assert [number for number in (1, 2, 3) if b"<m%d@x.test>" % number in headers] == [2, 3]
    assert not RemoteOp.objects.filter(account=account).exclude(state="done").exists()


# --- 5 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qresync", [True, False])
@pytest.mark.parametrize("modseq", [b"HIGHESTMODSEQ 1", b"NOMODSEQ"])
def test_f05_highestmodseq_falls_or_goes(
    dovecot: Dovecot,
    proxy: FaultProxy,
    account: MailAccount,
    monkeypatch: pytest.MonkeyPatch,
    modseq: bytes,
    qresync: bool,
) -> None:
    """Flags of old messages changed at the same time: reading the newest alone would lose them for good."""

    def in_time() -> None:  # without mod-sequences no more is promised about old flags
        Mailbox.objects.filter(account=account).update(full_flags_at=None)
        sync(account)

    monkeypatch.setattr(plan, "RECENT_FLAGS", 10)
    if not qresync:
        proxy.rule("to_client", rb"CAPABILITY", without("QRESYNC"), nth=None)
    dovecot.load_maildir(account.address, [message(n) for n in range(60)])
    sync(account)
    proxy.rule("to_client", rb"HIGHESTMODSEQ \d", replace(modseq, part=rb"HIGHESTMODSEQ \d+"), nth=None)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "3:5,58", "+FLAGS", r"(\Seen \Flagged)")
        client.uid("MOVE", "20", "Archive")
        client.append("INBOX", None, None, message(900))
    sync(account)
    if modseq == b"NOMODSEQ":
        in_time()
    check(dovecot, account)
    proxy.clear()
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "7", "+FLAGS", r"(\Answered)")
    sync(account)
    if modseq == b"NOMODSEQ":
        in_time()
    check(dovecot, account)


def test_f05_highestmodseq_jumps(dovecot: Dovecot, account: MailAccount) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(20)])
    sync(account)
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--min-highest-modseq", "900000", "INBOX")
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "3", "+FLAGS", r"(\Seen)")
    sync(account)
    check(dovecot, account)
    assert (inbox(account).highestmodseq or 0) >= 900_000


# --- 6 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [(), ("QRESYNC", "CONDSTORE", "ESEARCH")], ids=["all", "few"])
def test_f06_uidnext_jumps(dovecot: Dovecot, proxy: FaultProxy, account: MailAccount, lacking: tuple[str, ...]) -> None:
    proxy.rule("to_client", rb"CAPABILITY", without(*lacking, "-"), nth=None)
    dovecot.load_maildir(account.address, [message(n) for n in range(9)])
    sync(account)
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--min-next-uid", "5000", "INBOX")
    said = len(proxy.commands)
    sync(account)
    check(dovecot, account)
    assert len([line for line in proxy.commands[said:] if b" UID SEARCH " in line]) <= 1
    assert (inbox(account).verified_high, inbox(account).uidnext) == (4999, 5000)
    said = len(proxy.commands)
    dovecot.deliver(account.address, message(77))
    sync(account)
    check(dovecot, account)
    assert len([line for line in proxy.commands[said:] if b" UID SEARCH " in line]) <= 1
    assert inbox(account).verified_high == 5000


# --- 7 ---------------------------------------------------------------------------------------------------------------


def test_f07_uidnext_is_told_too_low(dovecot: Dovecot, proxy: FaultProxy, account: MailAccount) -> None:
    dovecot.load_maildir(account.address, [message(n) for n in range(30)])
    sync(account)
    before = identities(account)
    rule = proxy.rule("to_client", rb"UIDNEXT 3\d", replace(b"UIDNEXT 21", part=rb"UIDNEXT 3\d"), nth=None)
    for number in (901, 902):
        dovecot.deliver(account.address, message(number))
        sync(account)
        assert before <= identities(account)
        assert inbox(account).total >= 30
    assert rule.hits
    proxy.clear()
    sync(account)
    check(dovecot, account)


class Backup:
    """The user's Maildir as it is now, to be put back later: the numbering goes back with it."""

    def __init__(self, dovecot: Dovecot, address: str, folder: Path) -> None:
        self.live = dovecot.home / "mail" / address.split("@", 1)[0] / "maildir"
        self.kept = folder / "kept"
        shutil.copytree(self.live, self.kept)

    def put_back(self) -> None:
        shutil.rmtree(self.live)
        shutil.copytree(self.kept, self.live)
        for path in self._all():
            give(path, unprivileged())

    def _all(self) -> Iterator[Path]:
        yield self.live
        yield from self.live.rglob("*")


@pytest.mark.parametrize("later", [0, 4])
@pytest.mark.parametrize("lacking", [(), ("QRESYNC", "CONDSTORE", "ESEARCH")], ids=["all", "few"])
def test_f07_a_backup_is_put_back(
    dovecot: Dovecot,
    account: MailAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacking: tuple[str, ...],
    later: int,
) -> None:
    """Under the same UIDVALIDITY UIDs are given out a second time, here four of the six before our next look."""
    forbid(monkeypatch, *lacking)
    dovecot.load_maildir(account.address, [message(n) for n in range(30)])
    sync(account)
    backup = Backup(dovecot, account.address, tmp_path)
    for number in range(6):
        dovecot.deliver(account.address, message(900 + number))
    sync(account)
    backup.put_back()
    for number in range(later):
        dovecot.deliver(account.address, message(700 + number))
    sync(account)
    check(dovecot, account)
    for number in range(3):
        dovecot.deliver(account.address, message(800 + number))
    sync(account)
    check(dovecot, account)
    wanted = [*range(30), *range(700, 700 + later), 800, 801, 802]
    shown = Placement.objects.filter(mailbox=inbox(account), state=Placement.State.LIVE).order_by("uid")
    assert [row.message.message_id for row in shown.select_related("message")] == [f"m{n}@x.test" for n in wanted]
