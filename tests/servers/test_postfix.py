"""The whole way through servers as people have them: our outbox, Postfix, LMTP, Dovecot, and what Postfix reports."""

from __future__ import annotations

import email
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from functools import partial

import pytest
from django.utils import timezone

from accounts.models import Identity, MailAccount
from accounts.services import credentials
from tests.servers.sync_rig import check, imap_account, other_client, sync
from tests.servers.test_delivery import server
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from webmail.delivery.file_sent import file_sent
from webmail.delivery.submit import submit
from webmail.models import Message, Outgoing, Placement, ReportedFate
from webmail.queries.special import outcomes
from webmail.services import drafts, outbox
from webmail.sync import bodies

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Here they are.\n.\n..two dots\nFrom the harbour\n" + "a long line, " * 200 + "end\nÅse"


@pytest.fixture
def writer(dovecot: Dovecot, postfix: Postfix) -> MailAccount:
    """Somebody whose mail lies in Dovecot and who submits to Postfix."""
    account = imap_account(dovecot)
    account.outgoing = server(postfix.endpoint(), "smtp", account.user)
    account.outgoing.security = "starttls"
    account.outgoing.save()
    account.save()
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    return account


def hand_over(account: MailAccount, to: str, *, bcc: str = "") -> Outgoing:
    identity = account.identities.get()
    fields = drafts.Fields(identity=identity, to=to, bcc=bcc, subject="Proofs for Åse", text=TEXT, plain=True)
    made = outbox.submit(drafts.save(account.user, fields)[0])
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    return made


def send(account: MailAccount, to: str, *, bcc: str = "") -> Outgoing:
    made = hand_over(account, to, bcc=bcc)
    submit(made.pk)
    made.refresh_from_db()
    return made


def inbox(dovecot: Dovecot, address: str) -> list[EmailMessage]:
    """What was delivered to somebody, as Python reads it."""
    with other_client(dovecot, address) as client:
        client.select("INBOX", readonly=True)
        uids = client.search(None, "ALL")[1][0].split()
        rows = [client.fetch(uid.decode(), "(BODY.PEEK[])")[1][0] for uid in uids]
    return [email.message_from_bytes(row[1], policy=policy.default) for row in rows if isinstance(row, tuple)]


def arrived(account: MailAccount) -> list[Message]:
    """What lies in the account's inbox after a pass."""
    sync(account)
    lying = Placement.objects.filter(account=account, mailbox__role="inbox", state=Placement.State.LIVE)
    return list(Message.objects.filter(pk__in=lying.values("message")).order_by("pk"))


def until(done: Callable[[], object], *, otherwise: Callable[[], str], seconds: float = 20.0) -> None:
    """Waits for the condition; in vain, the test fails with what Postfix wrote."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def test_what_is_sent_is_delivered_and_seen_by_its_reader(
    writer: MailAccount, dovecot: Dovecot, postfix: Postfix
) -> None:
    reader, hidden = imap_account(dovecot), imap_account(dovecot)
    made = send(writer, reader.address, bcc=hidden.address)
    assert made.state == Outgoing.State.SENT, made.server_line
    for account in (reader, hidden):
        until(partial(inbox, dovecot, account.address), otherwise=postfix.log)
        (message,) = arrived(account)
        assert (message.subject, message.message_id) == ("Proofs for Åse", made.message_id)
        bodies.fetch_body(message.pk)
        message.refresh_from_db()
        assert message.body.text.rstrip("\n") == TEXT
        (delivered,) = inbox(dovecot, account.address)
        assert "bcc" not in delivered
        assert hidden.address not in str(delivered["to"])
    file_sent(made.pk)
    sync(writer)
    copy = Placement.objects.get(account=writer, mailbox__role="sent")
    assert copy.message.message_id == made.message_id
    assert hidden.address in str(copy.message.people["bcc"])
    check(dovecot, writer)


@pytest.mark.parametrize(("kind", "status"), [("unknown", "5.1.1"), ("full", "5.2.2")])
def test_what_bounces_is_told_beside_the_message_it_is_about(
    writer: MailAccount, dovecot: Dovecot, postfix: Postfix, kind: str, status: str
) -> None:
    friend = dovecot.add_user()
    refused = dovecot.add_user(quota="1K") if kind == "full" else "nobody-of-that-name@mail.test"
    made = send(writer, f"{friend}, {refused}")
    assert made.state == Outgoing.State.SENT, made.server_line
    until(lambda: inbox(dovecot, writer.address), otherwise=postfix.log)
    (report,) = arrived(writer)
    bodies.fetch_body(report.pk)
    fate = ReportedFate.objects.get(account=writer)
    assert (fate.report_id, fate.original_id, fate.address) == (report.pk, made.message_id, refused)
    assert (fate.action, fate.status) == ("failed", status)
    (line,) = outcomes(writer.pk, [made.message_id])[made.message_id]
    assert line.address == refused
    made.refresh_from_db()
    assert made.state == Outgoing.State.SENT  # what our own submission knows is not what somebody reports
    assert len(inbox(dovecot, friend)) == 1


def test_a_password_that_dovecot_refuses_is_refused_by_postfix(writer: MailAccount, dovecot: Dovecot) -> None:
    credentials.store(writer, password="wrong")
    made = send(writer, dovecot.add_user())
    assert (made.state, made.error_code) == (Outgoing.State.FAILED, "auth")
