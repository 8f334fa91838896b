"""A Courier account: everything below `INBOX.`, no mod-sequences, no MOVE, roles by name only; and its POP3."""

from __future__ import annotations

import imaplib
import time

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, imap_account, lock, message, on_server, other_client, pop_account, sync
from tests.support.courier import Courier
from webmail.models import Flag, Mailbox, Message, MessageBody, Placement, PopUid, RemoteOp
from webmail.services import actions, targets
from webmail.services.ops import Spot

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = ("Sent", "Drafts", "Junk", "Trash", "Archive")


def conversations(first: int, behind: int) -> list[bytes]:
    return [message(n, parent=n - 1 if n % 4 else None) for n in range(first, behind)]


def fill(client: imaplib.IMAP4, name: str, messages: list[bytes]) -> None:
    for one in messages:
        assert client.append(name, None, None, one)[0] == "OK"


def look_at_all(account: MailAccount) -> None:
    """As after the half hour in which flags are not read again without mod-sequences."""
    Mailbox.objects.filter(account=account).update(full_flags_at=None)
    sync(account)


@pytest.fixture
def account(courier: Courier) -> MailAccount:
    """An account with folders of the usual names, whose inbox of forty messages is here."""
    made = imap_account(courier)
    courier.deliver(made.address, *conversations(0, 40))
    with other_client(courier, made.address) as client:
        for name in ROLES:
            assert client.create(f"INBOX.{name}")[0] == "OK"
    sync(made)
    return made


def box(account: MailAccount, wire_name: str) -> Mailbox:
    return Mailbox.objects.get(account=account, wire_name=wire_name.encode())


def spots(account: MailAccount, name: str, *uids: int) -> list[Spot]:
    return lock(targets.in_mailbox(account.user, box(account, name)).filter(uid__in=uids))


def test_a_first_sync_brings_everything(courier: Courier) -> None:
    account = imap_account(courier)
    courier.deliver(account.address, *conversations(0, 260))
    with other_client(courier, account.address) as client:
        client.create("INBOX.Work.&ANY-l")
        fill(client, "INBOX.Work.&ANY-l", conversations(300, 320))
        client.create("INBOX.Gesendet")
    sync(account)
    check(courier, account)
    assert Message.objects.filter(account=account).count() == 280
    assert box(account, "INBOX.Work.&ANY-l").leaf == "Öl"
    assert (box(account, "INBOX").role, box(account, "INBOX.Gesendet").role) == ("inbox", "sent")


def test_roles_are_known_by_their_names_below_the_prefix(account: MailAccount) -> None:
    roles = dict(Mailbox.objects.filter(account=account).exclude(role="").values_list("role", "wire_name"))
    assert {role: bytes(name).decode() for role, name in roles.items()} == {
        "inbox": "INBOX",
        **{name.lower(): f"INBOX.{name}" for name in ROLES},
    }


def test_what_another_client_does_appears(courier: Courier, account: MailAccount) -> None:
    with other_client(courier, account.address) as client:
        client.uid("STORE", "1:10", "+FLAGS", r"(\Seen $Label)")
        client.uid("STORE", "12", "+FLAGS", r"(\Flagged Holiday)")
        client.uid("COPY", "15:18", "INBOX.Archive")
        client.uid("STORE", "15:22", "+FLAGS", r"(\Deleted)")
        client.expunge()
        fill(client, "INBOX", [message(9000)])
    courier.deliver(account.address, message(9001))
    look_at_all(account)
    check(courier, account)
    assert Message.objects.filter(account=account).count() == 42
    assert Placement.objects.get(account=account, uid=12).keywords == ["Holiday"]


def test_what_a_person_does_reaches_the_server(courier: Courier, account: MailAccount) -> None:
    actions.change_flags(account.user, "read", spots(account, "INBOX", *range(1, 11)), set_=Flag.SEEN, clear=0)
    actions.move(account.user, "move", spots(account, "INBOX", 20, 21, 22), box(account, "INBOX.Archive"))
    actions.delete(account.user, spots(account, "INBOX", 30, 31))
    sync(account)
    check(courier, account)
    state = on_server(courier, account.address)
    assert {name: len(rows) for name, rows in state.items() if rows} == {
        "INBOX": 35,
        "INBOX.Archive": 3,
        "INBOX.Trash": 2,
    }
    assert sum("\\Seen" in flags for flags in state["INBOX"].values()) == 10
    actions.delete(account.user, lock(targets.in_mailbox(account.user, box(account, "INBOX.Trash"))))
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(courier, account)
    assert on_server(courier, account.address)["INBOX.Trash"] == {}


