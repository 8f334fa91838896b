"""Writing and sending through the composer's address: what is kept, refused, frozen and taken back."""

import json
import re
import zoneinfo
from datetime import timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity, MailServer, User
from tests import factories
from tests.app.conftest import Somebody
from webmail import storage
from webmail.models import Correspondent, Draft, Outgoing, Upload

COMPOSE = reverse("mail:compose")


def fields(who: Somebody, **more: Any) -> dict[str, Any]:
    identity = Identity.objects.get(account=who.account)
    typed = {"identity": identity.pk, "to": "amara@pier4.example", "subject": "Proofs", "format": "html"}
    return typed | {"html": "<p>Hello <b>both</b></p>"} | more


def post(who: Somebody, **more: Any) -> HttpResponse:
    return who.client.post(COMPOSE, fields(who, **more), headers={"Accept": "application/json"})  # type: ignore[return-value]  # the test client's own response class


def told(response: HttpResponse) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(response.content)
    return data


def test_opening_writes_nothing(alice: Somebody) -> None:
    for query in ("", f"?reply={alice.placement.message_id}&mode=all", "?to=a@b.example"):
        assert alice.client.get(COMPOSE + query).status_code == 200
    assert not Draft.objects.exists()


def test_a_mailto_link_fills_four_fields_and_no_others(alice: Somebody) -> None:
    query = {"to": "a@b.example", "cc": "c@d.example", "subject": "Hi", "body": "Line", "bcc": "spy@e.example"}
    page = alice.client.get(COMPOSE, query | {"attach": "/etc/passwd", "identity": "9"}).content.decode()
    assert 'value="a@b.example"' in page
    assert 'value="c@d.example"' in page
    assert "Line" in page
    assert "spy@e.example" not in page
    assert "passwd" not in page


def test_saving_makes_one_draft_and_counts_its_revisions(alice: Somebody) -> None:
    first = told(post(alice))
    again = told(post(alice, draft=first["draft"], revision=first["revision"], subject="Proofs, final"))
    draft = Draft.objects.get()
    assert (again["draft"], again["revision"]) == (first["draft"], first["revision"] + 1)
    assert (draft.subject, draft.to) == ("Proofs, final", "amara@pier4.example")
    assert again["saved_at"]


def test_what_another_tab_wrote_is_kept_beside(alice: Somebody) -> None:
    first = told(post(alice))
    post(alice, draft=first["draft"], revision=first["revision"], subject="In one tab")
    late = told(post(alice, draft=first["draft"], revision=first["revision"], subject="In the other"))
    assert late["kept_beside"]
    assert set(Draft.objects.values_list("subject", flat=True)) == {"In one tab", "In the other"}


def test_without_scripting_a_rich_draft_stays_rich_until_its_text_changes(alice: Somebody) -> None:
    first = told(post(alice))
    values = {"format": "plain", "draft": first["draft"], "do": "save"}
    plain = fields(alice, **values, revision=1, text="Hello both", html="")
    alice.client.post(COMPOSE, plain)
    assert "<b>both</b>" in Draft.objects.get().html
    alice.client.post(COMPOSE, plain | {"revision": 2, "text": "Hello all"})
    draft = Draft.objects.get()
    assert (draft.plain, draft.text, draft.html) == (True, "Hello all", "")


def test_files_are_attached_and_removed_by_the_form(alice: Somebody) -> None:
    file = SimpleUploadedFile("proof.txt", b"ink", content_type="text/plain")
    alice.client.post(COMPOSE, fields(alice, do="attach", files=[file]))
    upload = Upload.objects.get()
    assert storage.read(alice.account.pk, upload.digest) == b"ink"
    values = fields(alice, do=f"remove:{upload.pk}", draft=upload.draft_id, revision=1)
    assert alice.client.post(COMPOSE, values).status_code == 302
    assert not Upload.objects.exists()


def test_files_come_one_by_one_for_a_script(alice: Somebody) -> None:
    draft = told(post(alice))["draft"]
    address = reverse("mail:draft_files", args=[draft])
    answer = alice.client.post(address, {"files": SimpleUploadedFile("a.pdf", b"%PDF")})
    assert [upload["name"] for upload in answer.json()["uploads"]] == ["a.pdf"]
    gone = alice.client.post(address, {"remove": answer.json()["uploads"][0]["id"]})
    assert gone.json()["uploads"] == []


