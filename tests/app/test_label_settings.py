"""The page of a person's labels: another name, another colour, off every message, each with the journal and Undo."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from webmail.models import Action, BulkJob, MailboxThread, Placement, RemoteOp
from webmail.models.summaries import refresh_lines
from webmail.services import bulk

from .conftest import Somebody

URL = "/settings/labels/"


def give(who: Somebody, *keywords: str, number: int = 1) -> list[Placement]:
    """So many messages more that carry the keywords, as the server has them."""
    made = [factories.message(who.inbox, subject=f"Labelled {n}") for n in range(number)]
    rows = Placement.objects.filter(pk__in=[row.pk for row in made])
    rows.update(keywords=list(keywords), server_keywords=list(keywords))
    refresh_lines([who.inbox.pk], [row.thread_id for row in made])
    return made


def post(who: Somebody, keyword: str, **fields: object) -> int:
    return who.client.post(URL, {"keyword": keyword, **fields}).status_code


def keywords(rows: list[Placement]) -> list[list[str]]:
    return list(
        Placement.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk").values_list("keywords", flat=True)
    )


def undo(who: Somebody) -> None:
    action = Action.objects.filter(whole=None).exclude(kind="undo").latest("created_at")
    who.client.post(reverse("mail:undo", args=[action.pk]))


def test_a_new_name_is_a_new_keyword_on_every_message_and_undo_brings_the_old_back(alice: Somebody) -> None:
    rows = give(alice, "Pier_4", "$label1", number=2) + give(alice, "pier_4")
    assert post(alice, "Pier_4", name="Pier Fünf", hue="24") == 302
    assert keywords(rows) == [["$label1", "Pier_F&APw-nf"], ["$label1", "Pier_F&APw-nf"], ["Pier_F&APw-nf"]]
    assert {word for op in RemoteOp.objects.all() for word in op.args["add"]} == {"Pier_F&APw-nf"}
    assert {word for op in RemoteOp.objects.all() for word in op.args["remove"]} == {"Pier_4", "pier_4"}
    page = alice.client.get(URL).content.decode()
    assert "Pier Fünf" in page
    assert "Pier 4" not in page
    undo(alice)
    assert keywords(rows) == [["$label1", "Pier_4"], ["$label1", "Pier_4"], ["pier_4"]]


def test_very_many_are_renamed_in_parts_and_one_undo_takes_all_back(
    alice: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 2)
    rows = give(alice, "Former", number=5)
    assert post(alice, "Former", name="New", hue="0") == 302
    assert sum(words == ["New"] for words in keywords(rows)) == 2
    job = BulkJob.objects.get()
    assert not bulk.advance(job.pk)
    assert keywords(rows) == [["New"]] * 5
    undo(alice)
    assert not bulk.advance(job.pk)
    assert keywords(rows) == [["Former"]] * 5


def test_the_colour_is_a_persons_own(alice: Somebody, bob: Somebody) -> None:
    give(alice, "Pier")
    give(bob, "Pier")
    assert post(alice, "Pier", name="Pier", hue="24") == 302
    hues = {who.user.pk: page_hue(who) for who in (alice, bob)}
    assert hues[alice.user.pk] == "hue-24"
    assert hues[bob.user.pk] != "hue-24"
    inbox = reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])
    assert "square hue-24" in alice.client.get(inbox).content.decode()
    assert not RemoteOp.objects.exists()
    assert post(alice, "Pier", name="Quay", hue="24") == 302  # and it goes along to the new name
    assert page_hue(alice, "Quay") == "hue-24"


def page_hue(who: Somebody, name: str = "Pier") -> str:
    page = who.client.get(URL).content.decode()
    before, found, _ = page.partition(f'<b class="cut" dir="auto">{name}</b>')
    assert found
    return before.rpartition('class="square ')[2].partition('"')[0]


def test_a_label_is_taken_off_everything_and_brought_back(alice: Somebody, bob: Somebody) -> None:
    rows, theirs = give(alice, "Done", "$label1", number=2), give(bob, "Done")
    alice.user.labels = ["Done", "Idle"]
    alice.user.save(update_fields=["labels"])
    assert post(alice, "Done", do="remove") == 302
    assert keywords(rows) == [["$label1"], ["$label1"]]
    assert keywords(theirs) == [["Done"]]
    assert not MailboxThread.objects.filter(account=alice.account, keywords__contains=["Done"]).exists()
    alice.user.refresh_from_db()
    assert alice.user.labels == ["Idle"]
    undo(alice)
    assert keywords(rows) == [["$label1", "Done"], ["$label1", "Done"]]
    assert post(alice, "Idle", do="remove") == 302  # on no message: no longer offered, nothing to tell a server
    alice.user.refresh_from_db()
    assert "Idle" not in alice.user.labels


def test_a_label_that_nobody_carries_is_renamed_in_the_list(alice: Somebody) -> None:
    alice.user.labels = ["Idle"]
    alice.user.save(update_fields=["labels"])
    assert post(alice, "Idle", name="Busy bee", hue="3") == 302
    alice.user.refresh_from_db()
    assert alice.user.labels == ["Busy_bee"]
    assert not Action.objects.exists()


@pytest.mark.parametrize(
    ("name", "words"), [("junk", "among themselves"), ("", "required"), ("x" * 101, "at most 100")]
)
def test_a_name_that_cannot_be_is_refused_beside_its_field(alice: Somebody, name: str, words: str) -> None:
    rows = give(alice, "Pier")
    response = alice.client.post(URL, {"keyword": "Pier", "name": name, "hue": "3"})
    assert response.status_code == 422
    assert words in response.content.decode()
    assert keywords(rows) == [["Pier"]]


def test_what_programs_share_keeps_its_name_and_what_is_not_ones_own_is_404(alice: Somebody, bob: Somebody) -> None:
    rows = give(alice, "$label1")
    give(bob, "Private")
    assert post(alice, "$label1", name="Renamed", hue="30") == 302
    assert keywords(rows) == [["$label1"]]
    assert page_hue(alice, "Important") == "hue-30"
    assert post(alice, "Private", name="Mine", hue="3") == 404
    assert "Private" not in alice.client.get(URL).content.decode()


def test_the_page_takes_as_many_queries_however_many_labels(alice: Somebody) -> None:
    give(alice, *(f"Label{n}" for n in range(12)))
    with CaptureQueriesContext(connection) as few:
        alice.client.get(URL)
    give(alice, *(f"More{n}" for n in range(30)), number=3)
    with CaptureQueriesContext(connection) as many:
        alice.client.get(URL)
    assert len(many) == len(few)
