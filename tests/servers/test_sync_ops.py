"""What a person does reaches the server, once, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import MailAccount
from tests.servers.ops_rig import account, box, spots
from tests.servers.sync_rig import check, forbid, here, lock, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox, Placement, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import CommandFailed, ConnectionLost
from webmail.protocols.values import MoveResult
from webmail.services import actions, targets, undo
from webmail.sync import failpoints
from webmail.sync.account import sync_account

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_marks_reach_the_server(dovecot: Dovecot, account: MailAccount) -> None:
    actions.change_flags(account.user, "read", spots(account, *range(1, 21)), set_=Flag.SEEN, clear=0)
    actions.change_flags(account.user, "star", spots(account, 5), set_=Flag.FLAGGED, clear=0)
    actions.change_flags(account.user, "unread", spots(account, 6), set_=0, clear=Flag.SEEN)
    sync(account)
    check(dovecot, account)
    flags = on_server(dovecot, account.address)["INBOX"]
    assert flags[5] == {r"\Seen", r"\Flagged"}
    assert not flags[6]


def test_moves_and_deletions_reach_the_server(dovecot: Dovecot, account: MailAccount) -> None:
    actions.move(account.user, "move", spots(account, *range(1, 31)), box(account, "archive"))
    actions.delete(account.user, spots(account, 40))
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"]), len(state["Trash"])) == (29, 30, 1)


def test_a_deletion_for_good_waits_for_undo(dovecot: Dovecot, account: MailAccount) -> None:
    actions.delete(account.user, spots(account, 1, 2))
    sync(account)
    with_trash = lock(targets.in_mailbox(account.user, box(account, "trash")))
    action = actions.delete(account.user, with_trash)
    sync(account)
    assert len(on_server(dovecot, account.address)["Trash"]) == 2
    assert here(account)["Trash"] == {}
    undo.undo(account.user, action)
    check(dovecot, account)
    actions.delete(account.user, with_trash)
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert on_server(dovecot, account.address)["Trash"] == {}


def test_a_chain_of_moves_before_any_sync_ends_in_the_last_place(dovecot: Dovecot, account: MailAccount) -> None:
    actions.move(account.user, "move", spots(account, 1, 2, 3), box(account, "archive"))
    moved = lock(targets.in_mailbox(account.user, box(account, "archive")))
    actions.change_flags(account.user, "star", moved, set_=Flag.FLAGGED, clear=0)
    actions.move(account.user, "move", moved, box(account, "junk"))
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert list(state["Junk"].values()) == [frozenset({r"\Flagged"})] * 3
    assert not state["Archive"]


def test_undo_before_the_worker_came_sends_nothing(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    undo.undo(account.user, action)
    monkeypatch.setattr(imap_change, "move", None)
    sync(account)
    check(dovecot, account)


def test_undo_after_the_worker_came_moves_back(dovecot: Dovecot, account: MailAccount) -> None:
    action = actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    sync(account)
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["INBOX"]) == 60


def test_local_marks_win_until_the_server_has_them(dovecot: Dovecot, account: MailAccount) -> None:
    actions.change_flags(account.user, "read", spots(account, 7), set_=Flag.SEEN, clear=0)
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "7", "+FLAGS", r"(\Flagged)")
    sync(account)
    row = Placement.objects.get(account=account, uid=7, mailbox=box(account, "inbox"))
    assert (row.flags, row.server_flags) == (Flag.SEEN | Flag.FLAGGED, Flag.FLAGGED)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    check(dovecot, account)


@pytest.mark.parametrize("place", ["op claimed", "op sent"])
@pytest.mark.parametrize("poor", [False, True], ids=["MOVE", "COPY"])
def test_a_crash_around_a_move_leaves_one_copy(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, place: str, poor: bool
) -> None:
    if poor:
        forbid(monkeypatch, "MOVE")
    actions.move(account.user, "move", spots(account, 1, 2, 3), box(account, "archive"))
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Archive"]) == 3


def test_a_crash_between_copy_and_removal_leaves_one_copy(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "MOVE")
    actions.move(account.user, "move", spots(account, 1, 2, 3), box(account, "archive"))

    def cut(*args: object, **words: object) -> None:
        raise ConnectionLost

    with monkeypatch.context() as broken:
        broken.setattr(imap_change, "store_flags", cut)
        sync_account(account.pk)
    account.refresh_from_db()
    assert account.state == "unreachable"
    assert len(on_server(dovecot, account.address)["Archive"]) == 3
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Archive"]) == 3


def test_a_refused_move_goes_back_and_says_why(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise CommandFailed("[OVERQUOTA] Quota exceeded", code="OVERQUOTA", permanent=True)

    monkeypatch.setattr(imap_change, "move", refuse)
    actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    sync(account)
    check(dovecot, account)
    assert list(RemoteOp.objects.values_list("state", "error")) == [("failed", "[OVERQUOTA] Quota exceeded")]


def test_refused_marks_go_back(dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **words: object) -> None:
        raise CommandFailed("[NOPERM] No", code="NOPERM", permanent=True)

    with monkeypatch.context() as broken:
        broken.setattr(imap_change, "store_flags", refuse)
        actions.change_flags(account.user, "read", spots(account, 1, 2), set_=Flag.SEEN, clear=0)
        sync(account)
    check(dovecot, account)
    assert RemoteOp.objects.get().state == "failed"


def test_a_message_that_is_gone_elsewhere_is_given_up(dovecot: Dovecot, account: MailAccount) -> None:
    actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
    sync(account)
    check(dovecot, account)
    assert "no longer" in RemoteOp.objects.get().error


def test_a_new_folder_is_made_on_the_server_before_mail_goes_there(dovecot: Dovecot, account: MailAccount) -> None:
    with other_client(dovecot, account.address) as client:
        client.delete("Archive")
    made = Mailbox.objects.create(account=account, wire_name=b"Later", name="Later", delimiter="/")
    RemoteOp.objects.create(account=account, kind="create", mailbox=made)
    actions.move(account.user, "move", spots(account, 1), made)
    sync(account)
    assert len(on_server(dovecot, account.address)["Later"]) == 1
    assert here(account)["Later"] == on_server(dovecot, account.address)["Later"]


def test_moves_survive_a_renumbered_source(dovecot: Dovecot, account: MailAccount) -> None:
    actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--uid-validity", "77", "INBOX")
    sync(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Archive"]) == 2


def test_an_operation_that_must_wait_is_not_overtaken(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions.change_flags(account.user, "read", spots(account, 1), set_=Flag.SEEN, clear=0)
    actions.move(account.user, "move", spots(account, 2), box(account, "archive"))
    actions.change_flags(account.user, "unread", spots(account, 1), set_=0, clear=Flag.SEEN)

    def busy(*args: object, **words: object) -> None:
        raise CommandFailed("[INUSE] busy", code="INUSE")

    with monkeypatch.context() as broken:
        broken.setattr(imap_change, "store_flags", busy)
        sync(account)
    assert RemoteOp.objects.filter(kind="flags", state="queued").count() == 2
    RemoteOp.objects.update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert not on_server(dovecot, account.address)["INBOX"][1]


def test_what_never_arrived_at_its_destination_is_given_up(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = imap_change.move

    def silent(*args: Any) -> MoveResult:
        move(*args)
        with other_client(dovecot, account.address, "Archive") as client:
            client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
            client.expunge()
        return MoveResult()

    monkeypatch.setattr(imap_change, "move", silent)
    actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    sync(account)
    sync(account)
    check(dovecot, account)
    assert box(account, "archive").total == 1


@pytest.mark.parametrize("kind", ["move", "copy"])
def test_a_server_too_busy_in_the_middle_of_a_move_does_not_double_its_messages(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The messages have been copied, and what was to follow is put off."""
    forbid(monkeypatch, "MOVE")
    getattr(actions, kind)(*_to_archive(account, kind))

    def busy(*args: object, **words: object) -> None:
        raise CommandFailed("[INUSE] busy", code="INUSE")

    copy = imap_change.copy

    def copies(*args: Any) -> None:
        copy(*args)
        busy()

    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(imap_change, *(("store_flags", busy) if kind == "move" else ("copy", copies)))
            sync(account)
        RemoteOp.objects.update(not_before=None)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Archive"]) == 2


