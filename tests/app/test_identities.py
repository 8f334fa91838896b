"""How a person signs: the address that was written to, its signature, blind copy and copies in Sent."""

import json
from email import message_from_bytes
from email.utils import parseaddr
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests import factories
from tests.app.conftest import Somebody
from webmail import storage
from webmail.delivery import draft_copy
from webmail.models import Message, Outgoing
from webmail.models.frozen import complete
from webmail.queries import composing
from webmail.queries.drafting import of_opening
from webmail.services import drafts, outbox

IDENTITIES = reverse("mail:identities")


def identity(who: Somebody, address: str, **fields: Any) -> Identity:
    return Identity.objects.create(account=who.account, address=address, verified_at=timezone.now(), **fields)


def written_to(who: Somebody, *addresses: str) -> Message:
    people = {"to": [["", address] for address in addresses], "from": [["Amara", "amara@pier4.example"]]}
    return factories.message(who.inbox, people=people, text="Hello").message


def test_an_answer_comes_from_the_address_that_was_written_to(alice: Somebody) -> None:
    press = identity(alice, "press@tide.example", bcc="archive@tide.example", signature="The press desk")
    opening = composing.answer(alice.user, written_to(alice, "PRESS@tide.example", "bo@x.example"), "all")
    assert (opening.identity, opening.sender, opening.bcc) == (press, "", "archive@tide.example")
    assert "The press desk" in opening.html
    assert "press@" not in (opening.to + opening.cc).lower()


def test_of_a_whole_domain_the_address_written_to_answers_and_is_no_recipient(alice: Somebody) -> None:
    every = identity(alice, "*@tide.example")
    opening = composing.answer(alice.user, written_to(alice, "Sales@tide.example", "jobs@tide.example"), "all")
    assert (opening.identity, opening.sender) == (every, "jobs@tide.example")
    assert (opening.to, opening.cc) == ("Amara <amara@pier4.example>", "")
    sheet = of_opening(alice.user, opening)
    assert (sheet.sender, sheet.any_domain) == ("jobs@tide.example", True)


def test_a_whole_domain_writes_only_when_it_was_written_to(alice: Somebody) -> None:
    Identity.objects.update(is_default=False)
    identity(alice, "*@tide.example")
    opening = composing.answer(alice.user, written_to(alice, "else@where.example"), "reply")
    assert opening.identity is not None
    assert opening.identity.address == alice.account.address


def test_a_tagged_address_answers_as_it_was_written_to(alice: Somebody) -> None:
    local, _, domain = alice.account.address.partition("@")
    opening = composing.answer(alice.user, written_to(alice, f"{local}+shop@{domain}"), "all")
    assert opening.sender == f"{local}+shop@{domain}"
    assert "+shop" not in opening.to + opening.cc


def test_an_address_to_be_confirmed_is_nobodys_yet(alice: Somebody) -> None:
    Identity.objects.create(account=alice.account, address="press@tide.example")
    opening = composing.answer(alice.user, written_to(alice, "press@tide.example"), "all")
    assert opening.identity is not None
    assert opening.identity.address == alice.account.address
    assert "press@tide.example" in opening.cc


def test_a_rich_signature_is_cleaned_kept_and_leads_over_its_text(alice: Somebody) -> None:
    mine = Identity.objects.get(account=alice.account)
    html = '<p><b>Alice</b> <a href="https://tide.example">tide</a><script>x</script></p>'
    values = {"identity": mine.pk, "name": "Alice", "signature": "old", "signature_html": html, "keeps_sent": "on"}
    assert alice.client.post(IDENTITIES, values).status_code == 302
    mine.refresh_from_db()
    assert mine.signature_html == '<p><b>Alice</b> <a href="https://tide.example">tide</a></p>'
    assert mine.signature == "Alice tide"
    page = alice.client.get(reverse("mail:compose")).content.decode()
    assert "&lt;b&gt;Alice&lt;/b&gt;" in page
    alice.client.post(IDENTITIES, values | {"signature": "Only text", "signature_html": "<p><br></p>"})
    mine.refresh_from_db()
    assert (mine.signature_html, mine.signature) == ("", "Only text")


def test_of_an_identity_that_keeps_no_copies_none_is_filed(alice: Somebody) -> None:
    mine = Identity.objects.get(account=alice.account)
    alice.client.post(IDENTITIES, {"identity": mine.pk, "name": "Alice", "signature": ""})
    typed = {"identity": mine.pk, "to": "amara@pier4.example", "format": "html", "html": "<p>a", "do": "send"}
    alice.client.post(reverse("mail:compose"), typed)
    assert Outgoing.objects.get().filing == Outgoing.Filing.NONE


def test_the_one_used_first_is_first_and_alone(alice: Somebody) -> None:
    press = identity(alice, "press@tide.example")
    alice.client.post(reverse("mail:identity_do", args=[press.pk, "first"]))
    assert list(Identity.objects.filter(is_default=True)) == [press]
    assert composing.blank(alice.user).identity == press


@pytest.mark.parametrize("value", ["a@b.example\r\nBcc: c@d.example", "nobody"])
def test_a_blind_copy_goes_to_an_address(alice: Somebody, value: str) -> None:
    mine = Identity.objects.get(account=alice.account)
    assert alice.client.post(IDENTITIES, {"identity": mine.pk, "bcc": value}).status_code == 422
    mine.refresh_from_db()
    assert mine.bcc == ""


