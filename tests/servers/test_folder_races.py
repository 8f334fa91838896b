"""What another program does to a folder between a person's deletion or renaming and the command that carries it out."""

from __future__ import annotations

import imaplib

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import (
    account_on,
    check,
    imap_account,
    lock,
    message,
    on_server,
    other_client,
    sync,
)
from tests.support.cyrus import Cyrus
from tests.support.dovecot import Dovecot
from webmail.models import Mailbox, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import CommandFailed
from webmail.services import actions, mailboxes, targets, undo, unsynced

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    """An account with the folders Old (two messages) and Other (three)."""
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(n) for n in range(10)])
    with other_client(dovecot, made.address) as client:
        fill(client, "Old", 100, 102)
        fill(client, "Other", 200, 203)
    sync(made)
    return made


def fill(client: imaplib.IMAP4, name: str, first: int, behind: int) -> None:
    client.create(name)
    for number in range(first, behind):
        assert client.append(name, None, None, message(number))[0] == "OK"


def named(account: MailAccount, name: str) -> Mailbox:
    scope = Mailbox.objects.select_related("account").exclude(phase="gone")
    return scope.get(account=account, name=name)


def removed(account: MailAccount, name: str) -> None:
    mailboxes.remove(account.user, named(account, name))
    RemoteOp.objects.filter(account=account, state="queued").update(not_before=None)


def refusal(account: MailAccount) -> str:
    return RemoteOp.objects.get(account=account, state="failed").error


def test_mail_that_came_after_the_deletion_brings_the_folder_back(dovecot: Dovecot, account: MailAccount) -> None:
    removed(account, "Old")
    with other_client(dovecot, account.address) as client:
        fill(client, "Old", 102, 103)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert named(account, "Old").total == len(on_server(dovecot, account.address)["Old"]) == 3
    assert "mail came" in refusal(account)
    unsynced.try_again(account.user, RemoteOp.objects.get(state="failed"))  # having seen it, its owner means it
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert "Old" not in on_server(dovecot, account.address)


def test_mail_that_came_is_also_seen_where_a_move_out_of_the_folder_looked_first(
    dovecot: Dovecot, account: MailAccount
) -> None:
    """Such a look stores the new mail and moves the cursor: what counts is what was there when the person decided."""
    old, inbox = named(account, "Old"), Mailbox.objects.get(account=account, role="inbox")
    actions.move(account.user, "move", lock(targets.in_mailbox(account.user, old))[:1], inbox)
    removed(account, "Old")
    RemoteOp.objects.filter(kind="move").update(uids=[None])  # makes it look for its message in the folder first
    with other_client(dovecot, account.address) as client:
        fill(client, "Old", 102, 103)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Old"]) == 2


def test_mail_the_person_put_there_before_the_deletion_goes_with_it(dovecot: Dovecot, account: MailAccount) -> None:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    spots = lock(targets.in_mailbox(account.user, inbox).filter(uid__in=[1, 2]))
    actions.move(account.user, "move", spots, named(account, "Old"))
    actions.copy(account.user, lock(targets.in_mailbox(account.user, inbox).filter(uid=3)), named(account, "Old"))
    removed(account, "Old")
    sync(account)
    check(dovecot, account)
    assert "Old" not in on_server(dovecot, account.address)
    assert not RemoteOp.objects.filter(state="failed").exists()