def test_a_first_folder_made_here_lies_below_the_prefix(courier: Courier) -> None:
    account = imap_account(courier)
    courier.deliver(account.address, *conversations(0, 4))
    sync(account)
    actions.to_role(account.user, "archive", spots(account, "INBOX", 1, 2), "archive")
    sync(account)
    check(courier, account)
    assert len(on_server(courier, account.address)["INBOX.Archive"]) == 2


def test_f03_a_folder_made_anew_under_its_name_is_another_folder(courier: Courier, account: MailAccount) -> None:
    with other_client(courier, account.address) as client:
        client.create("INBOX.Projects")
        fill(client, "INBOX.Projects", conversations(100, 112))
    sync(account)
    old = set(Placement.objects.filter(mailbox=box(account, "INBOX.Projects")).values_list("pk", flat=True))
    with other_client(courier, account.address) as client:
        client.delete("INBOX.Projects")
        client.create("INBOX.Projects")
        fill(client, "INBOX.Projects", conversations(200, 205))
    look_at_all(account)
    check(courier, account)
    assert set(Placement.objects.filter(pk__in=old).values_list("state", flat=True)) == {Placement.State.GONE}


def test_f04_a_renamed_folder_keeps_its_messages_and_bodies(courier: Courier, account: MailAccount) -> None:
    """Courier numbers a renamed folder anew and gives it no identity: the list is read again, nothing else is."""
    with other_client(courier, account.address) as client:
        client.create("INBOX.Projects")
        fill(client, "INBOX.Projects", conversations(100, 112))
    sync(account)
    messages = set(Message.objects.filter(account=account).values_list("pk", "thread"))
    bodies = set(MessageBody.objects.filter(account=account).values_list("pk", flat=True))
    with other_client(courier, account.address) as client:
        assert client.rename("INBOX.Projects", "INBOX.Old")[0] == "OK"
    sync(account)
    sync(account)
    check(courier, account)
    assert box(account, "INBOX.Projects").phase == "gone"
    assert set(Message.objects.filter(account=account).values_list("pk", "thread")) == messages
    assert set(MessageBody.objects.filter(account=account).values_list("pk", flat=True)) >= bodies


def test_folders_of_one_uidvalidity_stay_apart(courier: Courier, account: MailAccount) -> None:
    with other_client(courier, account.address) as client:
        for name, first in (("INBOX.Sent", 100), ("INBOX.Junk", 200)):
            fill(client, name, conversations(first, first + 5))
    sync(account)
    numbers = Mailbox.objects.filter(account=account, role__in=["sent", "junk"]).values_list("uidvalidity", "uidnext")
    assert len(set(numbers)) == 1
    check(courier, account)
    with other_client(courier, account.address, "INBOX.Sent") as client:
        client.uid("STORE", "1:3", "+FLAGS", r"(\Deleted)")
        client.expunge()
    sync(account)
    check(courier, account)


def test_a_mailbox_nobody_opened_for_writing_keeps_its_numbering(courier: Courier) -> None:
    account = imap_account(courier)
    courier.deliver(account.address, *conversations(0, 4))
    sync(account)
    time.sleep(1.1)  # Courier makes up a UIDVALIDITY from the second it is
    courier.deliver(account.address, message(9000))
    sync(account)
    check(courier, account)
    assert box(account, "INBOX").gen == 1


def test_pop3_downloads_each_message_once_and_leaves_it_there(courier: Courier) -> None:
    account = pop_account(courier)
    courier.deliver(account.address, *conversations(0, 12))
    sync(account)
    courier.deliver(account.address, message(20))
    sync(account)
    assert PopUid.objects.filter(account=account, state="fetched").count() == 13
    assert Message.objects.filter(account=account).count() == 13
    with other_client(courier, account.address) as client:
        assert client.select("INBOX")[1] == [b"13"]
