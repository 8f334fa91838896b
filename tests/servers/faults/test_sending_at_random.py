"""Sending, with the outcome of each recipient, the place where a worker dies and what the server does all drawn at
random: nothing is lost, nobody gets anything twice, and whom the writer hid stays hidden."""

from __future__ import annotations

from random import Random

import pytest
from django.utils import timezone

from accounts.models import MailAccount, MailServer
from tests.servers.faults.rounds import rounds
from tests.servers.faults.sending_rig import Post, after_a_death, bury_connections, file, try_again
from tests.servers.sync_rig import sync
from tests.servers.test_delivery import Sender, sender
from tests.support.faultproxy import Direction, FaultProxy, call, cut
from tests.support.workers import STATEMENT, Workers
from webmail import connections
from webmail.delivery import kept, self_filing
from webmail.models import Outgoing
from webmail.services import outbox
from webmail.tasks.send import file_copy_in_sent

__all__ = ["sender"]
pytestmark = pytest.mark.django_db(transaction=True)

State, Filing = Outgoing.State, Outgoing.Filing
SUBMIT, FILE = "webmail.delivery.submit:submit", "webmail.delivery.file_sent:file_sent"


@pytest.fixture(autouse=True)
def _no_limits(without_sending_limits: None) -> None:
    """A thousand letters an hour are nobody's."""


# --- 36: outcomes of recipients --------------------------------------------------------------------------------------

TAKEN = ""
LATER = ("450 4.2.0 come back later", "452 4.5.3 too many", "552 5.2.2 full for now", "451 4.3.0 try later")
NEVER = ("550 5.1.1 no such user", "553 5.1.3 what is that", "554 5.7.1 not from you")
PLACES = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA")
ELSEWHERE = ("ana@elsewhere.test", "ben@elsewhere.test")


def answers(chance: Random) -> list[str]:
    """What the server says to a recipient the first time it is asked, the second, …; the last word stands."""
    waits = [chance.choice(LATER) for _ in range(chance.choice([0, 0, 0, 1, 1, 2]))]
    return [*waits, TAKEN if chance.random() < 0.75 else chance.choice(NEVER)]


def whole(sender: Sender, chance: Random) -> None:
    """Sometimes a try comes to nothing for all: the line breaks, or the server wants none of it today."""
    if chance.random() < 0.5:
        kept.sweep(older_than=0)  # else the conversation of the last try goes on, if it is good for another
    if chance.random() < 0.2:
        at = chance.choice(PLACES)
        sender.submission.fail(at, None if chance.random() < 0.5 or at in ("CONNECT", "EHLO") else "451 4.3.2 not now")
    elif chance.random() < 0.1:
        sender.submission.fail("CONTENT", chance.choice(["451 4.3.0 later", "554 5.6.0 I do not like it"]))


def test_f36_each_recipient_gets_what_was_said_of_them(sender: Sender) -> None:
    post = Post.of(sender)
    for chance in rounds(12):
        made = post.hand_over(chance, *chance.sample(ELSEWHERE, chance.randint(0, 2)))
        wanted = post.wanted[made.message_id.encode()]
        plan = {address: answers(chance) for address in sorted(wanted)}
        last = {address: said[-1] for address, said in plan.items()}
        _send(sender, made, plan, chance)
        outcomes = dict(made.recipients.values_list("address", "state"))
        assert outcomes == {a: "accepted" if said == TAKEN else "refused" for a, said in last.items()}
        got = {address for address, said in last.items() if said == TAKEN}
        assert made.state == (State.SENT if got == wanted else State.PARTIAL if got else State.FAILED)
        if got != wanted and chance.random() < 0.3:  # the person asks again, and this time the server knows them
            assert outbox.try_again(made)
            try_again(made)
            assert made.state == State.SENT
            got = wanted
        post.wanted[made.message_id.encode()] = set(got)
        file(made)
        assert made.filing == (Filing.FILED if got else Filing.WAITING)
    post.audit()


def _send(sender: Sender, made: Outgoing, plan: dict[str, list[str]], chance: Random) -> None:
    """Tries until nothing is to be tried again by itself; a person does so where the content was refused."""
    for _ in range(20):
        for address, said in plan.items():
            if said and said[0] != TAKEN:
                sender.submission.fail(f"RCPT {address}", said[0], lasting=True)
        whole(sender, chance)
        try_again(made)
        for address, said in plan.items():
            if len(said) > 1 and not sender.submission.arranges(f"RCPT {address}"):
                del said[0]
        everybody_has_an_outcome = not made.recipients.filter(state__in=["waiting", "deferred"]).exists()
        sender.submission.behave()
        if made.state != State.DEFERRED and everybody_has_an_outcome:
            return
        if made.state != State.DEFERRED:
            assert outbox.try_again(made)
    raise AssertionError(f"{plan} came to no end")