@override_settings(MAILROOM={"UPLOAD_MAX_BYTES": 2**20})
def test_a_file_too_large_is_refused_in_words_and_the_draft_kept(alice: Somebody) -> None:
    file = SimpleUploadedFile("huge.bin", b"x" * (2**20 + 1))
    answer = alice.client.post(COMPOSE, fields(alice, do="attach", files=[file]))
    assert answer.status_code == 422
    assert "huge.bin: One message carries at most 1 MB" in answer.content.decode()
    assert Draft.objects.get().subject == "Proofs"
    assert not Upload.objects.exists()


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "subject"])
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0", "\x85", "\u2028"])
def test_a_line_break_in_a_header_is_an_error_beside_the_field(alice: Somebody, field: str, break_: str) -> None:
    answer = post(alice, do="send", **{field: f"x@y.example{break_}Bcc: spy@e.example"})
    assert answer.status_code == 422
    assert field in told(answer)["errors"]
    assert not Outgoing.objects.exists()
    assert Draft.objects.filter(to__contains="@").exists(), "what was typed is kept"


def test_a_line_break_in_a_name_or_reply_address_never_reaches_an_identity(alice: Somebody) -> None:
    identity = Identity.objects.get(account=alice.account)
    values = {
        "identity": identity.pk,
        "name": "Al\r\nBcc: spy@e.example",
        "reply_to": "a@b.example\r\nBcc: c@d.example",
    }
    answer = alice.client.post(reverse("mail:identities"), values)
    assert answer.status_code == 422
    identity.refresh_from_db()
    assert (identity.name, identity.reply_to) == ("Alice", "")


def test_sending_freezes_the_message_without_bcc(alice: Somebody) -> None:
    sent = told(post(alice, do="send", bcc="quiet@e.example"))
    outgoing = Outgoing.objects.get(pk=sent["sent"])
    wire = storage.read(alice.account.pk, outgoing.digest)
    assert b"quiet@e.example" not in wire
    assert b"quiet@e.example" in storage.read(alice.account.pk, outgoing.sent_copy_digest)
    assert set(outgoing.recipients.values_list("address", flat=True)) == {"amara@pier4.example", "quiet@e.example"}
    assert outgoing.envelope_from == alice.account.address
    assert (sent["seconds"], Draft.objects.get().closed_at is not None) == (10, True)


def test_undo_takes_the_message_back_into_the_composer(alice: Somebody) -> None:
    sent = told(post(alice, do="send"))
    back = alice.client.post(sent["undo_url"])
    draft = Draft.objects.get()
    assert back["Location"] == f"{COMPOSE}?draft={draft.pk}"
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED
    assert "Hello" in alice.client.get(back["Location"]).content.decode()


def test_undo_in_an_open_page_names_the_composer_to_open(alice: Somebody) -> None:
    sent = told(post(alice, do="send"))
    back = alice.client.post(sent["undo_url"], headers={"HX-Request": "true"})
    assert json.loads(back["HX-Trigger"])["mailroom:compose"]["url"] == f"{COMPOSE}?draft={Draft.objects.get().pk}"


def test_what_has_left_cannot_be_taken_back(alice: Somebody) -> None:
    sent = told(post(alice, do="send"))
    Outgoing.objects.update(state=Outgoing.State.SENT)
    alice.client.post(sent["undo_url"])
    assert Outgoing.objects.get().state == Outgoing.State.SENT
    assert Draft.objects.get().closed_at is not None


@pytest.mark.parametrize(("to", "words"), [("", "at least one recipient"), ("nobody", "is not an address")])
def test_a_message_to_nobody_is_refused_beside_the_field(alice: Somebody, to: str, words: str) -> None:
    answer = alice.client.post(COMPOSE, fields(alice, do="send", to=to))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert (Outgoing.objects.count(), Draft.objects.get().subject) == (0, "Proofs")


