"""What is peculiar to Courier: everything below `INBOX.`, numbering by the second, no identities; and its POP3."""

from __future__ import annotations

import time

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import (
    check,
    conversations,
    fill,
    imap_account,
    lock,
    message,
    on_server,
    other_client,
    pop_account,
    sync,
)
from tests.support.courier import Courier
from webmail.models import Mailbox, Message, MessageBody, PopUid
from webmail.services import actions, targets
from webmail.services.ops import Spot

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = ("Sent", "Drafts", "Junk", "Trash", "Archive")


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


def test_a_role_is_known_by_a_localised_name_below_the_prefix(courier: Courier) -> None:
    account = imap_account(courier)
    with other_client(courier, account.address) as client:
        client.create("INBOX.Gesendet")
    sync(account)
    assert (box(account, "INBOX").role, box(account, "INBOX.Gesendet").role) == ("inbox", "sent")


def test_a_first_folder_made_here_lies_below_the_prefix(courier: Courier) -> None:
    account = imap_account(courier)
    courier.deliver(account.address, *conversations(0, 4))
    sync(account)
    actions.to_role(account.user, "archive", spots(account, "INBOX", 1, 2), "archive")
    sync(account)
    check(courier, account)
    assert len(on_server(courier, account.address)["INBOX.Archive"]) == 2


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
