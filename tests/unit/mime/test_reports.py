"""Delivery and disposition notifications taken apart."""

from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.reports import Fate, original_id, parse_report

DSN = b"""Reporting-MTA: dns; mx.harbour.example
Original-Envelope-Id: x
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0000

Original-Recipient: rfc822;anna+2Bnews@example.org
Final-Recipient: rfc822; inbox@elsewhere.example
Action: failed
Status: 5.1.1 (no such user)
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; 550 5.1.1 <anna>:
    no such user

Final-Recipient: rfc822; ben@example.org
Action: delayed
Status: 4.4.1
"""


def test_each_recipient_has_a_fate_in_the_servers_words() -> None:
    report = parse_report("message/delivery-status", DSN.replace(b"\n", b"\r\n"))
    assert report is not None
    assert (report.kind, report.reporter) == ("delivery", "mx.harbour.example")
    assert report.fates == (
        Fate("anna+news@example.org", "failed", "5.1.1", "550 5.1.1 <anna>: no such user", "mail.example.org"),
        Fate("ben@example.org", "delayed", "4.4.1"),
    )


def test_who_leaves_the_action_out_is_understood_by_the_status() -> None:
    report = parse_report(
        "message/delivery-status", b"Reporting-MTA: dns;x\n\nFinal-Recipient: a@b.example\nStatus: 5.0.0\n"
    )
    assert report is not None
    assert report.fates == (Fate("a@b.example", "failed", "5.0.0"),)


def test_a_report_about_nobody_is_none() -> None:
    assert parse_report("message/delivery-status", b"Reporting-MTA: dns; x\n") is None
    assert parse_report("message/disposition-notification", b"Final-Recipient: rfc822; a@b.example\n") is None


def test_opened_or_deleted() -> None:
    mdn = (
        b"Reporting-UA: phone; Mail 1\nOriginal-Recipient: rfc822;anna@example.org\n"
        b"Final-Recipient: rfc822;anna@example.org\nOriginal-Message-ID: <M1@Example.ORG>\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed/error\n"
    )
    report = parse_report("message/disposition-notification", mdn)
    assert report is not None
    assert (report.kind, report.original_id, report.fates) == (
        "reading",
        "M1@example.org",
        (Fate("anna@example.org", "displayed"),),
    )


def test_the_message_that_came_back_names_itself() -> None:
    assert (
        original_id(b"Subject: x\r\nMessage-Id: <a@B.example>\r\n\r\nMessage-Id: <no@b.example>\r\n") == "a@b.example"
    )


def test_a_million_recipients_are_not_read() -> None:
    block = b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n\n"
    report = parse_report("message/delivery-status", b"Reporting-MTA: dns; x\n\n" + block * 50_000)
    assert report is not None
    assert len(report.fates) == 100


@given(st.binary(max_size=300))
def test_nothing_is_too_odd(data: bytes) -> None:
    for kind in ("message/delivery-status", "message/disposition-notification"):
        parse_report(kind, data)
        parse_report(kind, DSN + data)
