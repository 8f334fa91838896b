"""What is peculiar to Cyrus: mailbox ids, expunges that stay remembered, UIDVALIDITY that two mailboxes may share."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import (
    check,
    conversations,
    fill,
    forbid,
    imap_account,
    lock,
    message,
    on_server,
    other_client,
    sync,
)
from tests.support.cyrus import Cyrus
from webmail.models import Mailbox, Placement, RemoteOp
from webmail.protocols.imap import Session
from webmail.services import mailboxes, targets
from webmail.services.ops import Spot
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(cyrus: Cyrus) -> MailAccount:
    """An account whose inbox of forty messages is here."""
    made = imap_account(cyrus)
    cyrus.deliver(made.address, *conversations(0, 40))
    sync(made)
    return made


def box(account: MailAccount, name: str) -> Mailbox:
    return Mailbox.objects.get(account=account, name=name)


def spots(account: MailAccount, name: str, *uids: int) -> list[Spot]:
    return lock(targets.in_mailbox(account.user, box(account, name)).filter(uid__in=uids))


def test_every_mailbox_has_its_identity(cyrus: Cyrus, account: MailAccount) -> None:
    with other_client(cyrus, account.address) as client:
        client.create("Work/&ANY-l")
        fill(client, "Work/&ANY-l", conversations(300, 320))
    sync(account)
    check(cyrus, account)
    assert Mailbox.objects.filter(account=account, phase="live").count() == 8
    assert not Mailbox.objects.filter(account=account, phase="live", mailbox_id="").exists()


def test_marks_and_departures_appear_without_condstore(
    cyrus: Cyrus, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "CONDSTORE", "QRESYNC", "ESEARCH", "LIST-STATUS", "OBJECTID")
    sync(account)
    with other_client(cyrus, account.address) as client:
        client.uid("STORE", "1:10", "+FLAGS", r"(\Seen)")
        client.uid("MOVE", "15:18", "Archive")
        fill(client, "INBOX", [message(9000)])
    sync(account)
    check(cyrus, account)


@pytest.mark.parametrize("lacking", [(), ("OBJECTID",)], ids=["by id", "by numbers"])
def test_f04_a_renamed_folder_is_not_downloaded_again(
    cyrus: Cyrus, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...]
) -> None:
    forbid(monkeypatch, *lacking)
    account = imap_account(cyrus)
    with other_client(cyrus, account.address) as client:
        client.create("Projects")
        client.create("Projects/Deep")
        fill(client, "Projects", conversations(100, 112))
        fill(client, "Projects/Deep", conversations(120, 125))
    sync(account)
    rows = set(Placement.objects.filter(account=account).values_list("pk", "mailbox", "message"))
    with other_client(cyrus, account.address) as client:
        assert client.rename("Projects", "Old-projects")[0] == "OK"
    fetched: list[object] = []
    fetch = Session.fetch_headers

    def noting(session: Session, *args: Any, **words: Any) -> Any:
        fetched.append((args, words))
        return fetch(session, *args, **words)

    monkeypatch.setattr(Session, "fetch_headers", noting)
    sync(account)
    assert not fetched
    check(cyrus, account)
    assert set(Placement.objects.filter(account=account).values_list("pk", "mailbox", "message")) == rows
    assert (box(account, "Old-projects").total, box(account, "Old-projects/Deep").total) == (12, 5)


def test_a_folder_renamed_and_its_name_taken_by_another(cyrus: Cyrus, account: MailAccount) -> None:
    with other_client(cyrus, account.address) as client:
        client.create("One")
        fill(client, "One", conversations(100, 106))
    sync(account)
    one = box(account, "One")
    with other_client(cyrus, account.address) as client:
        client.rename("One", "Two")
        client.create("One")
        fill(client, "One", conversations(200, 203))
    sync(account)
    check(cyrus, account)
    assert box(account, "Two").pk == one.pk
    assert box(account, "One").total == 3


def test_a_folder_deleted_here_and_renamed_elsewhere_goes_and_not_the_one_that_has_its_name(
    cyrus: Cyrus, account: MailAccount
) -> None:
    with other_client(cyrus, account.address) as client:
        for name, first in (("One", 100), ("Three", 200)):
            client.create(name)
            fill(client, name, conversations(first, first + first // 50))
    sync(account)
    mailboxes.remove(account.user, box(account, "One"))
    three = box(account, "Three")
    with other_client(cyrus, account.address) as client:
        client.rename("One", "Two")
        client.rename("Three", "One")
    sync(account)
    three.refresh_from_db()
    assert (three.name, three.total) == ("One", 4)
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(cyrus, account)
    assert on_server(cyrus, account.address).keys() & {"One", "Two", "Three"} == {"One"}


def test_remembered_expunges_of_a_busy_mailbox_hide_what_is_gone_and_nothing_else(
    cyrus: Cyrus, account: MailAccount
) -> None:
    """Cyrus keeps expunged messages for weeks and names all of them, and what lies between, in one VANISHED."""
    for start in range(1000, 1200, 100):
        cyrus.deliver(account.address, *conversations(start, start + 100))
        with other_client(cyrus, account.address) as client:
            client.uid("STORE", "41:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
        sync_account(account.pk)
    with other_client(cyrus, account.address) as client:
        client.uid("STORE", "2:39", "+FLAGS", r"(\Deleted)")
        client.expunge()
    cyrus.deliver(account.address, *conversations(3000, 3003))
    sync(account)
    check(cyrus, account)
    assert set(on_server(cyrus, account.address)["INBOX"]) == {1, 40, 241, 242, 243}


def test_an_old_mod_sequence_brings_a_huge_vanished_set(cyrus: Cyrus) -> None:
    account = imap_account(cyrus)
    cyrus.deliver(account.address, *conversations(0, 300))
    sync(account)
    with other_client(cyrus, account.address) as client:
        client.uid("STORE", "1:100,102:300", "+FLAGS", r"(\Deleted)")
        client.expunge()
        fill(client, "INBOX", [message(9000)])
    sync(account)
    check(cyrus, account)
    assert set(on_server(cyrus, account.address)["INBOX"]) == {101, 301}
