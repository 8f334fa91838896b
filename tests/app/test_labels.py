"""Labels as a person sets, sees, finds and removes them in the pages."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from webmail.models import Action, Mailbox, MailboxThread, MessageSearch, Placement, RemoteOp
from webmail.models.search_document import header_document
from webmail.services import bulk

from .conftest import Somebody

WORK = "$label2"


def post(who: Somebody, **fields: object) -> Any:
    data = {"thread": who.placement.thread_id, "mailbox": who.inbox.pk} | fields
    return who.client.post(reverse("mail:act"), data, follow=True)


def words(who: Somebody) -> list[str]:
    return Placement.objects.get(pk=who.placement.pk).keywords


def reading(who: Somebody) -> str:
    return reverse("mail:thread", args=[who.account.pk, who.inbox.pk, who.placement.thread_id])


def listed(who: Somebody) -> str:
    return who.client.get(reverse("mail:mailbox", args=[who.account.pk, who.inbox.pk])).content.decode()


def test_a_label_shows_in_words_in_the_list_and_the_conversation_and_is_owed(alice: Somebody) -> None:
    post(alice, label=WORK)
    op = RemoteOp.objects.get()
    assert (op.kind, op.args) == ("keywords", {"add": [WORK], "remove": []})
    assert '<span class="square hue-6"></span>Work</span>' in listed(alice)
    html = alice.client.get(reading(alice)).content.decode()
    assert '<span class="square hue-6"></span>Work</span>' in html
    assert f'name="unlabel" value="{WORK}" aria-pressed="true"' in html
    assert 'name="label" value="$label1" aria-pressed="false"' in html
    post(alice, unlabel=WORK)
    assert words(alice) == []
    assert "square hue-6" not in listed(alice).partition('id="rows"')[2]


def test_a_name_of_ones_own_becomes_a_keyword_and_is_offered_until_nothing_carries_it(alice: Somebody) -> None:
    post(alice, action="label", new_label=["", " Färjor & båtar "])
    keyword = "F&AOQ-rjor_&-_b&AOU-tar"
    assert words(alice) == [keyword]
    assert "Färjor &amp; båtar" in listed(alice)
    other = factories.message(alice.inbox)
    post(alice, thread=other.thread_id, label=keyword)
    post(alice, unlabel=keyword)
    alice.user.refresh_from_db()
    assert alice.user.labels == [keyword]
    post(alice, thread=other.thread_id, unlabel=keyword)
    alice.user.refresh_from_db()
    assert alice.user.labels == []


def test_a_typed_name_of_the_well_known_ones_is_theirs(alice: Somebody) -> None:
    post(alice, action="label", new_label="work")
    assert words(alice) == [WORK]
    alice.user.refresh_from_db()
    assert alice.user.labels == []


@pytest.mark.parametrize("name", ["", "NonJunk", "ä" * 60])
def test_a_name_that_cannot_be_one_is_said_and_changes_nothing(alice: Somebody, name: str) -> None:
    html = post(alice, action="label", new_label=name).content.decode()
    assert any(said in html for said in ("Give the label a name", "This name is too long", "among themselves"))
    assert not Action.objects.exists()


@pytest.mark.parametrize("keyword", ["a b", "x\r\ny", "\\Seen", "$Junk"])
def test_what_is_no_label_is_404(alice: Somebody, keyword: str) -> None:
    assert post(alice, label=keyword).status_code == 404
    assert words(alice) == []


def test_undo_brings_labels_back_as_they_were(alice: Somebody) -> None:
    newer = factories.message(alice.inbox, thread=alice.placement.thread)
    post(alice, message=newer.message_id, thread="", label=WORK)
    post(alice, label=WORK)
    action = Action.objects.order_by("-created_at")[0]
    assert action.count == 1
    alice.client.post(reverse("mail:undo", args=[action.pk]))
    assert words(alice) == []
    newer.refresh_from_db()
    assert newer.keywords == [WORK]


def test_a_label_on_part_of_a_conversation_is_neither_set_nor_not(alice: Somebody) -> None:
    newer = factories.message(alice.inbox, thread=alice.placement.thread)
    post(alice, message=newer.message_id, thread="", label=WORK)
    html = alice.client.get(reading(alice)).content.decode()
    assert f'name="label" value="{WORK}" aria-pressed="mixed"' in html


def test_nobody_labels_the_mail_of_somebody_else(alice: Somebody, bob: Somebody, charlie: Somebody) -> None:
    post(alice, action="label", new_label="Harbour")
    for other in (bob, charlie):
        data = {"label": WORK, "thread": alice.placement.thread_id, "mailbox": alice.inbox.pk}
        assert other.client.post(reverse("mail:act"), data).status_code == 404
        assert other.client.post(reverse("mail:act"), data | {"mailbox": ""}).status_code == 404
        assert "Harbour" not in listed(other)
    assert words(alice) == ["Harbour"]


def test_a_pop3_account_keeps_labels_here(alice: Somebody) -> None:
    alice.account.protocol = "pop3"
    alice.account.save()
    post(alice, label=WORK)
    row = Placement.objects.get(pk=alice.placement.pk)
    assert (row.keywords, row.server_keywords, row.pending_keywords) == ([WORK], [WORK], [])
    assert not RemoteOp.objects.exists()


def test_where_folders_are_labels_there_are_none_of_these(alice: Somebody) -> None:
    assert 'name="label"' in listed(alice)
    Mailbox.objects.filter(pk=alice.inbox.pk).update(labelled=True)
    assert 'name="label"' not in listed(alice)
    post(alice, label=WORK)
    assert words(alice) == []
    assert not RemoteOp.objects.exists()


def test_labels_of_very_many_messages_come_in_parts_and_go_as_one(
    alice: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 2)
    for _ in range(4):
        factories.message(alice.inbox)
    alice.inbox.refresh_from_db()
    post(alice, scope="all", thread="", label=WORK)
    action = Action.objects.get(bulk__isnull=False)
    assert bulk.advance(action.bulk.pk) is False
    assert Placement.objects.filter(keywords=[WORK]).count() == 5
    alice.client.post(reverse("mail:undo", args=[action.pk]))
    bulk.advance(action.bulk.pk)
    assert not Placement.objects.exclude(keywords=[]).exists()


@pytest.mark.parametrize("query", ["label:work", "label:Work from:amara", "label:pier -label:later", 'label:"pier 4"'])
def test_labels_are_found(alice: Somebody, query: str) -> None:
    other = factories.message(alice.inbox, subject="Unlabelled")
    for message in (alice.placement.message, other.message):
        MessageSearch.objects.create(
            message=message,
            account_id=message.account_id,
            received_at=message.received_at,
            document=header_document(message.account_id, message.subject, message.people),
        )
    for label in (WORK, "Pier", "Pier_4"):
        post(alice, label=label)
    html = alice.client.get(reverse("mail:search"), {"q": query}).content.decode()
    assert f't-{alice.placement.thread_id}"' in html
    assert "Unlabelled" not in html.partition('id="rows"')[2]


def test_labels_cost_a_list_no_query(alice: Somebody) -> None:
    with CaptureQueriesContext(connection) as before:
        listed(alice)
    for number in range(5):
        line = factories.message(alice.inbox)
        post(alice, thread=line.thread_id, action="label", new_label=f"Label {number}")
    assert MailboxThread.objects.exclude(keywords=[]).count() == 5
    with CaptureQueriesContext(connection) as after:
        html = listed(alice)
    assert "Label 4" in html
    assert len(after) == len(before)
