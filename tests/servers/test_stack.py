"""The private servers themselves: what the other tests here rely on."""

import imaplib
import poplib
import smtplib
import ssl

import pytest

from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.submission import Submission

MESSAGE = b"From: a@elsewhere.test\r\nTo: b@mail.test\r\nSubject: Hello\r\n\r\n.A dot first.\r\n"


def trusting(dovecot: Dovecot) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(dovecot.tls.ca))


def test_dovecot_serves_a_new_user_over_imap_and_pop3(dovecot: Dovecot) -> None:
    user = dovecot.add_user()
    dovecot.deliver(user, MESSAGE)
    with imaplib.IMAP4_SSL("localhost", dovecot.ports.imaps, ssl_context=trusting(dovecot)) as imap:
        imap.login(user, PASSWORD)
        assert imap.select("INBOX") == ("OK", [b"1"])
        assert {b"CONDSTORE", b"QRESYNC", b"MOVE", b"SPECIAL-USE", b"QUOTA"} <= set(imap.capability()[1][0].split())
        assert b"\\Sent" in b" ".join(line for line in imap.list()[1] if isinstance(line, bytes))
    pop = poplib.POP3_SSL("localhost", dovecot.ports.pop3s, context=trusting(dovecot))
    pop.user(user)
    pop.pass_(PASSWORD)
    assert pop.stat()[0] == 1
    pop.quit()


def test_a_maildir_is_filled_in_the_order_given(dovecot: Dovecot) -> None:
    user = dovecot.add_user()
    count = dovecot.load_maildir(user, (b"Subject: %d\n\nx\n" % n for n in range(300)), mailbox="Big/Box", flags="S")
    fetched = dovecot.doveadm("fetch", "-u", user, "uid flags hdr.subject", "mailbox", "Big/Box", "uid", "7")
    assert count == 300
    assert "\\Seen" in fetched
    assert "hdr.subject: 6" in fetched


def test_a_user_over_quota_is_refused(dovecot: Dovecot) -> None:
    user = dovecot.add_user(quota="2K")
    with imaplib.IMAP4_SSL("localhost", dovecot.ports.imaps, ssl_context=trusting(dovecot)) as imap:
        imap.login(user, PASSWORD)
        status, text = imap.append("INBOX", "", "", b"Subject: big\r\n\r\n" + b"x" * 4000)
    assert status == "NO"
    assert b"OVERQUOTA" in text[0]


def test_a_submitted_message_arrives_and_is_recorded(dovecot: Dovecot, submission: Submission) -> None:
    user = dovecot.add_user()
    with smtplib.SMTP("localhost", submission.port("starttls")) as client:
        client.starttls(context=trusting(dovecot))
        client.login(user, PASSWORD)
        client.sendmail(user, [user, "x@outside.test"], MESSAGE)
    assert submission.accepted[0].rcpt_tos == (user, "x@outside.test")
    assert submission.accepted[0].content == MESSAGE
    assert "C: STARTTLS" in submission.sessions[0].lines
    assert PASSWORD not in "".join(submission.sessions[0].lines)
    assert "Hello" in dovecot.doveadm("fetch", "-u", user, "hdr.subject", "mailbox", "INBOX", "all")


def test_an_arranged_failure_happens_once(dovecot: Dovecot, submission: Submission) -> None:
    user = dovecot.add_user()
    submission.fail("RCPT", "451 4.7.1 Greylisted")
    with smtplib.SMTP_SSL("localhost", submission.port(), context=trusting(dovecot)) as client:
        client.login(user, PASSWORD)
        client.mail(user)
        assert client.rcpt(user)[0] == 451
        assert client.rcpt(user)[0] == 250
        submission.fail("TAKEN", None)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.data(MESSAGE)
    assert len(submission.accepted) == 1
