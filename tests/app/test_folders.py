"""Folders of a person: made, renamed, deleted, hidden and emptied by plain forms, and never anybody else's."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from webmail.models import Action, BulkJob, Mailbox, Placement, RemoteOp
from webmail.services import bulk, undo

from .conftest import Somebody


def page(who: Somebody) -> str:
    return reverse("mail:folders", args=[who.account.pk])


def make(who: Somebody, name: str, parent: Mailbox | None = None) -> Any:
    return who.client.post(page(who), {"name": name, "parent": parent.pk if parent else ""})


def folder(who: Somebody, name: str) -> Mailbox:
    return Mailbox.objects.exclude(phase="gone").get(account=who.account, name=name)


def owed(who: Somebody) -> list[str]:
    return list(
        RemoteOp.objects.filter(account=who.account, state="queued").order_by("id").values_list("kind", flat=True)
    )


def newest() -> Action:
    return Action.objects.latest("created_at")


def test_a_folder_is_made_here_at_once_and_owed_to_the_server(alice: Somebody) -> None:
    assert make(alice, "Räkenskap & moms").status_code == 302
    make(alice, "計画", folder(alice, "Räkenskap & moms"))
    inner = folder(alice, "Räkenskap & moms/計画")
    assert bytes(inner.wire_name) == b"R&AOQ-kenskap &- moms/&igh1Ow-"
    assert owed(alice) == ["create", "create"]
    assert "計画" in alice.client.get(page(alice)).content.decode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/b", "separates levels"),
        ("", "required"),
        ("two\r\nlines", "single line"),
        ("nul\0", "single line"),
        ("sep\u2028arated", "single line"),
        ("all*", "cannot contain * or %"),
        ("in\u202evisible", "cannot contain * or %"),
        ("é" * 200, "too long"),
        ("x" * 251, "250"),
        ("inBox", "inbox already"),
        ("Archive", "already"),
        ("Re\u0301sume\u0301", "already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_beside_the_field(alice: Somebody, name: str, words: str) -> None:
    factories.mailbox(alice.account, "", "Résumé")
    answer = make(alice, name)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not RemoteOp.objects.exists()


def test_a_folder_of_a_server_that_keeps_everything_below_inbox_goes_there(alice: Somebody) -> None:
    for box in (alice.trash, alice.archive):
        Mailbox.objects.filter(pk=box.pk).update(wire_name=b"INBOX." + bytes(box.wire_name), delimiter=".")
    Mailbox.objects.filter(pk=alice.inbox.pk).update(delimiter=".")
    make(alice, "Trips")
    assert bytes(folder(alice, "Trips").wire_name) == b"INBOX.Trips"


def test_renaming_takes_what_lies_within_along_and_undo_leads_back(alice: Somebody) -> None:
    top = factories.mailbox(alice.account, "", "Trips")
    inner = factories.mailbox(alice.account, "", "Trips/Oslo")
    url = reverse("mail:folder_rename", args=[top.pk])
    assert alice.client.post(url, {"name": "Voyages"}).status_code == 302
    inner.refresh_from_db()
    assert (inner.name, bytes(inner.wire_name)) == ("Voyages/Oslo", b"Trips/Oslo")  # the server has its old name yet
    assert owed(alice) == ["rename"]
    undo.undo(alice.user, newest())
    inner.refresh_from_db()
    assert (inner.name, owed(alice)) == ("Trips/Oslo", [])


def test_a_special_folder_is_renamed_only_on_purpose_and_stays_special(alice: Somebody) -> None:
    url = reverse("mail:folder_rename", args=[alice.archive.pk])
    assert "serves as Archive" in alice.client.get(url).content.decode()
    assert alice.client.post(url, {"name": "Kept"}).status_code == 422
    assert alice.client.post(url, {"name": "Kept", "sure": "on"}).status_code == 302
    alice.archive.refresh_from_db()
    assert (alice.archive.name, alice.archive.role, alice.archive.role_source) == ("Kept", "archive", "person")


def test_the_inbox_is_neither_renamed_nor_deleted(alice: Somebody) -> None:
    for name, data in (("folder_rename", {"name": "Other", "sure": "on"}), ("folder_remove", {})):
        answer = alice.client.post(reverse(f"mail:{name}", args=[alice.inbox.pk]), data)
        assert answer.status_code == 422
        assert "can be neither renamed nor deleted" in answer.content.decode()
    assert not RemoteOp.objects.exists()


def test_deleting_asks_first_says_how_much_goes_and_can_be_taken_back(alice: Somebody) -> None:
    top = factories.mailbox(alice.account, "", "Trips")
    inner = factories.mailbox(alice.account, "", "Trips/Oslo")
    placed = [factories.message(box) for box in (top, inner, inner)]
    url = reverse("mail:folder_remove", args=[top.pk])
    asked = alice.client.get(url).content.decode()
    assert "3 messages go with it" in asked
    assert "Trips/Oslo" in asked
    answer = alice.client.post(url, follow=True).content.decode()
    assert "Folder deleted" in answer
    assert f'action="{reverse("mail:undo", args=[newest().pk])}"' in answer  # with scripting off, a form
    assert not Mailbox.objects.exclude(phase="gone").filter(pk__in=[top.pk, inner.pk]).exists()
    assert not Placement.objects.filter(pk__in=[one.pk for one in placed], state=0).exists()
    ops = RemoteOp.objects.filter(kind="remove").order_by("id")
    assert [op.mailbox_id for op in ops] == [inner.pk, top.pk]  # the innermost first
    assert all(op.not_before is not None for op in ops)
    alice.client.post(reverse("mail:undo", args=[newest().pk]))
    assert (folder(alice, "Trips").total, folder(alice, "Trips/Oslo").total) == (1, 2)
    assert owed(alice) == []


def test_what_was_deleted_before_does_not_come_back_with_its_folder(alice: Somebody) -> None:
    top = factories.mailbox(alice.account, "", "Trips")
    earlier = factories.message(top)
    factories.message(top)
    Placement.objects.filter(pk=earlier.pk).update(state=1, gone_at=factories.NOON)
    alice.client.post(reverse("mail:folder_remove", args=[top.pk]))
    alice.client.post(reverse("mail:undo", args=[newest().pk]))
    assert Placement.objects.get(pk=earlier.pk).state == Placement.State.GONE


def test_a_folder_whose_deletion_the_server_has_begun_stays_gone(alice: Somebody) -> None:
    top = factories.mailbox(alice.account, "", "Trips")
    answer = alice.client.post(reverse("mail:folder_remove", args=[top.pk]), follow=True)
    assert reverse("mail:undo", args=[newest().pk]) in answer.content.decode()  # also of an empty folder
    RemoteOp.objects.update(state="inflight", attempts=1)
    alice.client.post(reverse("mail:undo", args=[newest().pk]))
    assert Mailbox.objects.get(pk=top.pk).phase == "gone"
    answer = make(alice, "Trips")
    assert "just being changed" in answer.content.decode()


def test_a_hidden_folder_leaves_the_rail_but_not_the_page(alice: Somebody) -> None:
    kept = factories.mailbox(alice.account, "", "Trips")
    hidden = factories.mailbox(alice.account, "", "Lists")
    alice.client.post(reverse("mail:folder_do", args=[hidden.pk, "hide"]))
    home = alice.client.get(reverse("mail:unified")).content.decode()
    assert f'data-mailbox="{kept.pk}"' in home
    assert f'data-mailbox="{hidden.pk}"' not in home
    assert "Hidden" in alice.client.get(page(alice)).content.decode()
    assert owed(alice) == ["subscribe"]
    opened = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, hidden.pk])).content.decode()
    assert f'data-mailbox="{hidden.pk}"' in opened  # where one is, is always in view
    alice.client.post(reverse("mail:folder_do", args=[hidden.pk, "show"]))
    assert owed(alice) == []


def test_an_account_without_subscriptions_shows_everything_also_after_a_folder_is_made(alice: Somebody) -> None:
    plain = factories.mailbox(alice.account, "", "Trips", subscribed=False)
    assert f'data-mailbox="{plain.pk}"' in alice.client.get(reverse("mail:unified")).content.decode()
    make(alice, "Lists")
    assert f'data-mailbox="{plain.pk}"' in alice.client.get(reverse("mail:unified")).content.decode()


@pytest.mark.parametrize(("role", "gone"), [("trash", True), ("junk", True), ("", False)])
def test_emptying_is_for_good_only_where_nothing_is_kept(alice: Somebody, role: str, gone: bool) -> None:
    box = alice.trash if role == "trash" else factories.mailbox(alice.account, role)
    placed = [factories.message(box) for _ in range(3)]
    shown = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, box.pk])).content.decode()
    assert ("Move all to Trash" in shown) is not gone
    alice.client.post(reverse("mail:act"), {"action": "empty", "mailbox": box.pk, "place": f"{box.pk}-1"})
    box.refresh_from_db()
    assert box.total == 0
    assert owed(alice) == (["expunge"] if gone else ["move"])
    undo.undo(alice.user, newest())
    assert {one.mailbox_id for one in Placement.objects.filter(pk__in=[p.pk for p in placed], state=0)} == {box.pk}


def test_emptying_what_is_empty_changes_nothing(alice: Somebody) -> None:
    answer = alice.client.post(reverse("mail:act"), {"action": "empty", "mailbox": alice.trash.pk}, follow=True)
    assert "Nothing to change" in answer.content.decode()


def test_folders_of_a_pop3_account_are_local(alice: Somebody) -> None:
    alice.account.protocol = "pop3"
    alice.account.save()
    for box in (alice.trash, alice.archive):
        Mailbox.objects.filter(pk=box.pk).update(wire_name=f"local:{box.role}".encode(), delimiter="")
    make(alice, "Bills")
    make(alice, "2026", folder(alice, "Bills"))
    box = folder(alice, "Bills/2026")
    assert box.phase == "live"
    alice.client.post(reverse("mail:act"), {"action": "move", "thread": alice.placement.thread_id, "to": box.pk})
    alice.client.post(reverse("mail:folder_rename", args=[folder(alice, "Bills").pk]), {"name": "Räkningar"})
    box.refresh_from_db()
    assert (box.name, box.total) == ("Räkningar/2026", 1)
    make(alice, "Bills")  # the old name is free again
    alice.client.post(reverse("mail:folder_remove", args=[folder(alice, "Räkningar").pk]))
    assert Placement.objects.get(pk=alice.placement.pk).state == Placement.State.GONE
    alice.client.post(reverse("mail:undo", args=[newest().pk]))
    assert folder(alice, "Räkningar/2026").total == 1
    refused = alice.client.post(reverse("mail:folder_remove", args=[alice.trash.pk]))
    assert "belongs to every POP3 account" in refused.content.decode()
    assert not RemoteOp.objects.exists()


def test_folders_of_others_do_not_exist(alice: Somebody, bob: Somebody, charlie: Somebody) -> None:
    theirs = factories.mailbox(alice.account, "", "Trips")
    for other in (bob, charlie):
        for name in ("folder_rename", "folder_remove"):
            assert other.client.post(reverse(f"mail:{name}", args=[theirs.pk]), {"name": "X"}).status_code == 404
        assert other.client.post(reverse("mail:folder_do", args=[theirs.pk, "empty"])).status_code == 404
        assert other.client.post(page(alice), {"name": "X"}).status_code == 404
        assert make(other, "X", theirs).status_code == 422  # not among the choices
        data = {"action": "copy", "thread": other.placement.thread_id, "to": theirs.pk}
        assert other.client.post(reverse("mail:act"), data).status_code == 404
        assert other.client.post(reverse("mail:act"), {"action": "empty", "mailbox": theirs.pk}).status_code == 404
    assert not RemoteOp.objects.exists()


def test_the_page_costs_the_same_however_many_folders(alice: Somebody, django_assert_max_num_queries: Any) -> None:
    for number in range(60):
        factories.mailbox(alice.account, "", f"Folder {number}/Inner")
    with django_assert_max_num_queries(10):
        alice.client.get(page(alice))


def test_a_copy_is_seen_at_once_and_taken_back(alice: Somebody) -> None:
    data = {"action": "copy", "thread": alice.placement.thread_id, "mailbox": alice.inbox.pk, "to": alice.archive.pk}
    answer = alice.client.post(reverse("mail:act"), data, follow=True).content.decode()
    assert "1 message copied" in answer
    copy = Placement.objects.get(mailbox=alice.archive, state=0)
    assert (copy.message_id, copy.uid) == (alice.placement.message_id, None)
    op = RemoteOp.objects.get()
    assert (op.kind, op.placements, op.uids) == ("copy", [copy.pk], [alice.placement.uid])
    alice.client.post(reverse("mail:undo", args=[newest().pk]))
    assert not Placement.objects.filter(mailbox=alice.archive, state=0).exists()
    assert Placement.objects.get(pk=alice.placement.pk).state == Placement.State.LIVE
    assert owed(alice) == []


def test_undo_is_offered_to_every_page_of_the_person_and_to_nobody_else(
    alice: Somebody, bob: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, str, dict[str, Any]]] = []
    monkeypatch.setattr("webmail.live.publish_on_commit", lambda user, kind, **ids: told.append((user, kind, ids)))
    data = {"action": "archive", "thread": alice.placement.thread_id}
    alice.client.post(reverse("mail:act"), data, headers={"HX-Request": "true"})
    action = newest()
    assert (alice.user.pk, "action", {"action": str(action.pk)}) in told
    offered = alice.client.get(reverse("mail:action", args=[action.pk]))
    assert reverse("mail:undo", args=[action.pk]) in offered.headers["HX-Trigger"]
    assert "1 message archived" in offered.headers["HX-Trigger"]
    assert bob.client.get(reverse("mail:action", args=[action.pk])).status_code == 404
    assert Client().get(reverse("mail:action", args=[action.pk])).status_code == 302
    bob.client.post(reverse("mail:undo_newest"))
    assert Placement.objects.get(pk=alice.placement.pk).mailbox_id == alice.archive.pk
    alice.client.post(reverse("mail:undo_newest"))
    assert Placement.objects.get(pk=alice.placement.pk).mailbox_id == alice.inbox.pk
    assert (alice.user.pk, "action", {"action": str(action.pk), "undone": 1}) in told
    assert "HX-Trigger" not in alice.client.get(reverse("mail:action", args=[action.pk])).headers
    answer = alice.client.post(reverse("mail:undo_newest"), headers={"HX-Request": "true"})
    assert "nothing to take back" in answer.headers["HX-Trigger"]


def test_a_star_without_scripting_says_so_and_offers_undo(alice: Somebody) -> None:
    data = {"action": "star", "thread": alice.placement.thread_id, "next": reverse("mail:unified")}
    answer = alice.client.post(reverse("mail:act"), data, follow=True).content.decode()
    assert f'action="{reverse("mail:undo", args=[newest().pk])}"' in answer


def test_emptying_a_large_folder_goes_on_in_the_background_and_is_undone_as_one(
    alice: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 2)
    for _ in range(5):
        factories.message(alice.trash)
    answer = alice.client.post(reverse("mail:act"), {"action": "empty", "mailbox": alice.trash.pk}, follow=True)
    assert "5 messages deleted" in answer.content.decode()
    bulk.advance(BulkJob.objects.get().pk)
    alice.trash.refresh_from_db()
    assert (alice.trash.total, owed(alice)) == (0, ["expunge"] * 3)
    alice.client.post(reverse("mail:undo_newest"))
    bulk.advance(BulkJob.objects.get().pk)
    alice.trash.refresh_from_db()
    assert (alice.trash.total, owed(alice)) == (5, [])