def test_nobody_writes_from_an_address_of_somebody_else(alice: Somebody, charlie: Somebody) -> None:
    foreign = Identity.objects.get(account=charlie.account)
    answer = post(alice, do="send", identity=foreign.pk)
    assert answer.status_code == 422
    assert "identity" in told(answer)["errors"]
    assert (Outgoing.objects.count(), Draft.objects.count()) == (0, 0)


def test_nobody_writes_from_an_address_that_was_not_verified(alice: Somebody) -> None:
    Identity.objects.filter(account=alice.account).update(verified_at=None)
    assert post(alice, do="send").status_code == 422
    assert not Outgoing.objects.exists()


def test_drafts_files_and_originals_of_others_do_not_exist(alice: Somebody, bob: Somebody) -> None:
    theirs = told(post(bob))["draft"]
    bob.client.post(reverse("mail:draft_files", args=[theirs]), {"files": SimpleUploadedFile("b.txt", b"b")})
    upload = Upload.objects.get()
    mine = told(post(alice))["draft"]
    assert alice.client.get(COMPOSE, {"draft": theirs}).status_code == 404
    assert alice.client.get(COMPOSE, {"reply": bob.placement.message_id}).status_code == 404
    assert post(alice, draft=theirs, revision=1).status_code == 404
    assert post(alice, original=bob.placement.message_id, mode="reply").status_code == 404
    assert post(alice, draft=mine, revision=1, do=f"remove:{upload.pk}").status_code == 404
    assert alice.client.post(reverse("mail:draft_files", args=[theirs])).status_code == 404
    assert alice.client.post(reverse("mail:draft_reopen", args=[theirs])).status_code == 404
    assert Upload.objects.count() == 1


def test_fields_that_the_form_does_not_name_are_ignored(alice: Somebody, bob: Somebody) -> None:
    post(alice, user=bob.user.pk, account=bob.account.pk, is_staff="1", closed_at="2026-01-01", message_id="x")
    draft = Draft.objects.get()
    assert (draft.user, draft.account, draft.closed_at, draft.message_id) == (alice.user, alice.account, None, "")
    alice.user.refresh_from_db()
    assert not alice.user.is_staff


def test_a_reply_names_its_original_and_cannot_lose_it(alice: Somebody) -> None:
    original = alice.placement.message
    post(alice, do="send", mode="reply", original=original.pk)
    wire = storage.read(alice.account.pk, Outgoing.objects.get().digest)
    assert f"In-Reply-To: <{original.message_id}>".encode() in wire


def test_hostile_html_is_cleaned_before_it_is_kept(alice: Somebody) -> None:
    post(alice, html='<p onclick="x()">Hi<script>x()</script><img src=x onerror=x()><a href="javascript:x()">l</a></p>')
    kept = Draft.objects.get().html
    assert not any(word in kept for word in ("script", "onclick", "onerror"))


def test_discarding_can_be_taken_back(alice: Somebody) -> None:
    draft = told(post(alice))["draft"]
    gone = told(post(alice, do="discard", draft=draft))
    assert Draft.objects.get().closed_at is not None
    alice.client.post(gone["undo_url"])
    assert Draft.objects.get().closed_at is None


def test_a_draft_on_the_server_opens_the_draft_it_is_a_copy_of(alice: Somebody) -> None:
    draft = Draft.objects.get(pk=told(post(alice, subject="Half written"))["draft"])
    Draft.objects.filter(pk=draft.pk).update(message_id="copy@harbour.example")
    copy = factories.message(factories.mailbox(alice.account, "drafts"), flags=16, message_id="copy@harbour.example")
    page = alice.client.get(COMPOSE, {"reply": copy.message_id}).content.decode()
    assert f'name="draft" value="{draft.pk}"' in page
    assert "Half written" in page


def test_people_are_suggested_by_any_word_and_only_ones_own(alice: Somebody, bob: Somebody) -> None:
    post(alice, do="send", to='"Noor van Dijk" <noor@atelier.example>')
    assert Correspondent.objects.filter(user=alice.user).exists()
    for typed in ("noo", "dij", "NOOR@AT"):
        found = alice.client.get(reverse("mail:people"), {"q": typed}).json()["people"]
        assert [person["address"] for person in found] == ["noor@atelier.example"]
    assert bob.client.get(reverse("mail:people"), {"q": "noo"}).json()["people"] == []


