"""Several actions on one message, taken back before, while and after the server hears of them."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.ops_rig import LACKING, account, box, lying, move, spots, star
from tests.servers.sync_rig import check, check_summaries, forbid, here, lock, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox, Placement, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import ConnectionLost
from webmail.services import actions, targets, undo
from webmail.sync import failpoints
from webmail.sync.account import sync_account

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_star_given_after_a_move_survives_undo_of_the_move(dovecot: Dovecot, account: MailAccount) -> None:
    first = move(account, spots(account, 1, 2), "archive")
    star(account, lying(account, "archive")[:1])
    undo.undo(account.user, first)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert [len(state["INBOX"][uid]) for uid in (1, 2)] == [1, 0]


def test_undo_of_an_earlier_move_leaves_the_later_one(dovecot: Dovecot, account: MailAccount) -> None:
    first = move(account, spots(account, 1, 2, 3), "archive")
    move(account, lying(account, "archive")[:1], "junk")
    undo.undo(account.user, first)
    check_summaries(account)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"]), len(state["Junk"])) == (59, 0, 1)


@pytest.mark.parametrize("order", [(1, 0), (0, 1)])
@pytest.mark.parametrize("synced", [0, 1, 2])
def test_archive_then_delete_then_undo_of_both(
    dovecot: Dovecot, account: MailAccount, order: tuple[int, int], synced: int
) -> None:
    done = [actions.to_role(account.user, "archive", spots(account, 1, 2), Mailbox.Role.ARCHIVE)]
    if synced == 2:
        sync(account)
    done.append(actions.delete(account.user, lying(account, "archive")))
    if synced:
        sync(account)
    for number in order:
        undo.undo(account.user, done[number])
    undo.undo(account.user, done[1])
    check_summaries(account)
    sync(account)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    last = "INBOX" if order == (1, 0) else "Archive"  # what was undone first was no longer there
    assert (len(state["Trash"]), len(state[last])) == (0, 60 if last == "INBOX" else 2)


@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
@pytest.mark.parametrize("place", ["op claimed", "op sent"])
def test_undo_while_the_move_is_on_its_way(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, place: str, lacking: list[str]
) -> None:
    forbid(monkeypatch, *lacking)
    action = move(account, spots(account, 1, 2), "archive")
    star(account, lying(account, "archive")[:1])
    taken: list[bool] = []
    failpoints.arm(place, lambda: taken.append(undo.undo(account.user, action)))
    try:
        sync(account)
    finally:
        failpoints.disarm()
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"])) == (60, 0)
    assert sum(r"\Flagged" in flags for flags in state["INBOX"].values()) == 1


@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
def test_a_look_between_action_and_replay_shows_what_the_person_did(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, lacking: list[str]
) -> None:
    forbid(monkeypatch, *lacking)
    sync(account)
    star(account, spots(account, 1, 2))
    move(account, spots(account, 2, 3), "archive")
    actions.delete(account.user, spots(account, 4))
    actions.delete(account.user, lying(account, "trash"))
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1:4", "+FLAGS", r"(\Answered)")
        client.uid("STORE", "50", "+FLAGS", r"(\Deleted)")
        client.expunge()
    Mailbox.objects.update(full_flags_at=None)
    before = here_without_numbers(account)
    sync(account)
    assert here_without_numbers(account) == before - {("INBOX", 50)}
    assert Placement.objects.get(mailbox=box(account, "inbox"), uid=1).flags == Flag.FLAGGED | Flag.ANSWERED
    check_summaries(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert (len(state["INBOX"]), len(state["Archive"]), len(state["Trash"])) == (56, 2, 0)


def here_without_numbers(account: MailAccount) -> set[tuple[str, int | str]]:
    rows = Placement.objects.filter(account=account, state=0).select_related("mailbox", "message")
    return {(row.mailbox.name, row.uid or row.message.message_id) for row in rows}


@pytest.mark.parametrize("when", ["before", "after"])
def test_spam_and_its_undo(dovecot: Dovecot, account: MailAccount, when: str) -> None:
    action = actions.to_role(
        account.user, "junk", spots(account, 1), Mailbox.Role.JUNK, set_=Flag.JUNK, clear=Flag.NOT_JUNK
    )
    if when == "after":
        sync(account)
    undo.undo(account.user, action)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert not any("$Junk" in flags for flags in on_server(dovecot, account.address)["INBOX"].values())


def test_mail_moved_to_a_folder_that_is_gone_comes_back(dovecot: Dovecot, account: MailAccount) -> None:
    with other_client(dovecot, account.address) as client:
        client.create("Later")
        sync(account)
        client.delete("Later")
    actions.move(account.user, "move", spots(account, 1), Mailbox.objects.get(account=account, name="Later"))
    sync(account)
    sync(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert len(here(account)["INBOX"]) == 60
    assert RemoteOp.objects.get().state == "failed"


@pytest.mark.parametrize("kind", ["move", "expunge"])
def test_mail_of_a_folder_that_is_gone_is_not_brought_back_by_a_refusal(
    dovecot: Dovecot, account: MailAccount, kind: str
) -> None:
    with other_client(dovecot, account.address) as client:
        client.create("Later")
        client.copy("1:2", "Later")
        sync(account)
        client.delete("Later")
    later = Mailbox.objects.get(account=account, name="Later")
    chosen = lock(targets.in_mailbox(account.user, later))
    assert len(chosen) == 2
    if kind == "move":
        move(account, chosen, "archive")
    else:
        actions.expunge(account.user, chosen)
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    sync(account)
    sync(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert RemoteOp.objects.get().state == "failed"
    assert not Placement.objects.filter(mailbox__phase="gone", state=Placement.State.LIVE).exists()


@pytest.mark.parametrize("undone", [False, True])
def test_mail_deleted_for_good_before_its_move_to_trash_is_sent_does_not_return(
    dovecot: Dovecot, account: MailAccount, undone: bool
) -> None:
    actions.delete(account.user, spots(account, 1))
    action = actions.delete(account.user, lying(account, "trash"))
    sync(account)
    assert here(account)["Trash"] == {}
    assert len(on_server(dovecot, account.address)["Trash"]) == 1  # the deletion waits for Undo
    check_summaries(account)
    if undone:
        undo.undo(account.user, action)
    RemoteOp.objects.filter(state="queued").update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Trash"]) == int(undone)


def test_a_star_given_after_a_second_stay_in_a_folder_finds_its_message(dovecot: Dovecot, account: MailAccount) -> None:
    """There and back and there again: the UID of the first stay is not that of the second."""
    move(account, spots(account, 1), "archive")
    move(account, lying(account, "archive"), "inbox")
    back = Placement.objects.get(mailbox=box(account, "inbox"), uid=None)
    move(account, lock(targets.in_mailbox(account.user, box(account, "inbox")).filter(pk=back.pk)), "archive")
    star(account, lying(account, "archive"))
    sync(account)
    check(dovecot, account)
    assert list(on_server(dovecot, account.address)["Archive"].values()) == [{r"\Flagged"}]


def test_what_was_moved_on_after_a_crash_between_copy_and_removal_is_there_once(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, "MOVE")
    move(account, spots(account, 1, 2), "archive")

    def cut(*args: object, **words: object) -> None:
        raise ConnectionLost

    with monkeypatch.context() as broken:
        broken.setattr(imap_change, "store_flags", cut)
        sync_account(account.pk)
    assert len(on_server(dovecot, account.address)["Archive"]) == 2
    move(account, lying(account, "archive")[:1], "junk")
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert [len(state[name]) for name in ("INBOX", "Archive", "Junk")] == [58, 1, 1]


@pytest.mark.parametrize("kind", ["move", "expunge"])
def test_what_another_program_deleted_before_undo_does_not_stay(
    dovecot: Dovecot, account: MailAccount, kind: str
) -> None:
    """That it went is passed over while it is on its way out; nothing on the server changes when it is taken back."""
    chosen = spots(account, 1, 2)
    action = move(account, chosen, "archive") if kind == "move" else actions.expunge(account.user, chosen)
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
    sync(account)
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)


def test_a_copy_that_another_program_makes_where_a_message_is_moved_to_is_not_taken_for_it(
    dovecot: Dovecot, account: MailAccount
) -> None:
    chosen = spots(account, 1)
    action = move(account, chosen, "archive")
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    with other_client(dovecot, account.address) as client:
        client.uid("COPY", "1", "Archive")
        sync(account)
        client.uid("STORE", "1", "+FLAGS", r"(\Flagged)")
        sync(account)
    rows = Placement.objects.filter(mailbox=box(account, "archive")).order_by("pk")
    assert list(rows.values_list("pk", "uid", "flags")) == [
        (chosen[0].placement, None, Flag.FLAGGED),
        (rows[1].pk, 1, 0),
    ]
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    assert Placement.objects.get(mailbox=box(account, "inbox"), uid=1).pk == chosen[0].placement
