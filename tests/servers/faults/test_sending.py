"""Sending while the submission server hangs up, refuses and defers: what left is known, and nobody gets it twice."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import count
from random import Random

import pytest
import redis
from django.utils import timezone

from accounts.models import MailAccount, MailServer, User
from tests.servers.faults.rounds import rounds
from tests.servers.faults.sending_rig import Post, after_a_death, file, received, try_again
from tests.servers.sync_rig import check, sync
from tests.servers.test_delivery import Sender, friend, sender
from tests.servers.test_delivery_races import at_once, due
from tests.support.faultproxy import FaultProxy, call
from tests.support.submission import Accepted
from tests.support.workers import STATEMENT, Workers
from webmail import connections
from webmail.delivery import kept, self_filing
from webmail.delivery.submit import STALE_AFTER, recover, submit
from webmail.jobs import Job
from webmail.models import Outgoing
from webmail.services import outbox
from webmail.sync.due import Repeats, dispatch

__all__ = ["friend", "sender"]
pytestmark = pytest.mark.django_db(transaction=True)

State = Outgoing.State
BEFORE_LOGGED_IN = ("CONNECT", "EHLO", "AUTH")
BEFORE_THE_DOT = (*BEFORE_LOGGED_IN, "MAIL", "RCPT", "DATA")
NOT_TAKEN = ("BODY", "CONTENT")
EXPECTED = {
    **{at: {State.DEFERRED} for at in BEFORE_THE_DOT},
    "BODY": {State.DEFERRED, State.UNKNOWN},  # the dot of a small message is on its way before the cut is noticed
    "CONTENT": {State.UNKNOWN},
    "TAKEN": {State.UNKNOWN},
    "QUIT": {State.SENT},
}


def test_f35_a_cut_anywhere_leaves_one_copy_or_a_question(sender: Sender, without_sending_limits: None) -> None:
    post = Post.of(sender, people=2)
    places = list(EXPECTED)
    for number, chance in enumerate(rounds(len(places))):
        at = places[number % len(places)] if number < len(places) else chance.choice(places)
        if at in BEFORE_LOGGED_IN or chance.random() < 0.5:
            kept.sweep(older_than=0)
            sender.submission.quiet()  # the server has noticed
        goes_on = any(not session.over for session in sender.submission.sessions)
        made = post.hand_over(chance, sender.account.address)
        sender.submission.fail(at, None)
        submit(made.pk)
        if at == "QUIT":
            kept.sweep(older_than=0)
        made.refresh_from_db()
        state = made.state
        # what an old conversation does not begin is begun on a new one
        assert state in ({State.SENT} if goes_on and at in ("MAIL", "RCPT") else EXPECTED[at]), at
        for _ in range(chance.randrange(3)):  # a broker that delivers the job again, and the dispatcher's next looks
            submit(made.pk)
        made.refresh_from_db()
        assert made.state == state
        if state == State.UNKNOWN and at in NOT_TAKEN:
            assert outbox.try_again(made)  # the person asked the recipient
        elif state == State.UNKNOWN:
            assert outbox.settle(made)
        if state not in (State.SENT, State.UNKNOWN) or at in NOT_TAKEN:
            try_again(made)
        file(made)
        assert (at, made.state, made.filing) == (at, State.SENT, Outgoing.Filing.FILED)
    own = received(sender.account, b"INBOX")
    assert own == Counter(dict.fromkeys(post.wanted, 1))
    post.audit()


def test_f10_redis_is_flushed_while_mail_is_sent(sender: Sender, friend: str, redis_url: str) -> None:
    """Jobs are lost before and doubled after, and the dispatcher finds what is due: each message is sent once."""
    waiting = [sender.hand_over(friend) for _ in range(3)]
    queued: list[int] = []

    def put(job: Job, pk: int) -> bool:
        queued.extend([pk] if job is Job.SEND else [])
        return True

    with redis.Redis.from_url(redis_url) as client:
        for _ in range(2):  # the jobs of the first are lost; another dispatcher finds them due
            dispatch(Repeats(30, lambda: 0.0), put=put)
            client.flushall()
        assert sorted(queued) == sorted([made.pk for made in waiting] * 2)
        at_once(*[partial(submit, pk) for pk in queued], client.flushall)
        dispatch(Repeats(30, lambda: 0.0), put=put)
    for pk in queued:
        submit(pk)
    assert {made.state for made in Outgoing.objects.all()} == {State.SENT}
    assert Counter(one.rcpt_tos for one in sender.submission.accepted) == {(friend,): 3}
    assert len({one.content for one in sender.submission.accepted}) == 3


def test_f36_each_recipient_has_an_outcome_of_their_own(sender: Sender, friend: str) -> None:
    refused, greylisted, hidden = "nobody@elsewhere.test", sender.dovecot.add_user(), sender.dovecot.add_user()
    sender.submission.fail(f"RCPT {refused}", "550 5.1.1 no such user")
    sender.submission.fail(f"RCPT {greylisted}", "450 4.2.0 come back later")
    made = sender.send(f"{friend}, {refused}, {greylisted}", bcc=hidden)
    outcomes = dict(made.recipients.values_list("address", "state"))
    assert outcomes == {friend: "accepted", refused: "refused", greylisted: "deferred", hidden: "accepted"}
    assert made.state == State.DEFERRED
    try_again(made)
    assert made.state == State.PARTIAL
    first, second = sender.submission.accepted
    assert (first.rcpt_tos, second.rcpt_tos) == ((friend, hidden), (greylisted,))
    assert first.content == second.content
    assert hidden.encode() not in first.content
    file(made)
    assert [copy.count(hidden.encode()) for copy in sender.in_sent()] == [1]
    sync(sender.account)
    check(sender.dovecot, sender.account)


@pytest.mark.parametrize("at", ["MAIL", "DATA", "CONTENT", "TAKEN"])
def test_f37_a_worker_that_dies_sends_nothing_twice(
    sender: Sender, friend: str, workers: Workers, proxy: FaultProxy, at: str
) -> None:
    hidden = sender.dovecot.add_user()
    made = sender.hand_over(friend, bcc=hidden)
    sender.submission.when(at, workers.kill)
    assert workers.run("webmail.delivery.submit:submit", made.pk) == -9
    recover(timezone.now() + 2 * STALE_AFTER)
    made.refresh_from_db()
    assert made.state == (State.DEFERRED if at in BEFORE_THE_DOT else State.UNKNOWN)
    try_again(made)
    if made.state == State.UNKNOWN:  # nobody but a person decides, and the message was taken
        assert outbox.settle(made)
    assert [taken.rcpt_tos for taken in sender.submission.accepted] == [(friend, hidden)]
    through = MailServer.objects.create(
        protocol="imap",
        host="localhost",
        port=proxy.endpoint.port,
        trusted=True,
        ca_certificates=proxy.endpoint.ca_pem,
    )
    MailAccount.objects.update(incoming=through)
    filing = proxy.rule("to_client", rb"APPENDUID", call(workers.kill))
    assert workers.run("webmail.delivery.file_sent:file_sent", made.pk) == -9
    assert filing.hits == 1
    file(made)
    assert [copy.count(hidden.encode()) for copy in sender.in_sent()] == [1]
    assert len(sender.submission.accepted) == 1
    sync(sender.account)
    check(sender.dovecot, sender.account)


def test_f37_a_worker_that_dies_before_any_of_its_statements(
    sender: Sender, workers: Workers, without_sending_limits: None
) -> None:
    post, chance = Post.of(sender, people=2), Random("statements")
    died_knowing = 0
    for nth in count(1):
        made = post.hand_over(chance)
        if workers.run("webmail.delivery.submit:submit", made.pk, at=STATEMENT, nth=nth) == 0:
            break
        taken = post.taken(made)
        after_a_death(made)
        died_knowing += bool(taken)
        if made.state == State.UNKNOWN:
            assert outbox.settle(made) if taken else outbox.try_again(made)
        try_again(made)
        assert made.state == State.SENT
        file(made)
    made.refresh_from_db()
    assert (made.state, died_knowing > 2) == (State.SENT, True)
    file(made)
    post.audit()


@pytest.mark.parametrize("known", [True, False], ids=["known for it", "found out"])
def test_f38_a_server_that_files_itself_gets_no_second_copy(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if known:
        monkeypatch.setattr(self_filing, "KNOWN", (".localhost",))
    take = sender.submission.take

    def take_and_file(message: Accepted) -> None:
        take(message)
        with connections.open_imap(sender.account) as session:
            session.append(b"Sent", message.content, flags=["\\Seen"])

    monkeypatch.setattr(sender.submission, "take", take_and_file)
    for _ in range(2):
        made = sender.send(friend)
        file(made)
        made.refresh_from_db()
        assert made.filing == Outgoing.Filing.SERVER
    assert list(received(sender.account, b"Sent").values()) == [1, 1]
    sync(sender.account)
    check(sender.dovecot, sender.account)


def test_f38_a_server_known_to_file_itself_that_does_not_is_filled_in_for(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_filing, "KNOWN", (".localhost",))
    made = sender.send(friend)
    for _ in range(5):
        file(made)
    made.refresh_from_db()
    assert (made.filing, len(sender.in_sent())) == (Outgoing.Filing.FILED, 1)
    sync(sender.account)
    check(sender.dovecot, sender.account)


@pytest.mark.parametrize("who", ["account", "person"])
def test_f38_no_copy_is_filed_for_who_may_not_connect(sender: Sender, friend: str, who: str) -> None:
    made = sender.send(friend)
    if who == "account":
        MailAccount.objects.update(state=MailAccount.State.PAUSED)
    else:
        User.objects.update(is_active=False)
    file(made)
    assert (Job.FILE_SENT.value, made.pk) not in due()
    MailAccount.objects.update(state=MailAccount.State.WORKING)
    User.objects.update(is_active=True)
    Outgoing.objects.update(filing_after=timezone.now())
    assert (Job.FILE_SENT.value, made.pk) in due()
    file(made)
    assert len(sender.in_sent()) == 1
