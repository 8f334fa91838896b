"""Kinds of answers: to the list, forwards inline and as a file, a message once more; and the pictures within them."""

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Identity
from tests import factories
from tests.app.conftest import Somebody
from tests.unit.imaging.drawn import picture as png
from webmail import storage
from webmail.delivery import answered, draft_copy
from webmail.jobs import Job
from webmail.models import Draft, Flag, Message, MessageBody, Outgoing, Placement, Upload
from webmail.models.frozen import complete
from webmail.queries import composing
from webmail.services import drafts, outbox
from webmail.views import composing as composing_views

COMPOSE = reverse("mail:compose")
RAW = b"From: amara@pier4.example\r\nSubject: Harbour signage\r\n\r\nBoth panels.\r\n"


def a_message(who: Somebody, **fields: Any) -> Message:
    return factories.message(who.inbox, **fields).message


def opened(who: Somebody, original: Message, mode: str) -> composing.Opening:
    if mode == Draft.Mode.AGAIN:
        return composing.again(who.user, original)
    return composing.answer(who.user, original, mode)


def saved(who: Somebody, original: Message, mode: str, **typed: Any) -> Draft:
    """What the composer's first save makes of it."""
    opening = opened(who, original, mode)
    fields = drafts.Fields(
        identity=Identity.objects.get(account=who.account),
        to="amara@pier4.example",
        subject=opening.subject,
        **{"html": opening.html} | typed,
    )
    return drafts.save(who.user, fields, mode=mode, original=original)[0]


def sent(who: Somebody, draft: Draft) -> EmailMessage:
    outgoing = outbox.submit(draft)
    complete(outgoing)
    wire = storage.read(who.account.pk, outgoing.digest)
    made: EmailMessage = message_from_bytes(wire, policy=policy.default)
    return made


@pytest.fixture
def with_picture(alice: Somebody) -> Message:
    """A message that shows a picture of its own and carries a file."""
    octets = png()
    parts = [
        {"path": "1.2", "type": "image/png", "size": len(octets), "filename": "plan.png", "role": "inline"}
        | {"cid": "stranger@x", "digest": storage.put(alice.account.pk, octets)},
        {"path": "2", "type": "application/pdf", "size": 4, "filename": "a.pdf", "role": "attachment"}
        | {"digest": storage.put(alice.account.pk, b"%PDF")},
    ]
    return a_message(alice, html='<p>See</p><img src="c/1.2"><img src="c/9"><img src="c/2">', parts=parts)


def test_a_list_reply_goes_to_the_list_alone(alice: Somebody) -> None:
    listed = a_message(alice, extra={"list_post": "<mailto:crew@lists.example?subject=x>, <https://lists.example/>"})
    opening = opened(alice, listed, Draft.Mode.REPLY_LIST)
    assert (opening.to, opening.cc, opening.subject) == ("crew@lists.example", "", "Re: Harbour signage")
    assert "mode=list" in alice.client.get(thread_url(alice, listed)).content.decode()


@pytest.mark.parametrize("value", ["", "NO", "<https://lists.example/>", "<mailto:a@b.example\r\nBcc: c@d.example>"])
def test_without_a_list_address_everybody_is_answered(alice: Somebody, value: str) -> None:
    plain = a_message(alice, extra={"list_post": value})
    assert opened(alice, plain, Draft.Mode.REPLY_LIST).to == "Amara Okafor <amara@pier4.example>"
    assert "mode=list" not in alice.client.get(thread_url(alice, plain)).content.decode()


def thread_url(who: Somebody, message: Message) -> str:
    placement = Placement.objects.get(message=message)
    return reverse("mail:thread", args=[who.account.pk, who.inbox.pk, placement.thread_id])


@pytest.mark.parametrize("mode", ["reply", "forward", "again"])
def test_pictures_of_the_original_stay_in_its_quote(alice: Somebody, with_picture: Message, mode: str) -> None:
    draft = saved(alice, with_picture, mode)
    mail = sent(alice, draft)
    html = mail.get_body(("html",))
    related = next(part for part in mail.walk() if part.get_content_type() == "multipart/related")
    picture = next(part for part in related.walk() if part.get_content_type() == "image/png")
    assert html is not None
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in html.get_content()
    assert picture.get_content() == png()
    assert "stranger@x" not in mail.as_string()
    files = [part.get_filename() for part in mail.walk() if part.get_content_disposition() == "attachment"]
    assert files == ([] if mode == "reply" else ["a.pdf"])


