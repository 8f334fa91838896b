"""A server numbers a mailbox anew, or changes what lies in it, while actions wait, are taken back or refused."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.ops_rig import (
    LACKING,
    account,
    box,
    hold,
    let_go,
    lying,
    move,
    name_no_uids,
    renumber,
    spots,
)
from tests.servers.sync_rig import check, check_summaries, forbid, here, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox, Placement, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import CommandFailed
from webmail.services import actions, keywords, undo

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


def live(account: MailAccount, role: str) -> int:
    return Placement.objects.filter(mailbox=box(account, role), state=Placement.State.LIVE).count()


def refuse(*args: object, **words: object) -> None:
    raise CommandFailed("[NOPERM] No", code="NOPERM", permanent=True)


@pytest.mark.parametrize("looked", [True, False], ids=["looked", "not looked"])
@pytest.mark.parametrize("kind", ["move", "expunge"])
def test_undo_after_the_mailbox_was_renumbered(dovecot: Dovecot, account: MailAccount, kind: str, looked: bool) -> None:
    ids = set(Placement.objects.filter(mailbox=box(account, "inbox")).values_list("pk", flat=True))
    chosen = spots(account, 1, 2)
    action = move(account, chosen, "archive") if kind == "move" else actions.expunge(account.user, chosen)
    hold()
    renumber(dovecot, account)
    if looked:
        sync(account)
        assert (live(account, "inbox"), box(account, "inbox").gen) == (58, 2)  # nothing reappears meanwhile
        check_summaries(account)
    undo.undo(account.user, action)
    check_summaries(account)
    assert live(account, "inbox") == 60
    sync(account)
    sync(account)
    check(dovecot, account)
    assert set(Placement.objects.filter(mailbox=box(account, "inbox"), state=0).values_list("pk", flat=True)) == ids


@pytest.mark.parametrize("looked", [True, False], ids=["looked", "not looked"])
@pytest.mark.parametrize("kind", ["move", "expunge"])
def test_refusal_after_the_mailbox_was_renumbered(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, kind: str, looked: bool
) -> None:
    chosen = spots(account, 1, 2)
    if kind == "move":
        move(account, chosen, "archive")
    else:
        actions.expunge(account.user, chosen)
    hold()
    renumber(dovecot, account)
    if looked:
        sync(account)
    monkeypatch.setattr(imap_change, "move", refuse)
    monkeypatch.setattr(imap_change, "store_flags", refuse)
    for _ in range(3):  # what finds another numbering than it knew is put off
        let_go()
        sync(account)
    check(dovecot, account)
    assert live(account, "inbox") == 60
    assert RemoteOp.objects.get().state == "failed"


@pytest.mark.parametrize("kind", ["move", "expunge"])
def test_what_was_deleted_elsewhere_in_the_renumbered_mailbox_does_not_return_by_undo(
    dovecot: Dovecot, account: MailAccount, kind: str
) -> None:
    chosen = spots(account, 1, 2)
    action = move(account, chosen, "archive") if kind == "move" else actions.expunge(account.user, chosen)
    hold()
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
    renumber(dovecot, account)
    sync(account)
    undo.undo(account.user, action)
    sync(account)
    sync(account)
    check(dovecot, account)
    assert live(account, "inbox") == 59


def test_marks_given_before_and_after_a_move_survive_the_renumbering(dovecot: Dovecot, account: MailAccount) -> None:
    actions.change_flags(account.user, "star", spots(account, 1), set_=Flag.FLAGGED, clear=0)
    action = move(account, spots(account, 1, 2), "archive")
    keywords.change(account.user, "label", lying(account, "archive"), add=["Ours"])
    actions.copy(account.user, spots(account, 3), box(account, "junk"))
    move(account, spots(account, 3), "archive")
    hold()
    renumber(dovecot, account)
    sync(account)
    undo.undo(account.user, action)
    let_go()
    sync(account)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert {frozenset({r"\Flagged", "Ours"}), frozenset({"Ours"})} <= set(state["INBOX"].values())
    assert [len(state[name]) for name in ("INBOX", "Archive", "Junk")] == [59, 1, 1]


def test_moves_and_deletions_are_carried_out_under_new_numbers(dovecot: Dovecot, account: MailAccount) -> None:
    actions.change_flags(account.user, "star", spots(account, 1), set_=Flag.FLAGGED, clear=0)
    move(account, spots(account, 1, 2), "archive")
    actions.expunge(account.user, spots(account, 3))
    hold()
    renumber(dovecot, account)
    sync(account)
    assert live(account, "inbox") == 57
    let_go()
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)
    assert sorted(state["Archive"].values(), key=len) == [frozenset(), frozenset({r"\Flagged"})]
    assert len(state["INBOX"]) == 57


@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
@pytest.mark.parametrize("kind", ["move", "expunge"])
@pytest.mark.parametrize("numbered", ["anew", "as before"])
def test_marks_the_server_gave_what_is_leaving_are_there_after_undo(
    dovecot: Dovecot,
    account: MailAccount,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    lacking: list[str],
    numbered: str,
) -> None:
    forbid(monkeypatch, *lacking)
    sync(account)
    chosen = spots(account, 1, 2)
    action = move(account, chosen, "archive") if kind == "move" else actions.expunge(account.user, chosen)
    hold()
    if numbered == "anew":
        renumber(dovecot, account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1", "+FLAGS", r"(\Flagged Theirs)")
    Mailbox.objects.update(full_flags_at=None)
    sync(account)
    check_summaries(account)
    undo.undo(account.user, action)
    check_summaries(account)
    sync(account)
    check(dovecot, account)
    assert here(account)["INBOX"][1] == {r"\Flagged", "Theirs"}


def test_mail_deleted_for_good_does_not_reappear_where_the_server_names_no_new_uids(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without UIDPLUS: the move to Trash is done, and which message it is there must be found out."""
    name_no_uids(monkeypatch)
    actions.delete(account.user, spots(account, 1, 2))
    action = actions.delete(account.user, lying(account, "trash"))
    RemoteOp.objects.filter(kind="expunge").update(not_before="2099-01-01T00:00Z")
    sync(account)
    sync(account)
    assert here(account)["Trash"] == {}
    assert len(on_server(dovecot, account.address)["Trash"]) == 2
    check_summaries(account)
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    assert live(account, "trash") == 2


def test_what_is_moved_on_does_not_reappear_where_the_server_names_no_new_uids(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_no_uids(monkeypatch)
    move(account, spots(account, 1, 2), "archive")
    move(account, lying(account, "archive"), "junk")
    RemoteOp.objects.filter(destination=box(account, "junk")).update(not_before="2099-01-01T00:00Z")
    sync(account)
    sync(account)
    assert (live(account, "archive"), live(account, "junk")) == (0, 2)
    let_go()
    sync(account)
    check(dovecot, account)
    assert [len(on_server(dovecot, account.address)[name]) for name in ("INBOX", "Archive", "Junk")] == [58, 0, 2]
