"""One text to each person of a table while other tabs, other limits and other people's changes come between."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests.app.conftest import Somebody
from tests.app.test_merging import TABLE, a_draft, begun, lay, letters, limited, page, place
from webmail.mime.merge_tables import read_merge_table
from webmail.models import Action, Draft, MailMerge, Outgoing, Upload
from webmail.services import merging, outbox
from webmail.services.undo import _reopen
from webmail.sync.due import forgotten_merges


def test_what_is_made_whole_and_taken_back_whole_lies_among_the_drafts_again(alice: Somebody) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    assert not merging.advance(merge.pk)
    alice.client.post(place(draft), {"do": "back"})
    draft.refresh_from_db()
    assert draft.closed_at is None
    assert "Use this table" in page(alice, draft)
    assert alice.client.post(place(draft), {"do": "back"}).status_code == 302  # pressed twice
    again = begun(alice, draft)
    assert not merging.advance(again.pk)
    assert Outgoing.objects.exclude(state=Outgoing.State.CANCELLED).count() == 2


def test_the_last_row_is_made_while_somebody_takes_all_back(alice: Somebody) -> None:
    draft = a_draft(alice)
    seen = begun(alice, draft)  # as the request read it
    assert not merging.advance(seen.pk)
    assert merging.take_back(seen) == 2
    assert alice.client.get(place(draft)).status_code == 200


@pytest.mark.parametrize("way", ["page", "undo"])
def test_the_text_of_what_is_begun_is_not_opened_again_by_undo_of_discarding(alice: Somebody, way: str) -> None:
    draft = a_draft(alice)
    begun(alice, draft)
    if way == "page":
        assert alice.client.post(reverse("mail:draft_reopen", args=[draft.pk])).status_code == 404
    else:
        assert not _reopen(alice.user, Action(), {"drafts": [draft.pk]})
    draft.refresh_from_db()
    assert draft.closed_at is not None


def test_a_discarded_text_with_a_table_that_was_not_begun_is_opened_again(alice: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft)
    Draft.objects.update(closed_at=timezone.now())
    assert alice.client.post(reverse("mail:draft_reopen", args=[draft.pk])).status_code == 302
    draft.refresh_from_db()
    assert draft.closed_at is None


@pytest.mark.parametrize("gone", ["identity", "file"])
def test_what_no_row_could_be_made_without_stops_it_and_no_row_is_lost(alice: Somebody, gone: str) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    mine = Identity.objects.get(account=alice.account)
    if gone == "identity":
        Draft.objects.update(identity=None)
    else:
        Upload.objects.create(user=alice.user, account=alice.account, draft=draft, filename="plan.txt", size=4)
    assert not merging.advance(merge.pk)
    merge.refresh_from_db()
    assert (merge.state, merge.done, merge.skipped) == ("stopped", 0, [])
    assert merge.problem
    Draft.objects.update(identity=mine)
    draft.uploads.all().delete()
    alice.client.post(place(draft), {"do": "on"})
    assert not merging.advance(merge.pk)
    assert Outgoing.objects.count() == 2


def test_copies_count_for_the_hour_before_anything_is_made(alice: Somebody) -> None:
    draft = a_draft(alice, bcc="files@x.example")
    lay(alice, draft)
    with limited(3):
        refused = alice.client.post(place(draft), {"do": "begin", "when": "now"})
    assert refused.status_code == 422
    assert MailMerge.objects.get().state == "open"


def test_a_wrong_address_for_copies_is_told_before_anything_is_made(alice: Somebody) -> None:
    draft = a_draft(alice, bcc="nobody at all")
    lay(alice, draft)
    refused = alice.client.post(place(draft), {"do": "begin", "when": "now"})
    assert refused.status_code == 422
    assert "nobody at all" in refused.content.decode()


@pytest.mark.parametrize(
    "html",
    [
        "<p>Dear {first <b>name</b>}.</p>",
        "<p>Dear <b>{first</b> name}.</p>",
        "<p>Dear {<i>first name</i>}.</p>",
        "<p>Dear {first\nname}.</p>",
    ],
)
def test_a_name_that_is_partly_bold_is_a_name(alice: Somebody, html: str) -> None:
    draft = a_draft(alice, html=html)
    lay(alice, draft)
    assert "Dear Øyvind." in page(alice, draft)
    assert not merging.advance(begun(alice, draft).pk)
    sent = letters()[0].get_body(("html",)).get_content()
    assert sent.count("<b>") == sent.count("</b>")
    assert "Øyvind" in sent


@pytest.mark.parametrize("html", ["<p>{first</p><p>name} x</p>", "<p>{<a href='https://x.example/}'>name</a></p>"])
def test_braces_of_two_paragraphs_are_no_name(alice: Somebody, html: str) -> None:
    draft = a_draft(alice, html=html)
    lay(alice, draft)
    assert "Øyvind" not in page(alice, draft)


@pytest.mark.parametrize("cell", ["javascript:alert(1)", '" onclick="alert(1)', "<script>alert(1)</script>"])
def test_no_cell_becomes_markup_of_what_is_sent(alice: Somebody, cell: str) -> None:
    draft = a_draft(alice, html='<p title="{c}"><a href="{c}">a</a><a href="https://x.example/{c}">b</a>{c}</p>')
    quoted = cell.replace('"', '""')
    assert not merging.advance(begun(alice, draft, f'mail,c\na@x.example,"{quoted}"\n').pk)
    sent = letters()[0].get_body(("html",)).get_content()
    found = _Tags(convert_charrefs=True)
    found.feed(sent)
    assert {name for name, _attributes in found.tags} <= {"html", "head", "meta", "body", "p", "a"}
    attributes = {name: value for _tag, pairs in found.tags for name, value in pairs}
    assert "onclick" not in attributes
    assert attributes["href"].startswith("https://x.example/")


class _Tags(HTMLParser):
    tags: list[tuple[str, list[Any]]]

    def reset(self) -> None:
        super().reset()
        self.tags = []

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, attrs))


def test_the_table_is_not_written_again_with_every_row(alice: Somebody) -> None:
    merge = begun(alice, a_draft(alice))
    with CaptureQueriesContext(connection) as asked:
        merging._next(merge.pk)
    written = [one["sql"] for one in asked if one["sql"].startswith('UPDATE "webmail_mailmerge"')]
    assert written
    assert not any('"rows"' in sql for sql in written)


def test_a_table_comes_too_late_for_what_another_tab_began(alice: Somebody) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    with pytest.raises(outbox.NotReady):
        merging.lay_beside(draft, read_merge_table(b"mail\nz@x.example\n"))
    merge.refresh_from_db()
    assert (merge.total, len(merge.rows)) == (3, 3)


def test_a_table_that_another_tab_put_aside_is_not_begun(alice: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft)
    seen = MailMerge.objects.get()
    merging.put_aside(seen)
    with pytest.raises(outbox.NotReady):
        merging.begin(seen)
    draft.refresh_from_db()
    assert draft.closed_at is None


def test_what_somebody_left_with_is_not_taken_up_every_minute(alice: Somebody) -> None:
    begun(alice, a_draft(alice), TABLE)
    MailMerge.objects.update(worked_at=timezone.now() - timedelta(minutes=1))
    alice.user.is_active = False
    alice.user.save(update_fields=["is_active"])
    assert forgotten_merges() == []


def test_what_was_taken_back_lies_in_no_outbox(alice: Somebody) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    assert not merging.advance(merge.pk)
    first: Any = Outgoing.objects.order_by("pk").first()
    outbox.take_back(first)
    assert "1 message lies in the outbox" in page(alice, draft)