def test_the_editor_has_an_origin_of_its_own(alice: Somebody) -> None:
    answer = alice.client.get(reverse("mail:editor"))
    policy = answer["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert "X-Frame-Options" not in answer


def test_browsers_keep_the_editor_until_it_is_another(alice: Somebody) -> None:
    def address() -> str:
        found = re.search(r'data-editor="([^"]+)"', alice.client.get(COMPOSE).content.decode())
        assert found is not None
        return found[1]

    before = address()
    assert address() == before
    assert "max-age=86400" in alice.client.get(before)["Cache-Control"]
    alice.user.theme = "dark"
    alice.user.save()
    dark = address()
    assert dark != before
    assert 'data-theme="dark"' in alice.client.get(dark).content.decode()


def test_nobody_writes_without_signing_in(alice: Somebody, client: Any) -> None:
    for name in ("compose", "people", "editor", "outbox", "settings"):
        assert client.get(reverse(f"mail:{name}"))["Location"].startswith(reverse("mail:signin"))


def test_a_composer_is_a_page_or_a_window_but_no_region(alice: Somebody) -> None:
    answer = alice.client.get(COMPOSE, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == COMPOSE
    window = alice.client.get(COMPOSE, {"window": "1"}).content.decode()
    assert "data-composer" in window
    assert "<html" not in window


@pytest.mark.parametrize("scripted", [True, False])
def test_sending_twice_from_two_tabs_sends_once(alice: Somebody, scripted: bool) -> None:
    first = told(post(alice))
    twice = fields(alice, draft=first["draft"], revision=first["revision"], do="send")
    headers = {"Accept": "application/json"} if scripted else {}
    assert alice.client.post(COMPOSE, twice, headers=headers).status_code in (200, 302)
    late = alice.client.post(COMPOSE, twice, headers=headers)
    assert late.status_code == 422
    assert "sent or discarded already" in late.content.decode()
    assert Outgoing.objects.count() == 1


def test_discarding_after_taking_back_can_be_taken_back(alice: Somebody) -> None:
    first = told(post(alice))
    post(alice, draft=first["draft"], revision=first["revision"], do="send")
    alice.client.post(reverse("mail:outgoing_do", args=[Outgoing.objects.get().pk, "undo"]))
    post(alice, draft=first["draft"], do="discard")
    assert alice.client.post(reverse("mail:draft_reopen", args=[first["draft"]])).status_code == 302
    assert Draft.objects.get(closed_at=None).pk == first["draft"]


def test_what_differs_from_what_was_sent_is_kept_and_not_sent(alice: Somebody) -> None:
    first = told(post(alice))
    shared = {"draft": first["draft"], "revision": first["revision"], "do": "send"}
    post(alice, **shared)
    late = post(alice, **shared, subject="Second thoughts")
    assert late.status_code == 422
    assert (Outgoing.objects.count(), Draft.objects.get(closed_at=None).subject) == (1, "Second thoughts")


@pytest.fixture
def in_berlin(alice: Somebody) -> Somebody:
    User.objects.filter(pk=alice.user.pk).update(time_zone="Europe/Berlin")
    return alice


def test_a_message_is_scheduled_in_the_zone_of_its_writer_and_dated_by_when_it_leaves(in_berlin: Somebody) -> None:
    day = timezone.now().date() + timedelta(days=3)
    sent = told(post(in_berlin, do=f"schedule:{day}T08:00"))
    outgoing = Outgoing.objects.get(pk=sent["sent"])
    local = outgoing.send_after.astimezone(zoneinfo.ZoneInfo("Europe/Berlin"))
    assert (local.date(), local.hour, outgoing.scheduled, sent["waits"]) == (day, 8, True, True)
    wire = message_from_bytes(storage.read(in_berlin.account.pk, outgoing.digest))
    assert parsedate_to_datetime(wire["Date"]) == outgoing.send_after
    assert ", 08:00" in sent["text"]
    in_berlin.client.post(sent["undo_url"])
    assert (Outgoing.objects.get().state, Draft.objects.get().closed_at) == (Outgoing.State.CANCELLED, None)


def test_the_form_without_scripting_schedules_by_its_field(alice: Somebody) -> None:
    day = timezone.now().date() + timedelta(days=3)
    answer = alice.client.post(COMPOSE, fields(alice, do="schedule", send_at=f"{day}T18:30"))
    outgoing = Outgoing.objects.get()
    assert answer["Location"] == reverse("mail:outgoing", args=[outgoing.pk])
    page = alice.client.get(answer["Location"]).content.decode()
    assert "waits for its time" in page
    assert "18:30" in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2020-01-01T08:00", "has passed"),
        ("2999-01-01T08:00", "more than a year"),
        ("", "Choose a day and a time"),
        ("soon", "Choose a day and a time"),
        ("2027-03-28T02:30", "couldn’t be interpreted in time zone Europe/Berlin"),  # the clock jumps over it
    ],
)
def test_a_time_that_cannot_be_is_refused_beside_its_field(in_berlin: Somebody, typed: str, words: str) -> None:
    answer = post(in_berlin, do=f"schedule:{typed}")
    assert answer.status_code == 422
    assert words in told(answer)["errors"]["send_at"]
    page = in_berlin.client.post(COMPOSE, fields(in_berlin, do="schedule", send_at=typed)).content.decode()
    assert words in page
    assert not Outgoing.objects.exists()
    assert Draft.objects.filter(subject="Proofs", closed_at=None).exists()


