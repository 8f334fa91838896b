"""What a server refused is listed in words, with its own line, and is tried again or let go."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from webmail.models import Flag, Mailbox, Placement, RemoteOp

from .conftest import Somebody

PAGE = reverse("mail:unsynced")
WORDS = "[OVERQUOTA] Quota exceeded <b>"


def refused(who: Somebody, kind: str, **columns: Any) -> RemoteOp:
    defaults = {
        "mailbox": who.inbox,
        "placements": [who.placement.pk],
        "uids": [who.placement.uid],
        "state": "failed",
        "error": WORDS,
        "finished_at": timezone.now(),
    }
    return RemoteOp.objects.create(account=who.account, kind=kind, **(defaults | columns))


def read(who: Somebody) -> str:
    return who.client.get(PAGE).content.decode()


def decide(who: Somebody, op: RemoteOp, do: str) -> Any:
    return who.client.post(reverse("mail:unsynced_do", args=[op.pk, do]), follow=True)


def test_a_refused_move_is_told_in_words_and_leads_there_from_the_rail(alice: Somebody) -> None:
    refused(alice, "move", destination=alice.archive, placements=[1, 2, 3], uids=[1, 2, 3])
    page = read(alice)
    assert "Moving 3 messages to Archive" in page
    assert "mail.example" in page
    assert "[OVERQUOTA] Quota exceeded &lt;b&gt;" in page
    home = alice.client.get(reverse("mail:unified")).content.decode()
    assert PAGE in home
    assert "1 change was refused" in home
    assert (
        "1 change is not on the server"
        in alice.client.get(reverse("mail:account", args=[alice.account.pk])).content.decode()
    )


def test_with_nothing_to_tell_nothing_is_said(alice: Somebody) -> None:
    refused(alice, "flags", state="done")
    refused(alice, "flags", state="queued")  # young: on its way
    assert "Everything is in place" in read(alice)
    assert PAGE not in alice.client.get(reverse("mail:unified")).content.decode()


def test_what_waits_for_long_is_listed_and_tried_now(alice: Somebody) -> None:
    op = refused(alice, "expunge", state="queued", error="Busy", not_before=timezone.now() + timedelta(hours=1))
    RemoteOp.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    page = read(alice)
    assert "Deleting 1 message in Inbox for good" in page
    assert "Waiting" in page
    decide(alice, op, "dismiss")  # nobody can say that the server never did it
    op.refresh_from_db()
    assert op.state == "queued"
    decide(alice, op, "retry")
    op.refresh_from_db()
    assert (op.state, op.not_before) == ("queued", None)


def test_retry_does_it_once_more_here_and_owes_it_again(alice: Somebody) -> None:
    move = refused(alice, "move", destination=alice.archive)
    star = refused(alice, "flags", set_flags=int(Flag.FLAGGED))
    decide(alice, star, "retry")
    decide(alice, move, "retry")
    row = Placement.objects.get(pk=alice.placement.pk)
    assert (row.mailbox_id, row.flags) == (alice.archive.pk, int(Flag.FLAGGED))
    assert list(RemoteOp.objects.order_by("id").values_list("kind", "state")) == [
        ("move", "cancelled"),
        ("flags", "cancelled"),
        ("flags", "queued"),
        ("move", "queued"),
    ]
    assert "Everything is in place" in read(alice)


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("create", {}),
        ("rename", {"leaf": "V&AOQ-xt"}),
        ("remove", {"kept": {}}),
        ("subscribe", {"was": True}),
        ("copy", {"sources": []}),
        ("expunge", {}),
        ("append", {}),
    ],
)
def test_every_kind_is_told_in_words_and_can_be_tried_again(alice: Somebody, kind: str, args: dict[str, Any]) -> None:
    box = factories.mailbox(alice.account, "", "Trips", phase="gone" if kind == "create" else "live")
    placed = alice.placement if kind in ("copy", "expunge") else None
    op = refused(
        alice,
        kind,
        mailbox=alice.inbox if placed else box,
        destination=alice.archive if kind == "copy" else None,
        placements=[placed.pk] if placed else [],
        uids=[placed.uid] if placed else [],
        args={"sources": [alice.placement.pk]} if kind == "copy" else args,
    )
    assert ("Växt" if kind == "rename" else "Trips" if not placed else "1 message") in read(alice)
    decide(alice, op, "retry")
    assert RemoteOp.objects.filter(kind=kind, state="queued").count() == 1
    assert not RemoteOp.objects.filter(state="failed").exists()


def test_retry_of_what_is_no_longer_there_says_so_and_stays(alice: Somebody) -> None:
    op = refused(alice, "move", destination=alice.archive)
    Placement.objects.update(state=1)
    assert "not there any more" in decide(alice, op, "retry").content.decode()
    assert "Moving 1 message" in read(alice)
    decide(alice, op, "dismiss")
    assert "Everything is in place" in read(alice)


def test_a_name_taken_meanwhile_is_refused_in_words(alice: Somebody) -> None:
    gone = factories.mailbox(alice.account, "", "Trips", phase="gone")
    op = refused(alice, "create", mailbox=gone, placements=[], uids=[])
    other = factories.mailbox(alice.account, "", "Other")
    Mailbox.objects.filter(pk=other.pk).update(name="Trips")
    assert "of this name already" in decide(alice, op, "retry").content.decode()


def test_the_parts_of_one_action_are_one_line_and_all_are_decided_together(alice: Somebody) -> None:
    alice.client.post(reverse("mail:act"), {"action": "read", "thread": alice.placement.thread_id})
    made = RemoteOp.objects.get()
    for _ in range(2):
        refused(alice, "flags", set_flags=1, action_id=made.action_id)
    made.delete()
    assert "Marking 2 messages read" in read(alice)
    assert alice.client.post(reverse("mail:unsynced_all", args=["dismiss"])).status_code == 302
    assert not RemoteOp.objects.filter(state="failed").exists()


def test_all_are_tried_again_but_what_cannot_be(alice: Somebody) -> None:
    refused(alice, "move", destination=alice.archive)
    refused(alice, "move", destination=alice.archive, placements=[0], uids=[1])
    answer = alice.client.post(reverse("mail:unsynced_all", args=["retry"]), follow=True)
    assert "1 could not be tried again" in answer.content.decode()
    assert RemoteOp.objects.filter(state="failed").count() == 1
    assert RemoteOp.objects.filter(state="queued").count() == 1


def test_what_is_others_is_neither_listed_nor_decided(alice: Somebody, bob: Somebody, charlie: Somebody) -> None:
    op = refused(alice, "move", destination=alice.archive)
    for other in (bob, charlie):
        assert "Everything is in place" in read(other)
        assert decide(other, op, "dismiss").status_code == 404
        other.client.post(reverse("mail:unsynced_all", args=["dismiss"]))
    op.refresh_from_db()
    assert op.state == "failed"


def test_the_list_costs_the_same_however_long_it_is(alice: Somebody, django_assert_max_num_queries: Any) -> None:
    for _ in range(50):
        refused(alice, "move", destination=alice.archive)
    with django_assert_max_num_queries(8):
        read(alice)