def test_a_picture_deleted_from_the_quote_does_not_go_along(alice: Somebody, with_picture: Message) -> None:
    draft = saved(alice, with_picture, "reply")
    assert Upload.objects.get().content_id
    fields = drafts.Fields(identity=draft.identity, to="a@b.example", html="<p>Without</p>")  # type: ignore[arg-type]  # it has one
    drafts.save(alice.user, fields, draft=draft, revision=draft.revision)
    assert [part.get_content_type() for part in sent(alice, draft).walk() if "image" in part.get_content_type()] == []


def test_in_plain_text_only_pictures_of_ones_own_go_along(alice: Somebody, with_picture: Message) -> None:
    draft = saved(alice, with_picture, "reply")
    own = SimpleUploadedFile("own.png", png(size=(8, 8)), content_type="image/png")
    alice.client.post(reverse("mail:draft_files", args=[draft.pk]), {"files": own, "inline": "1"})
    fields = drafts.Fields(identity=draft.identity, to="a@b.example", text="Plain", plain=True)  # type: ignore[arg-type]  # it has one
    drafts.save(alice.user, fields, draft=draft, revision=draft.revision)
    assert [part.get_filename() for part in sent(alice, draft).iter_attachments()] == ["own.png"]


def test_a_picture_of_the_text_is_shown_by_its_draft_and_never_as_a_file(alice: Somebody) -> None:
    draft = saved(alice, a_message(alice, text="Hello"), "reply")
    address = reverse("mail:draft_files", args=[draft.pk])
    picture = SimpleUploadedFile("plan.png", png(size=(8, 8)), content_type="image/png")
    answer = alice.client.post(address, {"files": picture, "inline": "1"}).json()
    upload = Upload.objects.get()
    assert [entry["cid"] for entry in answer["uploads"]] == [upload.content_id]
    page = alice.client.get(COMPOSE, {"draft": draft.pk}).content.decode()
    shown = reverse("mail:draft_file", args=[draft.pk, upload.pk])
    assert shown in page
    assert "plan.png" not in page
    picture_back = alice.client.get(shown)
    assert b"".join(picture_back.streaming_content) == png(size=(8, 8))  # type: ignore[attr-defined]  # the test client's own
    assert picture_back["Content-Type"] == "image/png"
    assert picture_back["Content-Disposition"].startswith("attachment")


def test_what_is_no_picture_is_a_file_even_when_dropped_into_the_text(alice: Somebody) -> None:
    draft = saved(alice, a_message(alice, text="Hello"), "reply")
    for name, kind in (("a.svg", "image/svg+xml"), ("b.html", "text/html")):
        page = SimpleUploadedFile(name, b"<svg onload=alert(1)>", content_type=kind)
        alice.client.post(reverse("mail:draft_files", args=[draft.pk]), {"files": page, "inline": "1"})
    assert not Upload.objects.exclude(content_id="").exists()
    assert Upload.objects.count() == 2


def test_a_forward_as_a_file_carries_every_octet_of_the_original(alice: Somebody) -> None:
    original = a_message(alice, text="Both panels.", size=len(RAW))
    MessageBody.objects.filter(message=original).update(raw_digest=storage.put(alice.account.pk, RAW))
    opening = opened(alice, original, Draft.Mode.FORWARD_FILE)
    assert (opening.to, opening.subject, "Both panels" in opening.html) == ("", "Fwd: Harbour signage", False)
    draft = saved(alice, original, Draft.Mode.FORWARD_FILE)
    (attached,) = sent(alice, draft).iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("message/rfc822", "Harbour signage.eml")
    wire = storage.read(alice.account.pk, Outgoing.objects.get().digest)
    assert RAW in wire


def test_a_forward_as_a_file_waits_until_the_original_is_here(alice: Somebody) -> None:
    original = a_message(alice, text="Both panels.", size=len(RAW))
    draft = saved(alice, original, Draft.Mode.FORWARD_FILE)
    with pytest.raises(outbox.NotReady, match="attachments"):
        outbox.submit(draft)
    MessageBody.objects.filter(message=original).update(raw_digest=storage.put(alice.account.pk, RAW))
    assert len(list(sent(alice, draft).iter_attachments())) == 1