def test_a_receipt_is_asked_for_when_its_writer_says_so(alice: Somebody) -> None:
    kept = told(post(alice, receipt="1"))
    assert 'aria-pressed="true"' in alice.client.get(COMPOSE, {"draft": kept["draft"]}).content.decode()
    told(post(alice, receipt="1", draft=kept["draft"], revision=kept["revision"], do="send"))
    told(post(alice, do="send", subject="Without"))
    asked = [
        message_from_bytes(storage.read(alice.account.pk, one.digest))["Disposition-Notification-To"]
        for one in Outgoing.objects.order_by("pk")
    ]
    assert asked == [alice.account.address, None]


def test_a_report_and_a_reminder_are_kept_with_the_draft_and_go_with_the_message(alice: Somebody) -> None:
    kept = told(post(alice, report="1", remind_days="3"))
    page = alice.client.get(COMPOSE, {"draft": kept["draft"]}).content.decode()
    assert 'name="report" value="1" checked' in page
    assert '<option value="3" selected>' in page
    told(post(alice, report="1", remind_days="3", draft=kept["draft"], revision=kept["revision"], do="send"))
    told(post(alice, do="send", subject="Without"))
    wanted = Outgoing.objects.order_by("pk").values_list("report", "remind_days", "remind_at")
    assert list(wanted) == [("wanted", 3, None), ("", 0, None)]


def test_a_reminder_of_days_that_are_not_offered_is_refused(alice: Somebody) -> None:
    assert "remind_days" in told(post(alice, remind_days="99999"))["errors"]


def test_what_the_server_does_not_take_is_refused_beside_the_files_and_kept(alice: Somebody) -> None:
    MailServer.objects.filter(protocol="smtp").update(message_limit=20_000)
    kept = told(post(alice, subject="Plans"))
    files = reverse("mail:draft_files", args=[kept["draft"]])
    alice.client.post(files, {"files": SimpleUploadedFile("plans.pdf", b"x" * 15_000)})
    refused = told(post(alice, draft=kept["draft"], revision=kept["revision"], subject="Plans", do="send"))
    assert "mail.example takes at most 0.0 MB" in refused["errors"]["attachments"]
    assert Draft.objects.get().closed_at is None
    assert 'data-limit="20000"' in alice.client.get(COMPOSE).content.decode()
    MailServer.objects.update(message_limit=None)
    assert told(post(alice, draft=kept["draft"], revision=refused["revision"], subject="Plans", do="send"))["sent"]


def test_a_mail_link_of_another_page_opens_a_message(alice: Somebody) -> None:
    link = "mailto:bo@x.example?cc=cy@x.example&subject=Two%20words&body=One%0ATwo&bcc=spy@e.example"
    page = alice.client.get(COMPOSE, {"mailto": link}).content.decode()
    assert 'value="bo@x.example"' in page
    assert 'value="cy@x.example"' in page
    assert 'value="Two words"' in page
    assert "One\nTwo" in page
    assert "spy@e.example" not in page
