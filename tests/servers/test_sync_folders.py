"""Folders a person makes, renames, deletes, shows or hides here reach the server, and come back when it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, here, imap_account, lock, message, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Action, Mailbox, RemoteOp
from webmail.protocols import imap_mailboxes
from webmail.protocols.errors import CommandFailed
from webmail.protocols.imap_wire.encode import Argument
from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.imap_wire.wire import Wire
from webmail.services import actions, mailboxes, targets, undo
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(n) for n in range(10)])
    sync(made)
    return made


def named(account: MailAccount, name: str) -> Mailbox:
    scope = Mailbox.objects.select_related("account").exclude(phase="gone")
    return scope.get(account=account, name=name)


def create(account: MailAccount, leaf: str, parent: Mailbox | None = None) -> Action:
    return mailboxes.create(account.user, account, leaf, parent)


def fill(account: MailAccount, box: Mailbox, *uids: int) -> None:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    actions.move(account.user, "move", lock(targets.in_mailbox(account.user, inbox).filter(uid__in=uids)), box)


def due_now(account: MailAccount) -> None:
    RemoteOp.objects.filter(account=account, state="queued").update(not_before=None)


def subscribed(dovecot: Dovecot, address: str) -> set[str]:
    with other_client(dovecot, address) as client:
        return {line.split(b' "/" ')[1].decode().strip('"') for line in client.lsub()[1] if isinstance(line, bytes)}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The words of the commands that were sent, UID ones with their second word."""
    seen: list[bytes] = []
    run = Wire.run

    def noting(wire: Wire, *words: Argument, **options: Any) -> Iterator[Response]:
        named = [word for word in words[:2] if isinstance(word, bytes)]
        seen.append(b" ".join(named) if named[0] == b"UID" else named[0])
        return run(wire, *words, **options)

    monkeypatch.setattr(Wire, "run", noting)
    return seen


@pytest.mark.parametrize("leaf", ["Räkenskap & moms", "計画 2026", "Ελλάδα", "a~b!c", "x" * 200])
def test_a_folder_of_any_name_is_made_within_another(dovecot: Dovecot, account: MailAccount, leaf: str) -> None:
    create(account, "Projects")
    create(account, leaf, named(account, "Projects"))
    made = named(account, f"Projects/{leaf}")
    fill(account, made, 1, 2)
    sync(account)
    check(dovecot, account)
    made.refresh_from_db()
    assert (made.name, made.total, made.subscribed) == (f"Projects/{leaf}", 2, True)
    assert bytes(made.wire_name).decode() in on_server(dovecot, account.address)


