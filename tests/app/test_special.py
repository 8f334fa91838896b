"""Pages of mail that is more than text and files: reports, signed and encrypted messages, and broken ones."""

import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.app.conftest import Somebody
from tests.app.test_outbox_views import outgoing
from tests.security.arriving import address_of, deliver
from webmail.models import Placement, ReportedFate
from webmail.services import drafts
from webmail.services.drafts import Fields

FATE = {
    "address": "amara@pier4.example",
    "action": "failed",
    "status": "5.1.1",
    "reply": "550 no such user",
    "server": "",
}
REPORT = {"kind": "delivery", "fates": [FATE], "reporter": "mx.pier4.example", "original_id": "sent@harbour.example"}
BOUNCE = ("Mail system", "mailer-daemon@pier4.example")


def page(who: Somebody, placement: Placement) -> str:
    url = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    response = who.client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def special(who: Somebody, told: dict[str, Any], *, text: str = "x", **fields: Any) -> Placement:
    placement = factories.message(who.inbox, text=text, **fields)
    body = placement.message.body
    body.special = told
    body.save()
    return placement


def sent_by(who: Somebody, **fields: Any) -> Placement:
    sent = factories.mailbox(who.account, "sent")
    columns = {"subject": "Print files", "message_id": "sent@harbour.example", "text": "x"} | fields
    return factories.message(sent, sender=("Me", who.account.address), **columns)


def fate(
    who: Somebody,
    action: str = "failed",
    address: str = "amara@pier4.example",
    *,
    original: str = "sent@harbour.example",
) -> ReportedFate:
    report = factories.message(who.inbox, sender=BOUNCE)
    return ReportedFate.objects.create(
        account=who.account,
        report=report.message,
        original_id=original,
        address=address,
        action=action,
        reply="550 no such user",
        at=timezone.now(),
    )


def test_a_bounce_says_whom_what_and_why_and_leads_to_what_was_sent(alice: Somebody) -> None:
    sent = sent_by(alice)
    html = page(alice, special(alice, {"report": REPORT}, sender=BOUNCE))
    assert "Your message could not be delivered to amara@pier4.example" in html
    assert "550 no such user" in html
    assert "Look for a mistake in it" in html
    url = reverse("mail:thread", args=[sent.account_id, sent.mailbox_id, sent.thread_id])
    assert f'href="{url}#m-{sent.message_id}"' in html
    assert "Open “Print files”" in html


def test_a_bounce_about_somebody_elses_message_leads_nowhere(alice: Somebody, bob: Somebody) -> None:
    """Neither to a colleague's message of that id, nor to one that this person only received."""
    sent_by(bob)
    factories.message(alice.inbox, subject="Print files", message_id="sent@harbour.example")
    assert "Open “Print files”" not in page(alice, special(alice, {"report": REPORT}, sender=BOUNCE))


def test_the_sent_message_says_what_was_reported(alice: Somebody, bob: Somebody) -> None:
    sent, others = sent_by(alice), sent_by(bob)
    fate(alice, "delayed")
    fate(alice, "failed")
    fate(alice, "delivered", "ben@pier4.example")
    html = page(alice, sent)
    assert html.count("amara@pier4.example</span>") == 1
    assert "not delivered" in html
    assert "ben@pier4.example" in html
    assert "not delivered" not in page(bob, others)


def test_nobody_marks_a_message_that_was_received(alice: Somebody) -> None:
    """A report about a message of somebody else is not believed."""
    fate(alice)
    received = factories.message(alice.inbox, message_id="sent@harbour.example", text="x")
    assert "not delivered" not in page(alice, received)


def test_the_outbox_says_what_was_reported(alice: Somebody) -> None:
    out = outgoing(alice, "sent", sent_at=timezone.now())
    fate(alice, original=out.message_id)
    response = alice.client.get(reverse("mail:outgoing", args=[out.pk]))
    assert "not delivered" in response.content.decode()


def test_a_receipt_is_told_in_words(alice: Somebody) -> None:
    read = {**FATE, "action": "displayed", "status": "", "reply": ""}
    html = page(alice, special(alice, {"report": {**REPORT, "kind": "reading", "fates": [read]}}))
    assert "amara@pier4.example opened your message" in html


@pytest.mark.parametrize(
    ("kind", "how", "words"),
    [
        ("signed", "openpgp", "Signed with OpenPGP. Mailroom has not checked the signature."),
        ("signed", "smime", "Signed with S/MIME. Mailroom has not checked the signature."),
        ("encrypted", "openpgp", "Encrypted with OpenPGP. It cannot be read here"),
        ("encrypted", "smime", "Encrypted with S/MIME. It cannot be read here"),
    ],
)
def test_signed_and_encrypted_say_so(alice: Somebody, kind: str, how: str, words: str) -> None:
    path = "2" if kind == "encrypted" else ""
    placement = special(alice, {"protection": {"kind": kind, "how": how, "path": path}, "blank": kind == "encrypted"})
    html = page(alice, placement)
    assert words in html
    assert ("<iframe" in html) is (kind == "signed")
    download = reverse("mail:attachment", args=[placement.message_id, "2"])
    assert (f'href="{download}"' in html) is (kind == "encrypted")


