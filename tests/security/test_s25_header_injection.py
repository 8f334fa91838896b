"""S25: a line break in anything that becomes a header is an error beside the field, and nothing is handed over."""

from email import message_from_bytes
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Identity
from webmail import storage
from webmail.models import Draft, Message, Outgoing
from webmail.services import outbox

from .ground import World

BREAKS = {"CRLF": "\r\n", "LF": "\n", "CR": "\r", "NUL": "\0", "VT": "\v", "FF": "\f", "NEL": "\x85", "LS": "\u2028"}
EXTRA = "Bcc: victim@evil.example"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_outbox(alice: World) -> None:
    Outgoing.objects.all().delete()
    Draft.objects.all().delete()


def compose(who: World, **fields: Any) -> dict[str, Any]:
    usual = {
        "identity": who.identity.pk,
        "to": "friend@pier4.example",
        "subject": "Proofs",
        "text": "Hello",
        "do": "send",
    }
    return usual | fields


def post(who: World, **fields: Any) -> Any:
    return who.client.post(reverse("mail:compose"), compose(who, **fields))


VALUES = ("Proofs{}" + EXTRA, '"Friend{}' + EXTRA + '" <friend@pier4.example>', "a@b.example{} " + EXTRA)


@pytest.mark.parametrize("name", ["subject", "to", "cc", "bcc"])
def test_s25_a_break_in_a_header_is_an_error(name: str, alice: World) -> None:
    for what, line_break in BREAKS.items():
        for value in VALUES:
            response = post(alice, **{name: value.format(line_break)})
            assert response.status_code == 422, what
            assert b"single line" in response.content, what
    assert not Outgoing.objects.exists()
    assert not Draft.objects.filter(**{f"{name}__regex": r"[\r\n\v\f]"}).exists()


def test_s25_without_a_break_it_is_sent(alice: World) -> None:
    assert post(alice).status_code == 302
    sent = Outgoing.objects.get()
    headers = message_from_bytes(storage.read(sent.account_id, sent.digest))
    assert (headers["Subject"], headers["Bcc"]) == ("Proofs", None)


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\0"])
def test_s25_names_of_people_are_one_line(line_break: str, alice: World) -> None:
    for name in ("name", "reply_to"):
        data = {"identity": alice.identity.pk, "name": "Alice", name: f"x@y.example{line_break}{EXTRA}"}
        assert alice.client.post(reverse("mail:identities"), data).status_code == 422
    assert not Identity.objects.filter(name__regex=r"[\r\n]").exists()
    Identity.objects.filter(pk=alice.identity.pk).update(name=f"Alice\r\n{EXTRA}")  # however it may have come there
    assert post(alice).status_code == 422
    assert not Outgoing.objects.exists()


@pytest.mark.parametrize("field", ["subject", "to", "cc", "bcc"])
def test_s25_what_lies_in_the_row_is_checked_again(field: str, alice: World) -> None:
    draft = Draft.objects.create(
        user=alice.user,
        account=alice.account,
        identity=alice.identity,
        **({"to": "a@b.example"} | {field: f"a@b.example\r\n{EXTRA}"}),
    )
    try:
        sent = outbox.submit(draft)
    except outbox.NotReady:
        assert not Outgoing.objects.exists()
    else:
        assert no_header_was_added(sent)


def no_header_was_added(sent: Outgoing) -> bool:
    """Recipients are parsed, so a break among them may only separate; no header may come of it."""
    headers = message_from_bytes(storage.read(sent.account_id, sent.digest))
    stray = [name for name in headers if name.lower() not in USUAL]
    return not stray and "Bcc" not in headers and len(headers.get_all("Subject", [])) <= 1


USUAL = {"from", "to", "cc", "subject", "date", "message-id", "mime-version", "content-type", "in-reply-to"} | {
    "content-transfer-encoding",
    "references",
    "reply-to",
    "user-agent",
    "content-disposition",
}


@pytest.mark.parametrize("field", ["message_id", "references"])
def test_s25_an_answer_quotes_no_header_of_the_sender(field: str, alice: World) -> None:
    """Message-IDs are chosen by strangers."""
    hostile = f"x@y.example>\r\n{EXTRA}\r\nX-A: <z@y.example"
    value = [hostile] if field == "references" else hostile
    Message.objects.filter(pk=alice.message_id).update(**{field: value})
    response = post(alice, original=alice.message_id, mode="reply")
    assert response.status_code in (302, 422)
    for sent in Outgoing.objects.all():
        assert no_header_was_added(sent)


@pytest.mark.parametrize("name", [f"a.txt\r\n{EXTRA}", f'a"\r\n{EXTRA}.txt', "a\0.txt", f"a\u2028{EXTRA}"])
def test_s25_a_files_name_is_a_name(name: str, alice: World) -> None:
    file = SimpleUploadedFile("x", b"data", content_type=f"text/plain\r\n{EXTRA}")
    vars(file)["_name"] = name  # past the cleaning of the class itself
    assert post(alice, files=[file]).status_code in (302, 422)
    for sent in Outgoing.objects.all():
        assert no_header_was_added(sent)
        parts = message_from_bytes(storage.read(sent.account_id, sent.digest)).walk()
        assert all(part["Bcc"] is None for part in parts)


def test_s25_header_names_are_not_for_people(alice: World) -> None:
    more = {
        "X-Evil": "1",
        "header": "Bcc",
        "headers": EXTRA,
        "extra": EXTRA,
        "reply_to": "x@evil.example",
        "from": "ceo@bank.example",
    }
    assert post(alice, **more).status_code == 302
    raw = storage.read(alice.account.pk, Outgoing.objects.get().digest)
    assert b"evil" not in raw.lower()
    assert b"ceo@bank" not in raw


def test_s25_a_link_that_opens_the_composer_is_one_line(alice: World) -> None:
    breaks = {name: f"x%0d%0a{EXTRA}".replace("%0d%0a", "\r\n") for name in ("to", "cc", "subject", "bcc")}
    page = alice.client.get(reverse("mail:compose"), breaks).content.decode()
    assert f"\n{EXTRA}" not in page
