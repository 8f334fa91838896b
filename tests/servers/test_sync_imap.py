"""Reading an IMAP account, compared UID by UID and flag by flag with a real Dovecot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, forbid, here, imap_account, message, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Mailbox, Message, MessageBody, Placement, Thread
from webmail.protocols import imap_select
from webmail.protocols.imap import Session
from webmail.protocols.values import Selected, UidSet
from webmail.sync import backfill, failpoints, fetch, rows
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


def conversations(count: int) -> list[bytes]:
    """Conversations of four messages each."""
    return [message(n, parent=n - 1 if n % 4 else None, subject=f"Topic {n // 4}") for n in range(count)]


def test_a_first_sync_brings_everything(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(2000), flags="S")
    dovecot.load_maildir(account.address, conversations(60), mailbox="Work/&ANY-l")
    sync(account)
    check(dovecot, account)
    assert Message.objects.filter(account=account).count() == 2000
    assert Thread.objects.filter(account=account, merged_into=None).count() == 500


def test_the_newest_are_there_after_the_first_pass(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(500))
    result = sync_account(account.pk)
    uids = set(Placement.objects.filter(account=account).values_list("uid", flat=True))
    assert result.older
    assert uids == set(range(301, 501))


def test_what_another_client_does_appears(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(300))
    sync(account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1:40", "+FLAGS", r"(\Seen $Label)")
        client.uid("STORE", "50", "+FLAGS", r"(\Flagged)")
        client.uid("MOVE", "60:80", "Archive")
        client.uid("STORE", "100:110", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.append("INBOX", r"(\Seen)", None, message(9000))
    sync(account)
    check(dovecot, account)


def test_marks_and_departures_appear_without_condstore(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "CONDSTORE", "QRESYNC", "ESEARCH", "LIST-STATUS")
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(300))
    sync(account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1:40", "+FLAGS", r"(\Seen)")
        client.uid("MOVE", "60:80", "Archive")
        client.append("INBOX", None, None, message(9000))
    sync(account)
    check(dovecot, account)


def test_departures_appear_with_condstore_alone(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "QRESYNC")
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(300))
    sync(account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1:40", "+FLAGS", r"(\Answered)")
        client.uid("MOVE", "60:80", "Archive")
        client.append("INBOX", None, None, message(9000))
    sync(account)
    check(dovecot, account)


def test_a_renumbered_mailbox_keeps_ids_bodies_and_threads(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(260))
    sync(account)
    before = set(Message.objects.filter(account=account).values_list("pk", "message_id", "thread_id"))
    bodies = set(MessageBody.objects.filter(account=account).values_list("pk", flat=True))
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--uid-validity", "99", "INBOX")
    sync(account)
    check(dovecot, account)
    assert set(Message.objects.filter(account=account).values_list("pk", "message_id", "thread_id")) == before
    assert set(MessageBody.objects.filter(account=account).values_list("pk", flat=True)) >= bodies
    assert Mailbox.objects.get(account=account, role="inbox").gen == 2


@pytest.mark.parametrize("place", ["before batch", "after batch", "before vanish", "before cursor"])
def test_a_killed_pass_is_repeated_without_loss_or_doubles(dovecot: Dovecot, place: str) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(1300))
    reached = 0

    def die() -> None:
        nonlocal reached
        reached += 1
        if reached % 2:
            raise SystemExit

    sync_account(account.pk)
    failpoints.arm(place, die)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1290:1295", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.append("INBOX", None, None, message(9000))
    for older in (False, True, True):
        try:
            sync_account(account.pk, older=older)
        except SystemExit:
            continue
    failpoints.disarm()
    assert reached
    sync(account)
    check(dovecot, account)


def test_folders_are_recognised_renamed_and_given_up(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(8), mailbox="Projekte")
    sync(account)
    box = Mailbox.objects.get(account=account, name="Projekte")
    roles = dict(Mailbox.objects.filter(account=account).exclude(role="").values_list("role", "name"))
    assert roles == {name.lower(): name for name in ("INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive")}
    with other_client(dovecot, account.address) as client:
        client.rename("Projekte", "Alte-Projekte")
    sync(account)
    box.refresh_from_db()
    assert box.name == "Alte-Projekte"
    check(dovecot, account)
    with other_client(dovecot, account.address) as client:
        client.delete("Alte-Projekte")
    sync(account)
    sync(account)
    box.refresh_from_db()
    assert box.phase == "gone"
    check(dovecot, account)


def test_a_renamed_folder_is_recognised_by_its_counters_on_a_server_that_lists_none(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "LIST-STATUS", "OBJECTID")
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(8), mailbox="Projekte")
    sync(account)
    box = Mailbox.objects.get(account=account, name="Projekte")
    with other_client(dovecot, account.address) as client:
        client.rename("Projekte", "Alte-Projekte")
    sync(account)
    check(dovecot, account)
    box.refresh_from_db()
    assert (box.name, box.total) == ("Alte-Projekte", 8)


def test_odd_folder_names_are_listed_and_read(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    names = ["R &- D", "Entw&APw-rfe 2", "a b  c", "It's", "100%"]
    with other_client(dovecot, account.address) as client:
        for name in names:
            assert client.create(f'"{name}"')[0] == "OK"
            client.append(f'"{name}"', None, None, message(1))
    sync(account)
    shown = set(Mailbox.objects.filter(account=account, role="", total=1).values_list("name", flat=True))
    assert shown == {"R & D", "Entwürfe 2", "a b  c", "It's", "100%"}


def test_a_jump_of_uidnext_converges(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(9))
    sync(account)
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--min-next-uid", "5000", "INBOX")
    dovecot.deliver(account.address, message(77))
    sync(account)
    check(dovecot, account)
    assert Mailbox.objects.get(account=account, role="inbox").verified_high == 5000


def test_the_same_message_in_two_mailboxes_is_one_row(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(4))
    with other_client(dovecot, account.address) as client:
        client.uid("COPY", "1:2", "Archive")
        client.uid("COPY", "1", "INBOX")
    sync(account)
    check(dovecot, account)
    assert Message.objects.filter(account=account).count() == 4
    assert Mailbox.objects.get(account=account, role="inbox").total == 4


def test_nothing_is_asked_of_a_mailbox_that_did_not_change(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(40))
    sync(account)
    sync(account)
    selected: list[bytes] = []
    select = Session.select

    def noting(session: Session, name: bytes, **words: Any) -> Selected:
        selected.append(name)
        return select(session, name, **words)

    monkeypatch.setattr(Session, "select", noting)
    sync(account)
    assert selected == []


def test_a_mass_of_disappearances_is_proven_on_a_second_connection(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(300))
    sync(account)
    dovecot.deliver(account.address, message(9000))
    honest = imap_select.select

    def liar(*args: Any, **words: Any) -> Selected:
        seen = honest(*args, **words)
        return replace(seen, vanished=UidSet.span(1, 290)) if seen.resynced else seen

    monkeypatch.setattr(imap_select, "select", liar)
    sync(account)
    assert here(account) == on_server(dovecot, account.address)


def test_an_account_that_vanishes_mid_sync_ends_quietly(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(600))
    pk = account.pk
    failpoints.arm("after batch", lambda: MailAccount.objects.get(pk=pk).delete() and None)
    try:
        sync_account(pk)
    finally:
        failpoints.disarm()
    assert not MailAccount.objects.filter(pk=pk).exists()
    assert not Placement.objects.exists()


def test_one_row_the_database_refuses_costs_itself_only(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, conversations(230))
    parse = rows.incoming

    def poisoned(*args: Any, **words: Any) -> rows.Incoming:
        row = parse(*args, **words)
        return replace(row, subject="\0") if row.uid in (5, 225) else row

    with monkeypatch.context() as broken:
        broken.setattr(fetch, "incoming", poisoned)
        broken.setattr(backfill, "incoming", poisoned)
        sync(account)
    bad = Placement.objects.filter(account=account, state=Placement.State.UNFETCHABLE)
    assert set(bad.values_list("uid", "problem")) == {(5, "unstorable"), (225, "unstorable")}
    assert Mailbox.objects.get(account=account, role="inbox").total == 228
    Mailbox.objects.update(full_enum_at=None)
    dovecot.deliver(account.address, message(9000))
    sync(account)
    check(dovecot, account)
