"""One text to each person of a table: what is filled in, what is left out, and that nobody gets it twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests.app.conftest import Somebody
from webmail import storage
from webmail.models import Draft, MailMerge, Outgoing, OutgoingRecipient, Upload
from webmail.services import drafts, merging
from webmail.sync.due import forgotten_merges

TABLE = (
    "First Name,Mail,Town,Berth\r\n"
    "Øyvind,oy@x.example,Bergen,A & B\r\n"
    "Cy,not an address,Oslo,7\r\n"
    'Bo,"Bo Li <bo@x.example>",<b>Moss</b>,"8\r\n9"\r\n'
)
HTML = "<p>Hello <b>{first name}</b> of {Town}, berth {BERTH}. {unknown}</p>"


def a_draft(who: Somebody, **more: Any) -> Draft:
    fields = {"subject": "Berth {Berth} in {town}", "html": HTML} | more
    made, _beside = drafts.save(who.user, drafts.Fields(identity=Identity.objects.get(account=who.account), **fields))
    return made


def lay(who: Somebody, draft: Draft, table: str = TABLE, **post: Any) -> Any:
    file = SimpleUploadedFile("people.csv", table.encode())
    return who.client.post(place(draft), {"do": "table", "table": file} | post)


def place(draft: Draft) -> str:
    return reverse("mail:merge", args=[draft.pk])


def begun(who: Somebody, draft: Draft, table: str = TABLE) -> MailMerge:
    lay(who, draft, table)
    assert who.client.post(place(draft), {"do": "begin", "when": "now"}).status_code == 302
    return MailMerge.objects.get(draft=draft)


def letters() -> list[Any]:
    made = Outgoing.objects.order_by("pk")
    return [message_from_bytes(storage.read(one.account_id, one.digest), policy=policy.default) for one in made]


def page(who: Somebody, draft: Draft, **asked: Any) -> str:
    return who.client.get(place(draft), asked).content.decode()


def test_every_message_is_looked_at_before_any_is_made(alice: Somebody) -> None:
    draft = a_draft(alice)
    assert "Use this table" in page(alice, draft)
    lay(alice, draft)
    first = page(alice, draft)
    assert "Message 1 of 3" in first
    assert "Hello Øyvind of Bergen, berth A &amp; B." in first
    assert "has no column for {unknown}" in first
    assert "Send 2 messages" in first
    assert "not an address: left out" in page(alice, draft, row=2)
    third = page(alice, draft, row=3)
    assert "Hello Bo of &lt;b&gt;Moss&lt;/b&gt;, berth 8" in third
    assert "Berth 8 9 in &lt;b&gt;Moss&lt;/b&gt;" in third
    assert not Outgoing.objects.exists()
    assert "Message 1 of 3" in page(alice, draft, row="x")
    assert "Message 3 of 3" in page(alice, draft, row="99999")


def test_each_row_becomes_one_message_and_what_does_not_is_told(alice: Somebody) -> None:
    draft = a_draft(alice, receipt=True, remind_days=3)
    Upload.objects.create(
        user=alice.user,
        account=alice.account,
        draft=draft,
        filename="plan.txt",
        content_type="text/plain",
        size=4,
        digest=storage.put(alice.account.pk, b"plan"),
    )
    merge = begun(alice, draft)
    while merging.advance(merge.pk):
        pass
    merging.advance(merge.pk)  # a broker that delivers the job again
    first, second = letters()
    assert (first["To"], first["Subject"]) == ("oy@x.example", "Berth A & B in Bergen")
    assert (second["To"], second["Subject"]) == ("Bo Li <bo@x.example>", "Berth 8 9 in <b>Moss</b>")
    shown = first.get_body(("html",)).get_content()
    assert "Hello <b>Øyvind</b> of Bergen, berth A &amp; B. {unknown}" in shown
    assert "&lt;b&gt;Moss&lt;/b&gt;, berth 8<br>9" in "".join(second.get_body(("html",)).get_content().split("\r\n"))
    assert [part.get_filename() for part in second.iter_attachments()] == ["plan.txt"]
    assert first["Disposition-Notification-To"] == alice.account.address
    assert first["Message-ID"] != second["Message-ID"]
    assert sorted(OutgoingRecipient.objects.values_list("address", flat=True)) == ["bo@x.example", "oy@x.example"]
    told = page(alice, draft)
    assert "3 of 3 rows" in told
    assert "Row 2:" in told
    assert "2 messages lie in the outbox" in told
    merge.refresh_from_db()
    assert (merge.state, merge.rows) == ("ended", [])
    assert set(Outgoing.objects.values_list("remind_days", flat=True)) == {3}
    draft.refresh_from_db()
    assert draft.closed_at is not None
    assert not Draft.objects.filter(closed_at=None).exists()


def test_a_plain_text_stays_plain(alice: Somebody) -> None:
    draft = a_draft(alice, plain=True, html="", text="Dear {first name},\n\nberth {Berth}\n")
    merge = begun(alice, draft)
    assert not merging.advance(merge.pk)
    assert letters()[1].get_content() == "Dear Bo,\r\n\r\nberth 8\r\n9\r\n"
    assert letters()[0].get_content_type() == "text/plain"


def test_all_of_it_is_taken_back_and_the_text_lies_among_the_drafts_again(alice: Somebody) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    merging._next(merge.pk)
    assert Outgoing.objects.get().send_after >= timezone.now() + timedelta(seconds=20)
    assert "1 message was taken back" in alice.client.post(place(draft), {"do": "back"}, follow=True).content.decode()
    assert not merging.advance(merge.pk)
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED
    draft.refresh_from_db()
    assert draft.closed_at is None
    assert "Send 2 messages" in page(alice, draft)
    begun(alice, draft)
    assert not merging.advance(merge.pk)
    assert Outgoing.objects.exclude(state=Outgoing.State.CANCELLED).count() == 2


def test_what_is_stopped_goes_on_where_it_was(alice: Somebody) -> None:
    draft = a_draft(alice)
    merge = begun(alice, draft)
    merging._next(merge.pk)
    alice.client.post(place(draft), {"do": "stop"})
    assert not merging.advance(merge.pk)
    assert "1 of 3 rows" in page(alice, draft)
    alice.client.post(place(draft), {"do": "on"})
    assert not merging.advance(merge.pk)
    assert Outgoing.objects.count() == 2


def test_a_worker_that_dies_is_followed_by_another(alice: Somebody) -> None:
    merge = begun(alice, a_draft(alice))
    assert forgotten_merges() == []
    MailMerge.objects.update(worked_at=timezone.now() - timedelta(minutes=1))
    assert forgotten_merges() == [merge.pk]


@pytest.mark.parametrize("over", ["before", "meanwhile"])
def test_the_hours_limit_holds_and_nothing_is_lost(alice: Somebody, over: str) -> None:
    draft = a_draft(alice)
    with limited(1 if over == "before" else 2):
        lay(alice, draft)
        if over == "before":
            refused = alice.client.post(place(draft), {"do": "begin", "when": "now"})
            assert refused.status_code == 422
            assert "more than 1 recipients in an hour" in refused.content.decode()
            draft.refresh_from_db()
            assert draft.closed_at is None
            return
        merge = begun(alice, draft)
        with limited(1):
            assert not merging.advance(merge.pk)
        told = page(alice, draft)
        assert "Stopped" in told
        assert "recipients in an hour" in told
    alice.client.post(place(draft), {"do": "on"})
    assert not merging.advance(merge.pk)
    assert sorted(OutgoingRecipient.objects.values_list("address", flat=True)) == ["bo@x.example", "oy@x.example"]


def limited(count: int) -> Any:
    from django.conf import settings

    few = {"RECIPIENTS_PER_HOUR": count, "NEWCOMER_RECIPIENTS_PER_HOUR": count}
    return override_settings(MAILROOM={**settings.MAILROOM, **few})


def test_all_leave_at_the_time_that_is_chosen(alice: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft)
    wrong = alice.client.post(place(draft), {"do": "begin", "when": "later", "send_at": "yesterday"})
    assert wrong.status_code == 422
    at = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    alice.client.post(place(draft), {"do": "begin", "when": "later", "send_at": at.strftime("%Y-%m-%dT%H:%M")})
    assert not merging.advance(MailMerge.objects.get().pk)
    assert set(Outgoing.objects.values_list("send_after", "scheduled")) == {(at, True)}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no table"),
        ("mail\n" + "a@x.example\n" * 1001, "At most 1000 rows"),
        ("x" * (2 * 2**20 + 1), "At most 2 MB"),
    ],
)
def test_a_file_that_is_no_table_is_refused_beside_its_field(alice: Somebody, table: str, words: str) -> None:
    draft = a_draft(alice)
    refused = lay(alice, draft, table)
    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert not MailMerge.objects.exists()


def test_who_gets_copies_and_who_gets_nothing_is_said_before(alice: Somebody) -> None:
    draft = a_draft(alice, to="bo@x.example", bcc="archive@x.example")
    lay(alice, draft)
    told = page(alice, draft)
    assert "a blind copy goes to archive@x.example" in told
    assert "in To and Cc gets nothing" in told
    quiet = a_draft(alice)
    lay(alice, quiet)
    assert "blind copy" not in page(alice, quiet)
    assert "gets nothing" not in page(alice, quiet)


def test_another_column_names_the_people(alice: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft, "Private,Work\na@x.example,b@x.example\n")
    assert '<b dir="auto">a@x.example</b>' in page(alice, draft)
    alice.client.post(place(draft), {"do": "column", "column": "1"})
    assert '<b dir="auto">b@x.example</b>' in page(alice, draft)
    assert alice.client.post(place(draft), {"do": "column", "column": "9"}).status_code == 404


def test_files_many_times_over_are_refused_before_anything_is_made(alice: Somebody) -> None:
    draft = a_draft(alice)
    Upload.objects.create(user=alice.user, account=alice.account, draft=draft, filename="film", size=600 * 2**20)
    lay(alice, draft)
    refused = alice.client.post(place(draft), {"do": "begin", "when": "now"}).content.decode()
    assert "The files would be sent 2 times" in refused


def test_the_table_of_somebody_else_does_not_exist(alice: Somebody, bob: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft)
    for do in ("table", "column", "begin", "stop", "on", "back", "aside"):
        assert bob.client.post(place(draft), {"do": do}).status_code == 404
    assert MailMerge.objects.get().state == "open"


def test_putting_the_table_aside_leaves_the_message(alice: Somebody) -> None:
    draft = a_draft(alice)
    lay(alice, draft)
    gone = alice.client.post(place(draft), {"do": "aside"})
    assert gone["Location"].endswith(f"?draft={draft.pk}")
    assert not MailMerge.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_no_row_twice(alice: Somebody) -> None:
    table = "mail\n" + "".join(f"p{number}@x.example\n" for number in range(12))
    merge = begun(alice, a_draft(alice), table)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(30):
                merging.advance(merge.pk)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    run_together(work, 3)
    assert not errors
    assert OutgoingRecipient.objects.count() == OutgoingRecipient.objects.values("address").distinct().count() == 12


def run_together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