@pytest.mark.parametrize(
    ("told", "fields", "words"),
    [
        ({"notes": ["empty"], "blank": True}, {}, "This message is empty."),
        ({"notes": ["no-text"], "blank": True}, {}, "This message has no text, only what is attached."),
        ({"notes": ["too-deep", "no-text"], "blank": True}, {}, "nested too deeply"),
        ({}, {"people": {}, "subject": "", "sender": ("", "")}, "This message has no header"),
        ({"notes": ["of another version"]}, {}, ""),
    ],
)
def test_bad_mail_says_why_and_can_be_moved_and_deleted(
    alice: Somebody, told: dict[str, Any], fields: dict[str, Any], words: str
) -> None:
    placement = special(alice, told, **fields)
    html = page(alice, placement)
    assert words in html
    assert ("<iframe" in html) is not told.get("blank", False)
    listed = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])).content.decode()
    assert reverse("mail:thread", args=[alice.account.pk, alice.inbox.pk, placement.thread_id]) in listed
    for action in ("archive", "delete"):
        form = {"action": action, "thread": placement.thread_id, "mailbox": placement.mailbox_id, "next": "/"}
        assert alice.client.post(reverse("mail:act"), form).status_code in (200, 302)
        placement.refresh_from_db()
    assert placement.mailbox_id == alice.trash.pk


def test_the_version_beside_a_ciphertext_is_not_offered_as_a_file(alice: Somebody) -> None:
    version = "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\n%s\r\n"
    secret = "--b\r\nContent-Type: application/octet-stream; name=secret.asc\r\n\r\n-----BEGIN PGP\r\n--b--\r\n"
    head = "From: noor@studio.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/encrypted; boundary=b\r\n"
    files = []
    for number, content in enumerate(("Version: 1", "A whole letter. " * 20)):
        raw = f"{head}Message-ID: <{number}@x.test>\r\n\r\n{version % content}{secret}"
        page = alice.client.get(address_of(alice.inbox, deliver(alice.inbox, raw.encode()))).content.decode()
        files.append(page.count('class="attachment"'))
    assert files == [1, 2]


SEALS = [
    ("application/pgp-signature", "application/pgp-signature", "signature.asc"),
    ("application/pkcs7-signature", "application/pkcs7-signature", "smime.p7s"),
    ("application/pkcs7-signature", "application/x-pkcs7-signature", "smime.p7s"),
]


def signed_letter(protocol: str, kind: str, name: str, *, seal: bytes = b"c2VhbA==") -> bytes:
    plan = b"--b\r\nContent-Type: text/csv; name=plan.csv\r\nContent-Disposition: attachment\r\n\r\na,b\r\n"
    return (
        f"From: noor@studio.example\r\nMessage-ID: <{name}@x.test>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/signed; protocol="{protocol}"; boundary=s\r\n\r\n'
        "--s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nA signed letter.\r\n"
    ).encode() + (
        plan + b"--b--\r\n--s\r\nContent-Type: %b; name=%b\r\nContent-Disposition: attachment; filename=%b\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n%b\r\n--s--\r\n"
    ) % (kind.encode(), name.encode(), name.encode(), seal)


@pytest.mark.parametrize(("protocol", "kind", "name"), SEALS)
def test_a_signature_belongs_to_the_line_that_tells_of_it(alice: Somebody, protocol: str, kind: str, name: str) -> None:
    message = deliver(alice.inbox, signed_letter(protocol, kind, name))
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert re.findall(r'class="file-name" title="([^"]*)"', html) == ["plan.csv"]
    line = html.partition("data-protection>")[2].partition("</div>")[0]
    seal = reverse("mail:attachment", args=[message.pk, "2"])
    assert f'href="{seal}"' in line
    assert alice.client.get(seal).status_code == 202  # the page on which it is waited for
    identity = alice.account.identities.get()
    written, _ = drafts.save(alice.user, Fields(identity), mode="forward", original=message)
    assert [one.filename for one in written.uploads.all()] == ["plan.csv"]


def test_what_is_too_long_for_a_signature_is_a_file(alice: Somebody) -> None:
    message = deliver(alice.inbox, signed_letter(*SEALS[1], seal=b"c2VhbA==" * 20_000))
    assert "smime.p7s" in alice.client.get(address_of(alice.inbox, message)).content.decode()


def test_a_signature_that_covers_nothing_is_a_file(alice: Somebody) -> None:
    raw = signed_letter(*SEALS[1]).replace(b"multipart/signed", b"multipart/mixed")
    assert "smime.p7s" in alice.client.get(address_of(alice.inbox, deliver(alice.inbox, raw))).content.decode()
