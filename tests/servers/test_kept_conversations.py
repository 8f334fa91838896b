"""A conversation with the submission server that goes on: one login for many messages, and never in the wrong hands."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from accounts.models import MailAccount
from accounts.services import credentials
from tests.servers.test_delivery import Sender, friend, sender
from tests.support.dovecot import PASSWORD
from webmail.delivery import kept, submit
from webmail.models import Outgoing

__all__ = ["friend", "sender"]
pytestmark = pytest.mark.django_db(transaction=True)

State = Outgoing.State


@pytest.fixture(autouse=True)
def _alone(sender: Sender) -> Iterator[None]:
    """Nothing goes on from before, nor afterwards."""
    kept.sweep(older_than=0)
    yield
    kept.sweep(older_than=0)


def said(sender: Sender, word: str) -> list[int]:
    """How often the client said it, by session."""
    return [sum(line.startswith(f"C: {word}") for line in session.lines) for session in sender.submission.sessions]


def send(sender: Sender, to: str) -> str:
    return str(sender.send(to).state)


def test_messages_of_an_account_share_a_login(sender: Sender, friend: str) -> None:
    assert [send(sender, friend) for _ in range(3)] == [State.SENT] * 3
    assert (said(sender, "AUTH"), said(sender, "MAIL"), said(sender, "QUIT")) == ([1], [3], [0])
    kept.sweep(older_than=0)
    sender.submission.quiet()
    assert said(sender, "QUIT") == [1]


def test_it_ends_by_itself_when_nothing_follows(sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0.05)
    monkeypatch.setattr(kept, "TICK_SECONDS", 0.05)
    assert send(sender, friend) == State.SENT
    sender.submission.quiet()
    assert said(sender, "QUIT") == [1]


def test_a_server_that_hung_up_meanwhile_costs_no_try(sender: Sender, friend: str) -> None:
    send(sender, friend)
    ((_, session, _),) = kept._kept
    session._talk.stream._sock.shutdown(0)  # as the end of what the server says arrives
    again = sender.send(friend)
    assert (again.state, again.attempts) == (State.SENT, 1)
    assert said(sender, "AUTH") == [1, 1]


ENOUGH = "421 4.4.2 enough for now"


@pytest.mark.parametrize(
    ("at", "answer"),
    [("MAIL", ENOUGH), ("MAIL", "450 4.7.1 enough of this"), ("MAIL", None), ("RCPT", ENOUGH), ("RCPT", None)],
)
def test_what_an_old_one_does_not_begin_is_begun_on_a_new_one(
    sender: Sender, friend: str, at: str, answer: str | None
) -> None:
    send(sender, friend)
    sender.submission.fail(at, answer)
    again = sender.send(friend)
    assert (again.state, again.attempts, len(sender.submission.accepted)) == (State.SENT, 1, 2)
    assert said(sender, "AUTH") == [1, 1]


@pytest.mark.parametrize(("at", "state"), [("DATA", State.DEFERRED), ("TAKEN", State.UNKNOWN)])
def test_past_the_envelope_nothing_is_offered_again(sender: Sender, friend: str, at: str, state: str) -> None:
    send(sender, friend)
    sender.submission.fail(at, None)
    assert send(sender, friend) == state
    assert said(sender, "AUTH") == [1]
    assert len(sender.submission.accepted) == (2 if at == "TAKEN" else 1)


def test_another_password_is_another_conversation(sender: Sender, friend: str) -> None:
    send(sender, friend)
    credentials.store(sender.account, password="no longer it")
    sender.account.refresh_from_db()
    refused = sender.send(friend)
    assert (refused.state, refused.error_code) == (State.FAILED, "auth")
    credentials.store(sender.account, password=PASSWORD)
    assert send(sender, friend) == State.SENT


def test_another_server_is_another_conversation(sender: Sender, friend: str) -> None:
    send(sender, friend)
    outgoing = sender.account.outgoing
    assert outgoing is not None
    outgoing.port, outgoing.security = sender.submission.port("starttls"), "starttls"
    outgoing.save()
    assert send(sender, friend) == State.SENT
    assert said(sender, "STARTTLS") == [0, 1]


def test_a_suspended_account_sends_nothing_by_it(sender: Sender, friend: str) -> None:
    send(sender, friend)
    MailAccount.objects.update(state=MailAccount.State.SUSPENDED)
    assert send(sender, friend) == State.QUEUED
    assert said(sender, "MAIL") == [1]


def test_two_threads_never_share_one(sender: Sender, friend: str) -> None:
    send(sender, friend)
    waiting = [sender.hand_over(friend) for _ in range(4)]
    together, seen = threading.Barrier(2), list[int]()

    def first_and_second_talk_at_once() -> None:
        seen.append(1)
        if len(seen) <= 2:
            together.wait(10)

    def work(mine: list[Outgoing]) -> None:
        for one in mine:
            sender.submission.when("MAIL", first_and_second_talk_at_once)
            submit.submit(one.pk)
        connection.close()

    threads = [threading.Thread(target=work, args=(waiting[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(Outgoing.objects.values_list("state", flat=True)) == {State.SENT}
    assert (sum(said(sender, "AUTH")), sum(said(sender, "MAIL"))) == (2, 5)


def test_no_conversation_takes_messages_for_ever(sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_TAKEN", 2)
    for _ in range(3):
        send(sender, friend)
    assert (said(sender, "MAIL"), said(sender, "QUIT")) == ([2, 1], [1, 0])


def test_the_longest_idle_of_too_many_go_first(sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 1)
    send(sender, friend)
    credentials.store(sender.account, password=PASSWORD)  # stored anew: the old conversation is not for it
    sender.account.refresh_from_db()
    send(sender, friend)
    kept.sweep()
    deadline = time.monotonic() + 10
    while said(sender, "QUIT") != [1, 0]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_login_name_is_another_conversation(sender: Sender, friend: str) -> None:
    send(sender, friend)
    MailAccount.objects.update(username=sender.dovecot.add_user())
    assert send(sender, friend) == State.SENT
    assert said(sender, "AUTH") == [1, 1]
    assert [taken.user for taken in sender.submission.accepted] == [
        sender.account.username,
        MailAccount.objects.get().username,
    ]


def test_they_do_not_grow_in_number_while_one_is_slow_to_end(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 1)
    with monkeypatch.context() as slow:
        slow.setattr(kept, "sweep", lambda: None)  # it waits for one that does not answer its QUIT
        for _ in range(3):
            send(sender, friend)
            credentials.store(sender.account, password=PASSWORD)  # stored anew: the old conversation is not for it
        assert (len(kept._kept), said(sender, "QUIT")) == (1, [1, 1, 0])


def test_where_no_thread_is_left_to_end_them_they_end_at_once(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if threading.current_thread() is threading.main_thread():  # the server's own are not meant
            raise RuntimeError("can't start new thread")
        start(thread)

    deadline = time.monotonic() + 10
    while kept._sweeper is not None:  # of earlier ones
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        assert send(sender, friend) == State.SENT
    assert (kept._kept, said(sender, "QUIT")) == ([], [1])
    assert (send(sender, friend), len(kept._kept)) == (State.SENT, 1)