def test_a_renamed_folder_keeps_its_mail_its_children_and_its_subscription(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    create(account, "Trips")
    create(account, "Oslo", named(account, "Trips"))
    fill(account, named(account, "Trips"), 1)
    fill(account, named(account, "Trips/Oslo"), 2, 3)
    sync(account)
    top, below = named(account, "Trips"), named(account, "Trips/Oslo")
    mailboxes.rename(account.user, top, "Voyages")
    mailboxes.rename(account.user, named(account, "Voyages"), "Réisen")
    assert named(account, "Réisen/Oslo").pk == below.pk
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert commands.count(b"RENAME") == 1
    assert {len(rows) for name, rows in here(account).items() if "R&" in name} == {1, 2}
    assert named(account, "Réisen").pk == top.pk
    assert not {"Trips", "Trips/Oslo"} & subscribed(dovecot, account.address)
    assert {"R&AOk-isen", "R&AOk-isen/Oslo"} <= subscribed(dovecot, account.address)


def test_a_look_before_the_rename_was_sent_shows_the_new_name_and_makes_no_second_folder(
    dovecot: Dovecot, account: MailAccount
) -> None:
    create(account, "Old")
    fill(account, named(account, "Old"), 1)
    sync(account)
    mailboxes.rename(account.user, named(account, "Old"), "New")
    mailboxes.subscribe(account.user, named(account, "New"), wanted=False)
    RemoteOp.objects.filter(state="queued").update(not_before="2099-01-01T00:00Z")
    sync(account)
    box = named(account, "New")
    assert (bytes(box.wire_name), box.total, box.subscribed) == (b"Old", 1, False)
    assert not Mailbox.objects.filter(account=account, name="Old").exists()
    due_now(account)
    sync(account)
    check(dovecot, account)
    assert "New" not in subscribed(dovecot, account.address)


def test_names_that_change_places_end_where_the_person_put_them(dovecot: Dovecot, account: MailAccount) -> None:
    for number, leaf in enumerate(("A", "B"), start=1):
        create(account, leaf)
        fill(account, named(account, leaf), number)
    sync(account)
    first, second = named(account, "A"), named(account, "B")
    mailboxes.rename(account.user, first, "T")
    mailboxes.rename(account.user, second, "A")
    mailboxes.rename(account.user, named(account, "T"), "B")
    sync(account)
    check(dovecot, account)
    assert (named(account, "B").pk, named(account, "A").pk) == (first.pk, second.pk)
    assert (named(account, "B").total, named(account, "A").total) == (1, 1)


def test_a_rename_taken_back_before_the_worker_came_sends_nothing(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    create(account, "Old")
    sync(account)
    action = mailboxes.rename(account.user, named(account, "Old"), "New")
    undo.undo(account.user, action)
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert b"RENAME" not in commands
    assert named(account, "Old")


@pytest.mark.parametrize("place", ["op claimed", "op sent"])
def test_a_crash_around_a_rename_renames_once(dovecot: Dovecot, account: MailAccount, place: str) -> None:
    create(account, "Old")
    fill(account, named(account, "Old"), 1)
    sync(account)
    mailboxes.rename(account.user, named(account, "Old"), "New")
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    check(dovecot, account)
    assert named(account, "New").total == 1
    assert not RemoteOp.objects.filter(state="failed").exists()


def test_a_deleted_folder_is_gone_here_at_once_and_there_after_the_time_for_undo(
    dovecot: Dovecot, account: MailAccount
) -> None:
    create(account, "Old")
    create(account, "Inner", named(account, "Old"))
    fill(account, named(account, "Old/Inner"), 1, 2)
    sync(account)
    action = mailboxes.remove(account.user, named(account, "Old"))
    sync(account)  # a listing that still has them brings nothing back
    assert not {"Old", "Old/Inner"} & here(account).keys()
    assert {"Old", "Old/Inner"} <= on_server(dovecot, account.address).keys()
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    assert named(account, "Old/Inner").total == 2
    mailboxes.remove(account.user, named(account, "Old"))
    due_now(account)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert not {"Old", "Old/Inner"} & on_server(dovecot, account.address).keys()
    assert not {"Old", "Old/Inner"} & subscribed(dovecot, account.address)


def test_mail_taken_out_of_a_folder_before_its_deletion_is_safe(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(account, "Old")
    fill(account, named(account, "Old"), 1, 2)
    sync(account)
    old = named(account, "Old")
    inbox = Mailbox.objects.get(account=account, role="inbox")
    actions.move(account.user, "move", lock(targets.in_mailbox(account.user, old))[:1], inbox)
    mailboxes.remove(account.user, old)
    RemoteOp.objects.filter(state="queued", kind="move").update(not_before="2099-01-01T00:00Z")
    RemoteOp.objects.filter(state="queued", kind="remove").update(not_before=None)
    sync(account)
    assert len(on_server(dovecot, account.address)["Old"]) == 2  # not deleted while mail waits to leave it
    due_now(account)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["INBOX"]) == 9


def test_trash_that_was_just_deleted_comes_back_when_it_is_needed(dovecot: Dovecot, account: MailAccount) -> None:
    trash = Mailbox.objects.get(account=account, role="trash")
    mailboxes.remove(account.user, trash)
    inbox = Mailbox.objects.get(account=account, role="inbox")
    actions.delete(account.user, lock(targets.in_mailbox(account.user, inbox).filter(uid=1)))
    due_now(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Trash"]) == 1


@pytest.mark.parametrize("kind", ["create", "rename", "delete", "subscribe"])
def test_what_the_server_refuses_goes_back_and_says_why(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def refuse(*args: object, **words: object) -> None:
        raise CommandFailed("Not while I am the postmaster")

    create(account, "Old")
    create(account, "Inner", named(account, "Old"))
    fill(account, named(account, "Old/Inner"), 1)
    sync(account)
    with monkeypatch.context() as broken:
        broken.setattr(imap_mailboxes, kind, refuse)
        if kind == "create":
            create(account, "Another")
        elif kind == "rename":
            mailboxes.rename(account.user, named(account, "Old"), "New")
        elif kind == "delete":
            mailboxes.remove(account.user, named(account, "Old"))
        else:
            mailboxes.subscribe(account.user, named(account, "Old/Inner"), wanted=False)
        due_now(account)
        sync(account)
    sync(account)
    check(dovecot, account)
    failed = RemoteOp.objects.filter(state="failed")
    assert {op.error for op in failed} == {"Not while I am the postmaster"}
    assert named(account, "Old/Inner").total == 1
    assert named(account, "Old/Inner").subscribed
    assert not Mailbox.objects.filter(account=account, name__in=["Another", "New"]).exclude(phase="gone").exists()


def test_a_folder_made_and_taken_back_at_once_is_never_sent(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    undo.undo(account.user, create(account, "Hasty"))
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert b"CREATE" not in commands
    create(account, "Hasty")  # its name is free again
    sync(account)
    check(dovecot, account)
    assert "Hasty" in on_server(dovecot, account.address)


def test_hiding_the_first_folder_of_an_account_without_subscriptions_keeps_the_others_in_view(
    dovecot: Dovecot, account: MailAccount
) -> None:
    with other_client(dovecot, account.address) as client:
        client.create("One")
        client.create("Two")
    sync(account)
    assert not named(account, "One").subscribed
    mailboxes.subscribe(account.user, named(account, "One"), wanted=False)
    sync(account)
    check(dovecot, account)
    assert "Two" in subscribed(dovecot, account.address)
    assert "One" not in subscribed(dovecot, account.address)


def test_copies_are_seen_at_once_and_bound_to_what_the_server_made(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    archive = Mailbox.objects.get(account=account, role="archive")
    inbox = Mailbox.objects.get(account=account, role="inbox")
    spots = lock(targets.in_mailbox(account.user, inbox).filter(uid__in=[1, 2, 3]))
    actions.copy(account.user, spots, archive)
    archive.refresh_from_db()
    assert archive.total == 3
    copies = lock(targets.in_mailbox(account.user, archive))
    actions.change_flags(account.user, "star", copies[:1], set_=2, clear=0)
    commands.clear()
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"])) == (10, 3)
    assert sum(r"\Flagged" in flags for flags in state["Archive"].values()) == 1
    assert not any(r"\Flagged" in flags for flags in state["INBOX"].values())
    assert commands.count(b"UID COPY") == 1


@pytest.mark.parametrize("place", ["op claimed", "op sent"])
def test_a_crash_around_a_copy_copies_once(dovecot: Dovecot, account: MailAccount, place: str) -> None:
    archive = Mailbox.objects.get(account=account, role="archive")
    inbox = Mailbox.objects.get(account=account, role="inbox")
    actions.copy(account.user, lock(targets.in_mailbox(account.user, inbox).filter(uid__in=[1, 2])), archive)
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Archive"]) == 2


@pytest.mark.parametrize("synced", [False, True])
def test_copies_taken_back_are_gone_on_both_sides(dovecot: Dovecot, account: MailAccount, synced: bool) -> None:
    archive = Mailbox.objects.get(account=account, role="archive")
    inbox = Mailbox.objects.get(account=account, role="inbox")
    spots = lock(targets.in_mailbox(account.user, inbox).filter(uid__in=[1, 2]))
    action = actions.copy(account.user, spots, archive)
    if synced:
        sync(account)
    undo.undo(account.user, action)
    due_now(account)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"])) == (10, 0)


def test_star_unstar_star_before_the_worker_comes_is_one_store(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    for set_, clear in ((2, 0), (0, 2), (2, 0)):
        spots = lock(targets.in_mailbox(account.user, inbox).filter(uid=4))
        actions.change_flags(account.user, "star", spots, set_=set_, clear=clear)
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert commands.count(b"UID STORE") == 1
    assert on_server(dovecot, account.address)["INBOX"][4] == {r"\Flagged"}


def test_a_message_moved_on_twice_takes_one_command_a_step(
    dovecot: Dovecot, account: MailAccount, commands: list[bytes]
) -> None:
    roles = {role: Mailbox.objects.get(account=account, role=role) for role in ("inbox", "archive", "junk")}
    for source, to in (("inbox", "archive"), ("archive", "junk")):
        actions.move(account.user, "move", lock(targets.in_mailbox(account.user, roles[source]))[:4], roles[to])
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert commands.count(b"UID MOVE") == 2
    assert len(on_server(dovecot, account.address)["Junk"]) == 4


def test_emptying_trash_is_one_store_and_one_expunge(dovecot: Dovecot, commands: list[bytes]) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(1200)])
    sync(account)
    inbox, trash = (Mailbox.objects.get(account=account, role=role) for role in ("inbox", "trash"))
    actions.delete(account.user, lock(targets.in_mailbox(account.user, inbox)))
    sync(account)
    check(dovecot, account)
    actions.delete(account.user, lock(targets.in_mailbox(account.user, trash)))
    assert RemoteOp.objects.filter(kind="expunge").count() == 3
    due_now(account)
    commands.clear()
    sync(account)
    check(dovecot, account)
    assert (commands.count(b"UID STORE"), commands.count(b"UID EXPUNGE")) == (1, 1)
    assert on_server(dovecot, account.address)["Trash"] == {}
