"""From Send to the recipient: one copy for each, one in Sent, and no doubt about what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Identity, MailAccount, MailServer
from accounts.services import credentials
from tests import factories
from tests.servers.sync_rig import sync
from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.submission import Submission
from webmail import connections
from webmail.delivery import submit as submitting
from webmail.delivery.file_sent import file_sent
from webmail.delivery.submit import recover, submit
from webmail.jobs import Job
from webmail.models import Draft, Flag, Message, Outgoing, Placement, ReportedFate
from webmail.protocols.errors import MailServerError
from webmail.queries import outbox as reading
from webmail.services import drafts, outbox
from webmail.sync import bodies

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Sender:
    account: MailAccount
    dovecot: Dovecot
    submission: Submission

    def draft(self, to: str, bcc: str = "") -> Draft:
        identity = self.account.identities.get()
        text = drafts.Fields(identity=identity, to=to, bcc=bcc, subject="Proofs", html="<p>Here they are</p>")
        return drafts.save(self.account.user, text)[0]

    def hand_over(self, to: str, bcc: str = "") -> Outgoing:
        made = outbox.submit(self.draft(to, bcc))
        Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
        return made

    def send(self, to: str, bcc: str = "") -> Outgoing:
        made = self.hand_over(to, bcc)
        submit(made.pk)
        made.refresh_from_db()
        return made

    def in_sent(self) -> list[bytes]:
        with connections.open_imap(self.account) as session:
            try:
                selected = session.select(b"Sent", read_only=True)
            except MailServerError:
                return []
            uids = session.search_uids(1, max(selected.uidnext or 1, 1))
            return [session.fetch_section(uid, "HEADER", max_bytes=100_000) for uid in uids]


def server(endpoint: object, protocol: str, account_owner: object) -> MailServer:
    return MailServer.objects.create(
        protocol=protocol,
        host="localhost",
        port=endpoint.port,  # type: ignore[attr-defined]  # Endpoint, imported lazily by the fixtures
        trusted=True,
        ca_certificates=endpoint.ca_pem,  # type: ignore[attr-defined]  # as above
    )


@pytest.fixture
def sender(dovecot: Dovecot, submission: Submission) -> Sender:
    address = dovecot.add_user()
    user = factories.user("Maren")
    user.email = address
    account = factories.account(user)
    account.incoming = server(dovecot.imap_endpoint(), "imap", user)
    account.outgoing = server(submission.endpoint(), "smtp", user)
    account.save()
    credentials.store(account, password=PASSWORD)
    return Sender(account, dovecot, submission)


@pytest.fixture
def friend(dovecot: Dovecot) -> str:
    return dovecot.add_user()


def test_bcc_reaches_its_reader_and_stands_only_in_the_sent_copy(sender: Sender, friend: str) -> None:
    hidden = sender.dovecot.add_user()
    outgoing = sender.send(friend, bcc=hidden)
    accepted = sender.submission.accepted
    assert outgoing.state == Outgoing.State.SENT
    assert accepted[0].rcpt_tos == (friend, hidden)
    assert hidden.encode() not in accepted[0].content
    file_sent(outgoing.pk)
    file_sent(outgoing.pk)
    copies = sender.in_sent()
    assert len(copies) == 1
    assert hidden.encode() in copies[0]


def test_second_worker_does_nothing(sender: Sender, friend: str) -> None:
    outgoing = sender.send(friend)
    submit(outgoing.pk)
    assert len(sender.submission.accepted) == 1


def test_not_before_its_time(sender: Sender, friend: str) -> None:
    made = outbox.submit(sender.draft(friend))
    submit(made.pk)
    assert not sender.submission.accepted
    assert outbox.take_back(made) is not None
    Outgoing.objects.update(send_after=timezone.now())
    submit(made.pk)
    assert not sender.submission.accepted


def test_outcomes_of_each_recipient(sender: Sender, friend: str) -> None:
    refused = "nobody@elsewhere.test"
    sender.submission.fail("RCPT", "550 5.1.1 no such user")
    outgoing = sender.send(f"{refused}, {friend}")
    states = dict(outgoing.recipients.values_list("address", "state"))
    assert outgoing.state == Outgoing.State.PARTIAL
    assert states == {refused: "refused", friend: "accepted"}
    assert "550" in outgoing.server_line or "5.1.1" in outgoing.server_line


def test_temporary_refusal_is_tried_again_for_that_recipient_alone(sender: Sender, friend: str) -> None:
    other = sender.dovecot.add_user()
    sender.submission.fail("RCPT", "450 4.2.0 greylisted")
    outgoing = sender.send(f"{other}, {friend}")
    assert outgoing.state == Outgoing.State.DEFERRED
    assert outgoing.send_after > timezone.now()
    Outgoing.objects.update(send_after=timezone.now())
    submit(outgoing.pk)
    outgoing.refresh_from_db()
    assert outgoing.state == Outgoing.State.SENT
    assert [message.rcpt_tos for message in sender.submission.accepted] == [(friend,), (other,)]


def test_a_try_takes_as_many_statements_for_many_recipients_as_for_one(sender: Sender) -> None:
    """A worker that asks and writes for each of five hundred keeps the others waiting."""
    counts = []
    for number in (1, 2, 40):
        made = sender.hand_over(", ".join(f"person{n}@elsewhere.test" for n in range(number)))
        with CaptureQueriesContext(connection) as caught:
            submit(made.pk)
        made.refresh_from_db()
        assert (made.state, made.recipients.filter(state="accepted").count()) == (Outgoing.State.SENT, number)
        counts.append(len(caught))
    assert counts[1] == counts[2] <= 13


def test_no_worker_is_asked_to_file_what_no_copy_is_kept_of(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Job] = []
    monkeypatch.setattr(submitting, "enqueue_on_commit", lambda job, *_: asked.append(job))
    Identity.objects.update(keeps_sent=False)
    assert sender.send(friend).state == Outgoing.State.SENT
    assert not asked


@pytest.mark.parametrize("kind", ["scheduled", "sent again by its writer"])
def test_tries_are_given_up_two_days_after_it_was_meant_to_leave(sender: Sender, friend: str, kind: str) -> None:
    week = timedelta(days=7)
    sender.submission.fail("MAIL", "451 4.3.0 try later")
    if kind == "scheduled":
        made = outbox.submit(sender.draft(friend), send_after=timezone.now())
        Outgoing.objects.filter(pk=made.pk).update(created_at=F("created_at") - week)
    else:
        made = sender.send(friend)
        aged = {name: F(name) - week for name in ("created_at", "due_at")}
        Outgoing.objects.filter(pk=made.pk).update(state=Outgoing.State.FAILED, **aged)
        assert outbox.try_again(made)
    for _ in range(2):  # the first try and one more
        Outgoing.objects.update(send_after=timezone.now())
        sender.submission.fail("MAIL", "451 4.3.0 try later")
        submit(made.pk)
        made.refresh_from_db()
        assert made.state == Outgoing.State.DEFERRED
    Outgoing.objects.update(send_after=timezone.now(), due_at=F("due_at") - timedelta(hours=49))
    sender.submission.fail("MAIL", "451 4.3.0 try later")
    submit(made.pk)
    made.refresh_from_db()
    assert made.state == Outgoing.State.FAILED


@pytest.mark.parametrize("at", ["CONNECT", "MAIL", "DATA"])
def test_cut_before_the_dot_is_tried_again(sender: Sender, friend: str, at: str) -> None:
    sender.submission.fail(at, None)
    outgoing = sender.send(friend)
    assert outgoing.state == Outgoing.State.DEFERRED
    assert not sender.submission.accepted


def test_cut_after_the_dot_is_unknown_and_never_sent_again_by_itself(sender: Sender, friend: str) -> None:
    sender.submission.fail("TAKEN", None)
    outgoing = sender.send(friend)
    assert outgoing.state == Outgoing.State.UNKNOWN
    submit(outgoing.pk)
    assert len(sender.submission.accepted) == 1
    assert outbox.settle(outgoing)
    file_sent(outgoing.pk)
    assert len(sender.in_sent()) == 1


def test_refused_password_waits_for_a_person(sender: Sender, friend: str) -> None:
    credentials.store(sender.account, password="wrong")
    outgoing = sender.send(friend)
    assert (outgoing.state, outgoing.error_code) == (Outgoing.State.FAILED, "auth")
    assert "wrong" not in outgoing.server_line


def test_worker_that_dies_leaves_what_may_have_left_to_a_person(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    after: dict[str, Callable[..., None]] = {"_record": dies}
    for name, stand_in in after.items():
        monkeypatch.setattr(submitting, name, stand_in)
    made = sender.hand_over(f"{friend}, {sender.account.address}")
    with pytest.raises(KeyboardInterrupt):
        submit(made.pk)
    recover(timezone.now() + submitting.STALE_AFTER * 2)
    made.refresh_from_db()
    assert made.state == Outgoing.State.UNKNOWN
    assert len(sender.submission.accepted) == 1


def test_answer_marks_the_original_here_and_owes_it_to_the_server(sender: Sender, friend: str) -> None:
    box = factories.mailbox(sender.account)
    original = factories.message(box)
    draft = sender.draft(friend)
    Draft.objects.filter(pk=draft.pk).update(mode="reply", original=original.message)
    draft.refresh_from_db()
    made = outbox.submit(draft)
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    submit(made.pk)
    placed = Placement.objects.get(pk=original.pk)
    assert placed.flags & Flag.ANSWERED
    assert placed.pending_mask & Flag.ANSWERED
    assert b"In-Reply-To: <" + original.message.message_id.encode() in sender.submission.accepted[0].content


def test_failures_are_reported_by_the_id_of_the_message_and_arrival_where_it_is_wanted(
    sender: Sender, friend: str
) -> None:
    plain = sender.send(friend)
    draft = sender.draft(friend)
    Draft.objects.filter(pk=draft.pk).update(report=True, remind_days=2)
    draft.refresh_from_db()
    wanted = outbox.submit(draft)
    Outgoing.objects.filter(pk=wanted.pk).update(send_after=timezone.now())
    submit(wanted.pk)
    wanted.refresh_from_db()
    said = [line for session in sender.submission.sessions for line in session.lines if line.startswith("C: ")]
    assert [line.partition("ENVID=")[2] for line in said if " MAIL " in f" {line}"] == [
        plain.message_id,
        wanted.message_id,
    ]
    asked = [line.partition("NOTIFY=")[2].split()[0] for line in said if "RCPT" in line]
    assert asked == ["FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"]
    assert (plain.report, wanted.report) == ("", "asked")
    assert plain.remind_at is None
    assert wanted.sent_at is not None
    assert wanted.remind_at == wanted.sent_at + timedelta(days=2)
    assert sender.account.outgoing is not None
    sender.account.outgoing.refresh_from_db()
    assert sender.account.outgoing.message_limit == 36_700_160


REPORT = """Return-Path: <>\r
From: Mail Delivery System <mailer-daemon@relay.test>\r
Subject: Undelivered mail\r
Message-ID: <bounce@relay.test>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
It could not be delivered.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; relay.test\r
Original-Envelope-Id: %s\r
\r
Final-Recipient: rfc822; ben@elsewhere.test\r
Action: failed\r
Status: 5.1.1\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: <renamed-on-the-way@relay.test>\r
Subject: Proofs\r
--b--\r
"""


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "somebody else's"])
def test_a_report_is_tied_to_its_message_by_the_envelope_though_a_relay_renamed_the_message(
    sender: Sender, friend: str, ours: bool
) -> None:
    """Only an id that we gave counts: another program's says nothing about the Message-ID."""
    made = sender.send(friend)
    envelope = made.message_id.replace("@", "+40") if ours else "QQ314159"
    sender.dovecot.deliver(sender.account.address, (REPORT % envelope).encode())
    sync(sender.account)
    bodies.fetch_body(Message.objects.get(account=sender.account, message_id="bounce@relay.test").pk)
    fate = ReportedFate.objects.get()
    assert fate.original_id == (made.message_id if ours else "renamed-on-the-way@relay.test")
    told = reading.detail(made).outcomes
    assert [(line.address, line.level) for line in told] == ([("ben@elsewhere.test", "danger")] if ours else [])
