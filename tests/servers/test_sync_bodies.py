"""Bodies and attachments, fetched when wanted."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import imap_account, lock, message, sync
from tests.support.dovecot import Dovecot
from webmail import storage
from webmail.models import Mailbox, Message, MessageBody, MessageSearch, Placement
from webmail.render.pictures import key_of
from webmail.services import actions, targets
from webmail.sync import bodies, warm

pytestmark = pytest.mark.django_db(transaction=True)

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(autouse=True)
def _no_warm_sessions() -> None:
    warm.sweep(older_than=-1)


def letter(attachment: bytes = b"") -> bytes:
    """HTML with a picture inside, a remote one, and an attachment."""
    lines = base64.encodebytes(attachment or b"report").replace(b"\n", b"\r\n")
    pixel = base64.encodebytes(PIXEL).replace(b"\n", b"\r\n")
    return (
        b"From: Ana <ana@x.test>\r\nTo: me@mail.test\r\nSubject: Figures\r\nMessage-ID: <letter@x.test>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="M"\r\n\r\n'
        b'--M\r\nContent-Type: multipart/related; boundary="R"\r\n\r\n'
        b"--R\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b'<p>Gr\xc3\xbc\xc3\x9fe <script>alert(1)</script><img src="cid:pic@x"><img src="https://t.example/a.png"></p>\r\n'
        b"--R\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + pixel
        + b"--R--\r\n"
        b'--M\r\nContent-Type: application/pdf; name="report.pdf"\r\nContent-Disposition: attachment\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + lines + b"--M--\r\n"
    )


def only(account: MailAccount) -> Message:
    return Message.objects.get(account=account)


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [letter()])
    sync(made)
    MessageBody.objects.all().delete()  # brought ahead
    return made


def test_what_is_read_anew_stays_until_the_new_is_here(account: MailAccount) -> None:
    message = only(account)
    bodies.fetch_body(message.pk)
    older = {"clean_version": 1, "clean_html": "<p>As it was</p>", "image_urls": []}
    MessageBody.objects.update(**older)
    MailAccount.objects.update(state="paused")
    bodies.fetch_body(message.pk)
    assert MessageBody.objects.values("state", *older).get() == {"state": "here", **older}
    MailAccount.objects.update(state="working")
    bodies.fetch_body(message.pk)
    assert MessageBody.objects.get().image_urls == ["https://t.example/a.png"]


def test_a_body_is_fetched_cleaned_and_found(account: MailAccount) -> None:
    bodies.fetch_body(only(account).pk)
    body = MessageBody.objects.get()
    assert (body.state, body.has_html, body.remote_images) == ("here", True, 1)
    assert "script" not in body.clean_html
    assert "c/1.2" in body.clean_html
    assert body.image_urls == ["https://t.example/a.png"]
    assert f'src="i/{key_of(body.image_urls[0])}"' in body.clean_html
    assert {part["path"]: part["role"] for part in body.parts} == {"1.1": "html", "1.2": "inline", "2": "attachment"}
    picture = next(part for part in body.parts if part["role"] == "inline")
    assert storage.read(account.pk, picture["digest"]) == PIXEL
    assert MessageSearch.objects.extra(where=["document @@ $$'grusse'$$::tsquery"]).count() == 1
    assert MessageSearch.objects.extra(where=["document @@ $$'n:report'$$::tsquery"]).count() == 1
    assert "Grüße" in only(account).snippet


def test_an_attachment_is_streamed_into_storage(dovecot: Dovecot) -> None:
    data = os.urandom(3_000_001)
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [letter(data)])
    sync(account)
    found = only(account)
    bodies.fetch_body(found.pk)
    bodies.fetch_part(found.pk, "2")
    part = next(part for part in MessageBody.objects.get().parts if part["path"] == "2")
    assert part["digest"] == hashlib.sha256(data).hexdigest()
    assert storage.read(account.pk, part["digest"]) == data


def test_the_whole_source_can_be_fetched(account: MailAccount) -> None:
    bodies.fetch_part(only(account).pk, "")
    body = MessageBody.objects.get()
    assert storage.read(account.pk, body.raw_digest) == letter()
    bodies.fetch_body(only(account).pk)
    body.refresh_from_db()
    assert (body.state, body.has_html) == ("here", True)


def test_a_structure_that_lies_costs_only_the_whole_message(account: MailAccount) -> None:
    gif, html = b'("image" "gif" NIL NIL NIL "7bit" 5)', b'("text" "html" NIL NIL NIL "7bit" 9 1)'
    Message.objects.update(structure=b"(" + gif + gif + html + b' "mixed")')
    bodies.fetch_body(only(account).pk)
    body = MessageBody.objects.get()
    assert (body.state, body.has_html) == ("here", True)
    assert body.raw_digest


def test_a_message_that_is_gone_is_said_so(dovecot: Dovecot, account: MailAccount) -> None:
    dovecot.doveadm("expunge", "-u", account.address, "mailbox", "INBOX", "all")
    bodies.fetch_body(only(account).pk)
    body = MessageBody.objects.get()
    assert body.state == "failed"
    assert body.error


def test_a_body_comes_from_where_a_queued_move_left_it(account: MailAccount) -> None:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    archive = Mailbox.objects.get(account=account, role="archive")
    actions.move(account.user, "move", lock(targets.in_mailbox(account.user, inbox)), archive)
    assert Placement.objects.get().uid is None
    bodies.fetch_body(only(account).pk)
    assert MessageBody.objects.get().state == "here"


def test_a_broken_warm_connection_is_replaced(account: MailAccount) -> None:
    pk = only(account).pk
    bodies.fetch_body(pk)
    MessageBody.objects.all().delete()
    slot = warm._slots[account.pk]
    assert slot.session is not None
    slot.session._wire._channel._sock.close()
    bodies.fetch_body(pk)
    assert MessageBody.objects.get().state == "here"


def test_a_stopped_account_is_not_connected_to(account: MailAccount) -> None:
    MailAccount.objects.update(state="paused")
    bodies.fetch_body(only(account).pk)
    body = MessageBody.objects.get()
    assert (body.state, body.error) == ("failed", bodies.STOPPED)


def test_the_newest_are_brought_ahead(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n, body=f"word{n}") for n in range(60)], flags="S")
    sync(account)
    assert MessageBody.objects.filter(account=account, state="here").count() == 20
    assert Message.objects.filter(account=account).exclude(snippet="").count() == 50


SIGNED = (
    b"DKIM-Signature: v=1; d=x.test; s=k1; h=from:list-unsubscribe:list-unsubscribe-post; b=AbC\r\n"
    b"From: News <news@x.test>\r\nTo: me@mail.test\r\nSubject: News\r\nMessage-ID: <news@x.test>\r\n"
    b"List-Unsubscribe: <https://x.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Content-Type: text/html\r\n\r\n"
    b'<a href="https://evil.test/">https://bank.test/</a> <a href="https://x.test/">x.test</a>\r\n'
)


def test_what_is_signed_and_which_links_deceive_is_kept(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [SIGNED])
    sync(account)  # brings it ahead
    body = MessageBody.objects.get(account=account)
    covered = ["from", "list-unsubscribe", "list-unsubscribe-post"]
    assert body.signatures == [["x.test", "k1", "AbC", covered]]
    assert body.suspect_links == [["bank.test", "evil.test"]]