def test_of_a_whole_domain_no_draft_is_left_on_the_server_from_an_asterisk(alice: Somebody) -> None:
    every = identity(alice, "*@tide.example")
    for sender, shown in (("", alice.account.address), ("jobs@tide.example", "jobs@tide.example")):
        draft, _ = drafts.save(alice.user, drafts.Fields(identity=every, sender=sender, text="a", plain=True))
        mail = message_from_bytes(draft_copy._build(draft)[1])
        assert parseaddr(mail["From"])[1] == shown


def test_an_address_longer_than_any_is_nobodys(alice: Somebody) -> None:
    every = identity(alice, "*@tide.example")
    opening = composing.answer(alice.user, written_to(alice, f"{'x' * 300}@tide.example"), "reply")
    assert (opening.identity == every, opening.sender) == (False, "")


def test_undo_gives_the_one_used_first_back_as_that(alice: Somebody) -> None:
    press = identity(alice, "press@tide.example")
    for do in ("first", "remove"):
        alice.client.post(reverse("mail:identity_do", args=[press.pk, do]))
    opening = composing.blank(alice.user).identity
    assert opening is not None
    assert opening.address == alice.account.address
    alice.client.post(reverse("mail:identity_do", args=[press.pk, "restore"]))
    assert composing.blank(alice.user).identity == press


def test_undo_comes_after_another_was_chosen_to_be_first(alice: Somebody) -> None:
    own, press = Identity.objects.get(account=alice.account), identity(alice, "press@tide.example")
    for one, do in ((press, "first"), (press, "remove"), (own, "first"), (press, "restore")):
        alice.client.post(reverse("mail:identity_do", args=[one.pk, do]))
    assert composing.blank(alice.user).identity == own


# --- pictures in signatures ------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50


def with_picture(who: Somebody, one: Identity) -> str:
    """A signature with a picture, saved as its form does; returns the content id."""
    file = SimpleUploadedFile("logo.png", PNG, content_type="image/png")
    answer = who.client.post(reverse("mail:signature_picture_new", args=[one.pk]), {"file": file})
    cid: str = answer.json()["cid"]
    html = f'<p>Alice</p><img src="cid:{cid}" alt="logo">'
    assert who.client.post(IDENTITIES, {"identity": one.pk, "signature_html": html}).status_code == 302
    one.refresh_from_db()
    return cid


def test_the_picture_of_a_signature_goes_along_with_what_shows_it(alice: Somebody) -> None:
    one = alice.account.identities.get()
    cid = with_picture(alice, one)
    assert f"cid:{cid}" in one.signature_html
    picture = one.pictures.get()
    opening = of_opening(alice.user, composing.blank(alice.user))
    url = json.loads(opening.pictures)[cid]
    answer = alice.client.get(url)
    assert (answer.getvalue(), answer.headers["Content-Type"]) == (PNG, "image/png")
    draft, _beside = drafts.save(alice.user, drafts.Fields(identity=one, to="a@x.example", html=opening.html))
    drafts.save(alice.user, drafts.Fields(identity=one, to="b@x.example", html=opening.html), draft=draft, revision=1)
    assert [upload.content_id for upload in draft.uploads.all()] == [cid]
    made = outbox.submit(draft)
    complete(made)
    message = message_from_bytes(storage.read(alice.account.pk, made.digest))
    (part,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert (part["Content-ID"], part.get_payload(decode=True)) == (f"<{cid}>", PNG)
    without, _beside = drafts.save(alice.user, drafts.Fields(identity=one, to="a@x.example", html="<p>Plain</p>"))
    assert not without.uploads.exists()
    assert picture.size == len(PNG)


def test_a_signature_of_one_account_in_a_message_of_another_keeps_its_picture(alice: Somebody) -> None:
    cid = with_picture(alice, alice.account.identities.get())
    second = factories.account(alice.user, "pop3")
    other = second.identities.get()
    draft, _beside = drafts.save(alice.user, drafts.Fields(identity=other, html=f'<img src="cid:{cid}">'))
    upload = draft.uploads.get()
    assert storage.read(second.pk, upload.digest) == PNG


@pytest.mark.parametrize(
    ("octets", "kind", "words"),
    [(b"x" * 500_001, "image/png", "500 KB"), (b"<svg/>", "image/svg+xml", "PNG"), (b"", "image/png", "PNG")],
)
def test_what_cannot_be_shown_in_a_signature_is_refused_in_words(
    alice: Somebody, octets: bytes, kind: str, words: str
) -> None:
    one = alice.account.identities.get()
    answer = alice.client.post(
        reverse("mail:signature_picture_new", args=[one.pk]), {"file": SimpleUploadedFile("x", octets, kind)}
    )
    assert (answer.status_code, words in answer.json()["error"]) == (422, True)
    assert not one.pictures.exists()


def test_pictures_that_a_signature_no_longer_shows_are_forgotten(alice: Somebody) -> None:
    one = alice.account.identities.get()
    with_picture(alice, one)
    alice.client.post(IDENTITIES, {"identity": one.pk, "signature_html": "<p>Alice</p>"})
    assert not one.pictures.exists()


def test_nobody_sends_the_picture_of_somebody_elses_signature(alice: Somebody, bob: Somebody) -> None:
    cid = with_picture(alice, alice.account.identities.get())
    html = f'<img src="cid:{cid}">'
    draft, _beside = drafts.save(bob.user, drafts.Fields(identity=bob.account.identities.get(), html=html))
    assert not draft.uploads.exists()
