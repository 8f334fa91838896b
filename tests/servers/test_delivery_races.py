"""Two workers at once, workers that die, accounts without a server's Sent: still one of everything."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import MailAccount, Organisation, User
from tests import factories
from tests.servers.test_delivery import Sender, friend, sender, server
from tests.support.dovecot import Dovecot
from webmail import connections
from webmail.delivery import draft_copy, self_filing
from webmail.delivery import submit as submitting
from webmail.delivery.submit import submit
from webmail.jobs import Job
from webmail.management.commands.dispatch import tick
from webmail.models import Draft, Mailbox, Outgoing, Placement
from webmail.protocols.errors import ConnectionLost
from webmail.protocols.imap import Session
from webmail.services import drafts, outbox
from webmail.sync.due import Repeats
from webmail.tasks.send import file_copy_in_sent

__all__ = ["friend", "sender"]
pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], object]) -> None:
    """Runs the works in threads that start together; what one raises fails the test."""
    errors: list[BaseException] = []
    together = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            together.wait()
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def due() -> list[tuple[str, int]]:
    """What the dispatcher queues now."""
    queued: list[tuple[str, int]] = []

    def put(job: Job, pk: int) -> bool:
        queued.append((job.value, pk))
        return True

    tick(Repeats(0, lambda: 0.0), put=put)
    return queued


def test_two_workers_at_once_send_one(sender: Sender, friend: str) -> None:
    made = sender.hand_over(friend)
    at_once(*[lambda: submit(made.pk)] * 4)
    assert len(sender.submission.accepted) == 1


def test_two_workers_at_once_file_one_copy(sender: Sender, friend: str) -> None:
    made = sender.send(friend)
    at_once(*[lambda: file_copy_in_sent(made.pk)] * 4)
    assert len(sender.in_sent()) == 1


@pytest.mark.parametrize("_", range(4))
def test_taking_back_races_with_sending(sender: Sender, friend: str, _: int) -> None:
    made = sender.hand_over(friend)
    taken: list[Draft | None] = []
    at_once(lambda: submit(made.pk), lambda: taken.append(outbox.take_back(made)))
    made.refresh_from_db()
    assert (made.state, len(sender.submission.accepted)) == (("cancelled", 0) if taken[0] else ("sent", 1))


def test_a_copy_in_sent_whose_answer_was_lost_is_found_again(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sender.send(friend)
    append = Session.append

    def cut(*words: object, **options: object) -> None:
        append(*words, **options)  # type: ignore[arg-type]  # passed on as it came
        raise ConnectionLost

    with monkeypatch.context() as broken:
        broken.setattr(Session, "append", cut)
        file_copy_in_sent(made.pk)
    Outgoing.objects.update(filing_after=timezone.now())
    file_copy_in_sent(made.pk)
    made.refresh_from_db()
    assert (made.filing, len(sender.in_sent())) == ("filed", 1)


def test_a_server_that_files_itself_gets_no_second_copy(
    sender: Sender, friend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_filing, "KNOWN", (".localhost",))
    made = sender.send(friend)
    with connections.open_imap(sender.account) as session:
        session.append(b"Sent", sender.submission.accepted[0].content)
    file_copy_in_sent(made.pk)
    made.refresh_from_db()
    assert (made.filing, len(sender.in_sent())) == ("server", 1)


def test_a_pop3_account_keeps_its_sent_mail_here(sender: Sender, friend: str, dovecot: Dovecot) -> None:
    account = sender.account
    account.protocol = "pop3"
    account.incoming = server(dovecot.pop3_endpoint(), "pop3", account.user)
    account.save()
    hidden = dovecot.add_user()
    made = sender.send(friend, bcc=hidden)
    assert (Job.FILE_SENT.value, made.pk) in due()
    at_once(*[lambda: file_copy_in_sent(made.pk)] * 2)
    made.refresh_from_db()
    placed = Placement.objects.get(account=account)
    assert (placed.mailbox.role, placed.flags & 1, made.filing) == ("sent", 1, "filed")
    assert hidden in str(placed.message.people["bcc"])
    assert placed.message.body.state == "here"
    assert not [job for job, _ in due() if job == Job.FILE_SENT.value]


@pytest.mark.parametrize("who", ["organisation", "person"])
def test_nothing_is_sent_for_the_suspended(sender: Sender, friend: str, who: str) -> None:
    made = sender.hand_over(friend)
    if who == "organisation":
        Organisation.objects.update(suspended_at=timezone.now())
    else:
        User.objects.update(is_active=False)
    assert (Job.SEND.value, made.pk) not in due()
    submit(made.pk)
    assert not sender.submission.accepted
    Organisation.objects.update(suspended_at=None)
    User.objects.update(is_active=True)
    submit(made.pk)
    assert len(sender.submission.accepted) == 1


def test_the_dispatcher_takes_up_what_a_dead_worker_left(sender: Sender, friend: str) -> None:
    made = sender.hand_over(friend)
    long_ago = timezone.now() - 2 * submitting.STALE_AFTER
    Outgoing.objects.update(state="sending", phase="envelope", claim="0" * 32, claimed_at=long_ago)
    due()
    assert (Job.SEND.value, made.pk) in due()
    submit(made.pk)
    assert len(sender.submission.accepted) == 1


def test_what_a_person_counts_as_sent_is_filed_though_the_broker_lost_it(sender: Sender, friend: str) -> None:
    sender.submission.fail("TAKEN", None)
    made = sender.send(friend)
    assert outbox.settle(made)
    assert (Job.FILE_SENT.value, made.pk) in due()


def test_a_draft_is_not_lost_with_its_row(sender: Sender, friend: str) -> None:
    made = sender.hand_over(friend)
    Draft.objects.all().delete()
    made.refresh_from_db()
    assert outbox.take_back(made) is None
    submit(made.pk)
    assert len(sender.submission.accepted) == 1


def test_what_some_have_got_is_not_given_back_to_be_sent_to_them_again(sender: Sender, friend: str) -> None:
    other = sender.dovecot.add_user()
    sender.submission.fail("RCPT", "450 4.2.0 greylisted")
    made = sender.send(f"{other}, {friend}")
    assert made.state == Outgoing.State.DEFERRED
    assert outbox.take_back(made) is None


# --- copies of drafts ------------------------------------------------------------------------------------------------


def drafts_box(account: MailAccount) -> Mailbox:
    return factories.mailbox(account, "drafts", "Drafts", uidvalidity=None)


def on_server(account: MailAccount) -> int:
    with connections.open_imap(account) as session:
        return session.status(b"Drafts").messages or 0


def idle(draft: Draft) -> None:
    Draft.objects.filter(pk=draft.pk).update(updated_at=timezone.now() - timedelta(minutes=1))


def write(draft: Draft, text: str) -> None:
    assert draft.identity is not None
    drafts.save(draft.user, drafts.Fields(identity=draft.identity, html=text), draft=draft, revision=draft.revision)
    idle(draft)


def test_an_idle_draft_is_copied_to_the_server_once(sender: Sender) -> None:
    drafts_box(sender.account)
    draft = sender.draft("")
    job = (Job.SAVE_DRAFT.value, draft.pk)
    assert job not in due()
    idle(draft)
    assert job in due()
    draft_copy.follow(draft.pk)
    assert job not in due()
    assert on_server(sender.account) == 1
    drafts.discard(draft)
    assert job in due()
    draft_copy.follow(draft.pk)
    assert (on_server(sender.account), job in due()) == (0, False)
    drafts.reopen(draft)
    idle(draft)
    assert job in due()


@pytest.mark.parametrize("poor", [False, True], ids=["UIDPLUS", "no APPENDUID"])
def test_two_workers_at_once_leave_one_copy_of_a_draft(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, poor: bool
) -> None:
    drafts_box(sender.account)
    draft = sender.draft("")
    append = Session.append
    if poor:
        monkeypatch.setattr(Session, "append", lambda *a, **k: type(append(*a, **k))())
    for number in range(3):
        write(draft, f"<p>{number}</p>")
        at_once(*[lambda: draft_copy.follow(draft.pk)] * 3)
        draft_copy.follow(draft.pk)
    assert on_server(sender.account) == 1


def test_a_copy_whose_answer_was_lost_is_found_again(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts_box(sender.account)
    draft = sender.draft("")
    append = Session.append

    def dies(*words: object, **options: object) -> None:
        append(*words, **options)  # type: ignore[arg-type]  # passed on as it came
        raise KeyboardInterrupt

    for number in range(2):
        write(draft, f"<p>{number}</p>")
        with monkeypatch.context() as broken:
            broken.setattr(draft_copy, "CLAIM_LASTS", timedelta(0))
            broken.setattr(Session, "append", dies)
            with pytest.raises(KeyboardInterrupt):
                draft_copy.follow(draft.pk)
    draft_copy.follow(draft.pk)
    assert on_server(sender.account) == 2  # the dead worker may still be at it
    monkeypatch.setattr(draft_copy, "CLAIM_LASTS", timedelta(0))
    draft_copy.follow(draft.pk)
    assert on_server(sender.account) == 1
