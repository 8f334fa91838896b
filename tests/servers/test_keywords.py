"""Labels go both ways: what is set here reaches the server, what is set there shows here, neither undoes the other."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.ops_rig import account, box, spots
from tests.servers.sync_rig import check, check_summaries, forbid, lock, message, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Action, Flag, MailboxThread, Placement, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import CommandFailed
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.values import Selected, UidSet
from webmail.services import actions, keywords, targets, undo

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)
WORK = "$label2"
LATER = "2099-01-01T00:00Z"


def label(account: MailAccount, *uids: int, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> Action:
    return keywords.change(account.user, "label", spots(account, *uids), add=add, remove=remove)


def row(account: MailAccount, uid: int) -> Placement:
    return Placement.objects.get(account=account, uid=uid, mailbox=box(account, "inbox"))


def shown(account: MailAccount, uid: int) -> tuple[list[str], list[str], list[str]]:
    found = row(account, uid)
    return found.keywords, found.server_keywords, found.pending_keywords


@pytest.mark.parametrize("lacking", [(), ("QRESYNC", "CONDSTORE")], ids=["QRESYNC", "plain"])
def test_labels_go_both_ways(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...]
) -> None:
    forbid(monkeypatch, *lacking)
    label(account, 1, 2, add=(WORK, "Pier_4"))
    assert shown(account, 1) == ([WORK, "Pier_4"], [], [WORK, "pier_4"])
    sync(account)
    assert on_server(dovecot, account.address)["INBOX"][1] == {WORK, "Pier_4"}
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "2", "-FLAGS", f"({WORK})")
        client.uid("STORE", "3", "+FLAGS", r"($Label1 &AOQ-)")
        client.append("INBOX", None, None, message(9000))  # without mod-sequences marks alone are seen later
    sync(account)
    check(dovecot, account)
    assert [shown(account, uid)[0] for uid in (1, 2, 3)] == [[WORK, "Pier_4"], ["Pier_4"], ["$Label1", "&AOQ-"]]
    lines = MailboxThread.objects.filter(mailbox=box(account, "inbox"), thread=row(account, 3).thread_id)
    assert lines.get().keywords == ["$Label1", "&AOQ-"]
    label(account, 3, remove=("$label1",))  # however it is spelled
    sync(account)
    check(dovecot, account)
    assert on_server(dovecot, account.address)["INBOX"][3] == {"&AOQ-"}


def test_what_is_owed_is_not_undone_by_a_look_at_the_server(dovecot: Dovecot, account: MailAccount) -> None:
    label(account, 1, add=("Mine", "Gone"))
    sync(account)
    label(account, 1, add=(WORK,), remove=("Gone",))
    RemoteOp.objects.filter(state="queued").update(not_before=LATER)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "1", "+FLAGS", r"(Theirs \Flagged)")
        client.uid("STORE", "1", "-FLAGS", "(Mine)")
    sync(account)
    assert shown(account, 1) == ([WORK, "Theirs"], ["Gone", "Theirs"], [WORK, "gone"])
    assert row(account, 1).flags == Flag.FLAGGED
    check_summaries(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert shown(account, 1) == ([WORK, "Theirs"], [WORK, "Theirs"], [])


def test_undo_before_the_worker_came_leaves_the_server_as_it_was(dovecot: Dovecot, account: MailAccount) -> None:
    undo.undo(account.user, label(account, 1, add=(WORK,)))
    assert shown(account, 1)[0] == []
    sync(account)
    check(dovecot, account)
    assert on_server(dovecot, account.address)["INBOX"][1] == frozenset()


def test_undo_after_the_worker_came_takes_it_back_there(dovecot: Dovecot, account: MailAccount) -> None:
    label(account, 1, add=("Pier",))
    sync(account)
    action = label(account, 1, 2, add=(WORK,), remove=("Pier",))
    sync(account)
    assert on_server(dovecot, account.address)["INBOX"][1] == {WORK}
    undo.undo(account.user, action)
    sync(account)
    check(dovecot, account)
    state = on_server(dovecot, account.address)["INBOX"]
    assert [state[1], state[2]] == [{"Pier"}, frozenset()]


def test_deltas_alone_are_sent_and_only_their_net_effect(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[list[str], list[str]]] = []
    store = imap_change.store_flags

    def noted(wire: Wire, uids: UidSet, *, add: list[str], remove: list[str]) -> None:
        said.append((add, remove))
        store(wire, uids, add=add, remove=remove)

    monkeypatch.setattr(imap_change, "store_flags", noted)
    label(account, 1, 2, 3, add=("Pier",))
    label(account, 1, 2, 3, remove=("Pier",))
    label(account, 1, 2, 3, add=(WORK,))
    sync(account)
    check(dovecot, account)
    assert said == [([WORK], ["Pier"])]


def test_a_label_the_mailbox_does_not_keep_stays_here_and_is_never_sent(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Selected, "keeps_flag", lambda selected, flag: flag.lower() == WORK)
    label(account, 1, add=(WORK, "Pier"))
    for _ in range(2):
        sync(account)
    assert on_server(dovecot, account.address)["INBOX"][1] == {WORK}
    assert shown(account, 1) == ([WORK, "Pier"], [WORK], ["pier"])
    assert not RemoteOp.objects.exclude(state="done").exists()
    actions.move(account.user, "move", spots(account, 1), box(account, "archive"))
    sync(account)
    moved = Placement.objects.get(mailbox=box(account, "archive"), state=0)
    assert moved.keywords == [WORK, "Pier"]
    keywords.change(
        account.user, "unlabel", lock(targets.in_mailbox(account.user, box(account, "archive"))), remove=("Pier",)
    )
    sync(account)
    moved.refresh_from_db()
    assert moved.keywords == [WORK]


def test_a_refusal_puts_the_labels_back_and_stays_visible(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(account, 1, add=("Pier",))
    sync(account)

    def refuse(*_: object, **__: object) -> None:
        raise CommandFailed("no", code="NOPERM", permanent=True)

    with monkeypatch.context() as patch:
        patch.setattr(imap_change, "store_flags", refuse)
        label(account, 1, add=(WORK,), remove=("Pier",))
        sync(account)
    assert shown(account, 1) == (["Pier"], ["Pier"], [])
    assert RemoteOp.objects.get(state="failed").kind == "keywords"
    sync(account)
    check(dovecot, account)


def test_a_label_given_after_a_move_survives_undo_of_the_move(dovecot: Dovecot, account: MailAccount) -> None:
    first = actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    moved = lock(targets.in_mailbox(account.user, box(account, "archive")))
    keywords.change(account.user, "label", moved[:1], add=[WORK])
    undo.undo(account.user, first)
    sync(account)
    check(dovecot, account)
    assert on_server(dovecot, account.address)["INBOX"][1] == {WORK}


def test_a_copy_has_the_labels_of_its_original(dovecot: Dovecot, account: MailAccount) -> None:
    label(account, 1, add=(WORK,))
    actions.copy(account.user, spots(account, 1), box(account, "archive"))
    sync(account)
    check(dovecot, account)
    assert list(on_server(dovecot, account.address)["Archive"].values()) == [frozenset({WORK})]


def test_a_keyword_that_cannot_be_sent_is_refused_and_holds_nothing_up(dovecot: Dovecot, account: MailAccount) -> None:
    """Some servers show keywords with octets that no command may hold."""
    odd = ["p\u00e4ssli"]
    Placement.objects.filter(pk=row(account, 1).pk).update(keywords=odd, server_keywords=odd)
    label(account, 1, remove=tuple(odd))
    actions.change_flags(account.user, "star", spots(account, 2), set_=Flag.FLAGGED, clear=0)
    sync(account)
    assert shown(account, 1) == (odd, odd, [])
    assert on_server(dovecot, account.address)["INBOX"][2] == {r"\Flagged"}
    assert [op.state for op in RemoteOp.objects.order_by("id")] == ["failed", "done"]