def test_a_message_once_more_keeps_its_people_and_answers_nobody(alice: Somebody) -> None:
    people = {"to": [["Bo", "bo@x.example"]], "cc": [["", "cy@x.example"]], "bcc": [["", "dot@x.example"]]}
    original = a_message(alice, html="<p>Both panels</p>", people=people, message_id="first@x.example")
    opening = opened(alice, original, Draft.Mode.AGAIN)
    assert (opening.to, opening.cc, opening.bcc) == ("Bo <bo@x.example>", "cy@x.example", "dot@x.example")
    assert (opening.subject, "Both panels" in opening.html, "blockquote" in opening.html) == (
        "Harbour signage",
        True,
        False,
    )
    mail = sent(alice, saved(alice, original, Draft.Mode.AGAIN))
    assert (mail["In-Reply-To"], mail["References"]) == (None, None)
    assert mail["Message-ID"] != "<first@x.example>"


@pytest.mark.parametrize(
    ("mode", "flag"),
    [
        ("list", Flag.ANSWERED),
        ("all", Flag.ANSWERED),
        ("forward", Flag.FORWARDED),
        ("file", Flag.FORWARDED),
        ("again", None),
    ],
)
def test_what_is_sent_marks_its_original_by_its_kind(alice: Somebody, mode: str, flag: Flag | None) -> None:
    original = a_message(alice, text="Hello")
    MessageBody.objects.filter(message=original).update(raw_digest=storage.put(alice.account.pk, RAW))
    outgoing = outbox.submit(saved(alice, original, mode, html="<p>Here</p>"))
    answered.mark(outgoing)
    flags = Placement.objects.get(message=original).flags & (Flag.ANSWERED | Flag.FORWARDED)
    assert flags == (flag or 0)


def test_the_window_says_which_pictures_it_may_show(alice: Somebody, with_picture: Message) -> None:
    page = alice.client.get(f"{COMPOSE}?reply={with_picture.pk}&mode=reply&window=1").content.decode()
    url = reverse("mail:attachment", args=[with_picture.pk, "1.2"])
    cid = composing.content_id(with_picture.pk, "1.2")
    assert json.dumps({cid: f"{url}?inline=1"}).replace('"', "&quot;") in page
    assert b"".join(alice.client.get(f"{url}?inline=1").streaming_content) == png()  # type: ignore[attr-defined]  # the test client's own


def test_a_picture_deleted_from_the_text_is_not_left_in_the_draft_on_the_server(
    alice: Somebody, with_picture: Message
) -> None:
    draft = saved(alice, with_picture, "reply")
    assert b"image/png" in draft_copy._build(draft)[1]
    fields = drafts.Fields(identity=draft.identity, to="a@b.example", html="<p>Without</p>")  # type: ignore[arg-type]  # it has one
    drafts.save(alice.user, fields, draft=draft, revision=draft.revision)
    assert b"image/png" not in draft_copy._build(draft)[1]


def test_a_file_whose_message_is_gone_is_said_to_be_and_not_waited_for(alice: Somebody) -> None:
    original = a_message(alice, text="Both panels.", size=len(RAW))
    draft = saved(alice, original, Draft.Mode.FORWARD_FILE)
    original.delete()
    draft.refresh_from_db()
    with pytest.raises(outbox.NotReady) as refused:
        outbox.submit(draft)
    assert "no longer on the mail server" in refused.value.errors["attachments"]


@pytest.mark.parametrize("mode", ["forward", "again"])
def test_what_is_not_here_yet_is_fetched_before_its_text_goes_on(
    alice: Somebody, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = a_message(alice)

    def fetched(job: Job, message_id: int) -> bool:
        values = {"account": alice.account, "state": "here", "text": "Both panels"}
        MessageBody.objects.create(message_id=message_id, **values)
        return job == Job.FETCH_BODY

    monkeypatch.setattr(composing_views, "enqueue", fetched)
    page = alice.client.get(f"{COMPOSE}?reply={original.pk}&mode={mode}").content.decode()
    assert "Both panels" in page