# --- 37: a worker dies -----------------------------------------------------------------------------------------------

IN_THE_SESSION = ("CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "CONTENT", "TAKEN")
WHILE_FILING: tuple[tuple[Direction, bytes], ...] = (
    ("to_server", rb" STATUS "),
    ("to_server", rb" SELECT | EXAMINE "),
    ("to_server", rb" APPEND "),
    ("to_client", rb"\A\+ "),
    ("to_client", rb"APPENDUID"),
)
STATEMENTS = 22  # about as many as a job makes


def through(proxy: FaultProxy) -> None:
    """The sender's mailboxes are reached by the proxy from now on."""
    server = MailServer.objects.create(
        protocol="imap",
        host="localhost",
        port=proxy.endpoint.port,
        trusted=True,
        ca_certificates=proxy.endpoint.ca_pem,
    )
    MailAccount.objects.update(incoming=server)


def test_f37_a_worker_that_dies_anywhere_loses_nothing(sender: Sender, workers: Workers, proxy: FaultProxy) -> None:
    post = Post.of(sender, people=2)
    through(proxy)
    for chance in rounds(16):
        made = post.hand_over(chance)
        for _ in range(chance.choice([1, 1, 2])):
            _die_sending(post, made, workers, chance)
        if made.state != State.SENT:
            try_again(made)
        assert made.state == State.SENT
        assert len(post.taken(made)) == 1
        _die_filing(made, workers, proxy, chance)
        file(made)
        assert made.filing == Filing.FILED
    post.audit()


def _die_sending(post: Post, made: Outgoing, workers: Workers, chance: Random) -> None:
    """A try that ends in death, and what is made of it afterwards; nothing where none is due."""
    if made.state not in (State.QUEUED, State.DEFERRED):
        return
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    if chance.random() < 0.6:
        post.sender.submission.when(chance.choice(IN_THE_SESSION), workers.kill)
        assert workers.run(SUBMIT, made.pk) == -9
    else:
        workers.run(SUBMIT, made.pk, at=STATEMENT, nth=chance.randint(1, STATEMENTS))
    taken = post.taken(made)
    after_a_death(made)
    assert made.state in ((State.UNKNOWN, State.SENT) if taken else (State.QUEUED, State.DEFERRED, State.UNKNOWN))
    if made.state == State.UNKNOWN:  # nobody but a person decides: they asked whether it had come
        assert outbox.settle(made) if taken else outbox.try_again(made)
        made.refresh_from_db()


def _die_filing(made: Outgoing, workers: Workers, proxy: FaultProxy, chance: Random) -> None:
    proxy.clear()
    Outgoing.objects.filter(pk=made.pk).update(filing_after=timezone.now())
    if chance.random() < 0.6:
        proxy.rule(*chance.choice(WHILE_FILING), call(workers.kill))
        workers.run(FILE, made.pk)
        proxy.clear()
    else:
        workers.run(FILE, made.pk, at=STATEMENT, nth=chance.randint(1, STATEMENTS))
    bury_connections()


# --- 38: servers that file what they submit --------------------------------------------------------------------------

LOOKS = 6  # as many as there may be before something is filed


def test_f38_one_copy_in_sent_whatever_the_server_does(
    sender: Sender, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post.of(sender, people=2)
    through(proxy)
    for chance in rounds(16):
        known = chance.random() < 0.5
        monkeypatch.setattr(self_filing, "KNOWN", (".localhost",) if known else ())
        MailAccount.objects.update(settings_seen={})
        made = post.hand_over(chance)
        try_again(made)
        assert made.state == State.SENT
        when = chance.choice(["at once", "late", "never"])
        files_after = {"at once": 0, "late": chance.randint(1, 2), "never": LOOKS}[when]
        for look in range(LOOKS):
            if look == files_after:
                _file_itself(sender)
            if not known:
                sync(sender.account)  # only what it shows can be two
            if chance.random() < 0.3 and not (known and when == "late"):  # kept from looking, it would not be in time
                proxy.rule(*chance.choice(WHILE_FILING), cut(after=chance.choice([0, 0, 3, 40])))
            _look(made)
            proxy.clear()
        _look(made)
        assert made.filing == (Filing.FILED if when == "never" else Filing.SERVER)
        post.filed_by_server(made, when != "never")
    post.audit()


def _look(made: Outgoing) -> None:
    """The time has come to see to the copy in Sent."""
    Outgoing.objects.filter(pk=made.pk).update(filing_after=timezone.now())
    file_copy_in_sent(made.pk)
    made.refresh_from_db()


def _file_itself(sender: Sender) -> None:
    """The server keeps what it took last, as it took it: without Bcc."""
    with connections.open_imap(sender.account) as session:
        session.append(b"Sent", sender.submission.accepted[-1].content, flags=["\\Seen"])