def _to_archive(account: MailAccount, kind: str) -> tuple[Any, ...]:
    chosen, archive = spots(account, 1, 2), box(account, "archive")
    return (account.user, kind, chosen, archive) if kind == "move" else (account.user, chosen, archive)


@pytest.mark.parametrize("refused", ["store_flags", "expunge"])
@pytest.mark.parametrize("uidplus", [True, False], ids=["UIDPLUS", "no UIDPLUS"])
def test_a_move_refused_after_its_copy_shows_what_the_server_has(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, refused: str, uidplus: bool
) -> None:
    """Without MOVE the copy is there already: the message is in both folders then, here as on the server."""

    def refuse(*args: object, **words: object) -> None:
        raise CommandFailed("[NOPERM] No", code="NOPERM", permanent=True)

    forbid(monkeypatch, "MOVE", *([] if uidplus else ["UIDPLUS", "IMAP4REV2"]))
    with monkeypatch.context() as patch:
        patch.setattr(imap_change, refused, refuse)
        actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
        sync(account)
        sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"])) == (60, 2)
    assert RemoteOp.objects.get(kind="move").state == "failed"
    assert targets.in_mailbox(account.user, box(account, "archive")).count() == 2
    shown = targets.in_mailbox(account.user, box(account, "inbox")).count()
    assert shown == sum(r"\Deleted" not in flags for flags in state["INBOX"].values())
