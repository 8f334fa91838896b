"""Messages whose content lies deeper than the server's structure tells, or whose structure is useless."""

from __future__ import annotations

import base64

import pytest

from accounts.models import MailAccount
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import account_on, imap_account, sync
from tests.support.dovecot import Dovecot
from tests.support.packing import attached, binary, message_properties, tnef, words
from tests.support.scripted_imap import OK, Heard, ScriptedImap, scripted_imap
from webmail import storage
from webmail.models import Message, MessageBody, ReportedFate
from webmail.sync import bodies, warm
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = b"From: Ana <ana@x.test>\r\nTo: me@mail.test\r\nSubject: S\r\nMessage-ID: <m@x.test>\r\nMIME-Version: 1.0\r\n"


@pytest.fixture(autouse=True)
def _no_warm_sessions() -> None:
    warm.sweep(older_than=-1)


def opened(dovecot: Dovecot, raw: bytes) -> tuple[MailAccount, MessageBody]:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [raw])
    sync(account)
    MessageBody.objects.filter(account=account).delete()  # what was brought ahead
    bodies.fetch_body(Message.objects.get(account=account).pk)
    return account, MessageBody.objects.get(account=account)


def stored(account: MailAccount, body: MessageBody, path: str) -> bytes:
    entry = next(part for part in body.parts if part["path"] == path)
    return storage.read(account.pk, entry["digest"])


def test_files_inside_winmail_are_in_storage_at_once(dovecot: Dovecot) -> None:
    html = message_properties(binary(0x1013, b"<p>Rich words</p>"))
    package = tnef(html, *attached(words(0x3707, "plan.pdf"), binary(0x3701, b"%PDF-1.4")))
    raw = (
        HEAD
        + b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(package).replace(b"\n", b"\r\n")
    )
    account, body = opened(dovecot, raw)
    assert "Rich words" in body.clean_html
    assert stored(account, body, "1.T1") == b"%PDF-1.4"
    body.parts[1]["digest"] = ""
    body.save()
    bodies.fetch_part(body.pk, "1.T1")  # no server has such a section
    body.refresh_from_db()
    assert stored(account, body, "1.T1") == b"%PDF-1.4"


def test_a_uuencoded_file_is_an_attachment(dovecot: Dovecot) -> None:
    raw = HEAD + b"\r\nBefore\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nAfter\r\n"
    account, body = opened(dovecot, raw)
    assert body.text.split() == ["Before", "After"]
    assert stored(account, body, "1.U1") == b"Cat"


def test_a_report_is_kept_by_the_message_it_is_about(dovecot: Dovecot) -> None:
    raw = (
        HEAD + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\n\r\nNo.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        b"Final-Recipient: rfc822; ben@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 no\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Subject: Mine\r\nMessage-ID: <mine@mail.test>\r\n\r\nwords\r\n--b--\r\n"
    )
    _, body = opened(dovecot, raw)
    row = ReportedFate.objects.get()
    assert (row.original_id, row.address, row.action, row.reply) == ("mine@mail.test", "ben@x.test", "failed", "550 no")
    bodies.fetch_part(body.pk, "")
    bodies.analyse_raw(body.pk)  # read again from the whole message
    assert ReportedFate.objects.count() == 1


def test_a_message_nested_too_deeply_says_so(dovecot: Dovecot) -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    _, body = opened(dovecot, HEAD + deep + b"\r\nwords\r\n")
    assert body.state == "here"
    assert "too-deep" in body.special["notes"]


# --- structures that are none ----------------------------------------------------------------------------------------

RAW = HEAD + b"Content-Type: text/html\r\n\r\n<p>Hello from the whole</p>\r\n"
USELESS = {
    "no parts": b"()",
    "numbers": b"(1 2 3)",
    "cut list": b'(("text" "plain" NIL NIL NIL "7bit" 5 1)',
    "nothing": b"NIL",
    "deeper than anybody": b"(" * 180 + b")" * 180,
}


@pytest.mark.parametrize("structure", USELESS.values(), ids=USELESS.keys())
def test_a_useless_structure_costs_only_the_whole_message(certificates: DemoCertificate, structure: bytes) -> None:
    with scripted_imap(certificates) as script:
        one_message(script, structure)
        account = account_on(script.endpoint, "anna@mail.test")
        sync_account(account.pk)
        message = Message.objects.get(account=account)
        MessageBody.objects.filter(account=account).delete()
        bodies.fetch_body(message.pk)
        body = MessageBody.objects.get(account=account)
        assert (body.state, body.error) == ("here", "")
        assert "Hello from the whole" in body.clean_html
        assert storage.read(account.pk, body.raw_digest) == RAW
        warm.sweep(older_than=-1)


def one_message(script: ScriptedImap, structure: bytes) -> None:
    """INBOX has one message, of which this is the structure."""
    head = RAW.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    selected = b"* 1 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n%T OK selected\r\n"
    script.answer(rb"\A(SELECT|EXAMINE) ", selected)
    counters = b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1 UNSEEN 1)\r\n"
    script.answer(rb"\ASTATUS ", counters + OK)
    script.answer(rb"\AUID SEARCH", b"* SEARCH 1\r\n" + OK)
    script.answer(rb"\AUID FETCH .*FLAGS", b"* 1 FETCH (UID 1 FLAGS ())\r\n" + OK)
    row = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "01-Jan-2024 10:00:00 +0000" RFC822.SIZE %d BODYSTRUCTURE %b ' % (
        len(RAW),
        structure,
    )

    def headers(heard: Heard) -> bytes:
        name = heard.line.partition(b"BODY.PEEK")[2].rpartition(b"]")[0] + b"]"
        return row + b"BODY%b {%d}\r\n%b)\r\n" % (name, len(head), head) + OK

    script.answer(rb"\A(UID )?FETCH .*BODYSTRUCTURE", headers)
    whole = b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%b)\r\n" % (len(RAW), RAW)
    script.answer(rb"\AUID FETCH 1 \(?.*BODY\.PEEK\[\]", whole + OK)