def test_a_folder_is_not_deleted_with_mail_whose_move_out_of_it_the_server_refused(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise CommandFailed("[OVERQUOTA] Quota exceeded", code="OVERQUOTA", permanent=True)

    monkeypatch.setattr(imap_change, "move", full)
    old, inbox = named(account, "Old"), Mailbox.objects.get(account=account, role="inbox")
    actions.move(account.user, "move", lock(targets.in_mailbox(account.user, old))[:1], inbox)
    removed(account, "Old")
    sync(account)
    sync(account)
    check(dovecot, account)
    assert named(account, "Old").total == len(on_server(dovecot, account.address)["Old"]) == 2
    assert "mail" in RemoteOp.objects.get(kind="remove", state="failed").error


def test_a_folder_nobody_here_has_looked_into_is_not_deleted_with_mail_in_it(
    dovecot: Dovecot, account: MailAccount
) -> None:
    mailboxes.create(account.user, account, "Fresh")
    sync(account)
    Mailbox.objects.filter(account=account, name="Fresh").update(uidvalidity=None, uidnext=None, mailbox_id="")
    removed(account, "Fresh")
    with other_client(dovecot, account.address) as client:
        fill(client, "Fresh", 300, 301)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Fresh"]) == 1


@pytest.mark.parametrize("how", ["made anew", "another one renamed"])
def test_another_folder_under_the_name_is_not_deleted(dovecot: Dovecot, account: MailAccount, how: str) -> None:
    removed(account, "Old")
    with other_client(dovecot, account.address) as client:
        assert client.delete("Old")[0] == "OK"
        if how == "made anew":
            fill(client, "Old", 400, 402)
        else:
            assert client.rename("Other", "Old")[0] == "OK"
    before = on_server(dovecot, account.address)["Old"]
    sync(account)
    sync(account)
    check(dovecot, account)
    assert on_server(dovecot, account.address)["Old"] == before
    assert "another folder" in refusal(account)


def test_another_folder_under_the_name_is_not_renamed(dovecot: Dovecot, account: MailAccount) -> None:
    mailboxes.rename(account.user, named(account, "Old"), "New")
    with other_client(dovecot, account.address) as client:
        assert client.rename("Old", "Elsewhere")[0] == "OK"
        assert client.rename("Other", "Old")[0] == "OK"
    sync(account)
    sync(account)
    check(dovecot, account)
    assert {"Elsewhere", "Old"} <= on_server(dovecot, account.address).keys()
    assert "New" not in on_server(dovecot, account.address)
    assert named(account, "Old").total == 3


def test_a_folder_that_is_gone_already_is_deleted_without_complaint(dovecot: Dovecot, account: MailAccount) -> None:
    removed(account, "Old")
    with other_client(dovecot, account.address) as client:
        assert client.delete("Old")[0] == "OK"
    sync(account)
    check(dovecot, account)
    assert not RemoteOp.objects.filter(state="failed").exists()


def test_an_undo_while_the_deletion_is_on_the_wire_says_the_truth(dovecot: Dovecot, account: MailAccount) -> None:
    """Too late to take back: the folder stays gone here as it goes there."""
    action = mailboxes.remove(account.user, named(account, "Old"))
    RemoteOp.objects.filter(kind="remove").update(state="inflight", attempts=1, not_before=None)
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    assert "Old" not in on_server(dovecot, account.address)


@pytest.mark.parametrize("kind", ["expunge", "remove", "rename"])
def test_a_folder_of_the_same_uidvalidity_is_told_apart_by_its_identity(cyrus: Cyrus, kind: str) -> None:
    """Cyrus has given two folders one UIDVALIDITY; only MAILBOXID tells that the name belongs to another one now."""
    account = account_on(cyrus.imap_endpoint(), cyrus.add_user())
    with other_client(cyrus, account.address) as client:
        for name, first in (("Old", 100), ("Other", 200)):
            fill(client, name, first, first + 3)
    sync(account)
    box = named(account, "Old")
    Mailbox.objects.filter(pk=box.pk).update(uidvalidity=named(account, "Other").uidvalidity)
    if kind == "expunge":
        actions.expunge(account.user, lock(targets.in_mailbox(account.user, box)))
    elif kind == "remove":
        mailboxes.remove(account.user, box)
    else:
        mailboxes.rename(account.user, box, "Renamed")
    with other_client(cyrus, account.address) as client:
        assert client.delete("Old")[0] == "OK"
        assert client.rename("Other", "Old")[0] == "OK"
    for _ in range(2):
        RemoteOp.objects.filter(state="queued").update(not_before=None)
        sync(account)
    assert len(on_server(cyrus, account.address)["Old"]) == 3
    check(cyrus, account)
