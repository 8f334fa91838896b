"""The outbox: each state in words, and the decisions that a person may take in it."""

from datetime import timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests import factories
from tests.app.conftest import Somebody
from webmail import storage
from webmail.delivery import reminding
from webmail.mime.identifiers import ref_hash
from webmail.models import Draft, Mailbox, Message, Outgoing, OutgoingRecipient, ReportedFate, ThreadRef
from webmail.queries.nav import nav
from webmail.sync.due import due_reminders

State = Outgoing.State
LINE = "550 5.1.2 <ingrid@solberg.exmaple>: Recipient address rejected"


def outgoing(who: Somebody, state: str, *, people: tuple[tuple[str, str], ...] = (), **fields: Any) -> Outgoing:
    identity = Identity.objects.get(account=who.account)
    draft = Draft.objects.create(
        user=who.user, account=who.account, identity=identity, html="<p>Dear all</p>", closed_at=timezone.now()
    )
    made = Outgoing.objects.create(
        user=who.user,
        account=who.account,
        draft=draft,
        message_id=f"{draft.pk}@harbour.example",
        subject="Print files",
        envelope_from=who.account.address,
        digest="0" * 64,
        sent_copy_digest="0" * 64,
        size=1,
        state=state,
        **({"send_after": timezone.now(), "attempts": 1} | fields),
    )
    for address, fate in people or (("amara@pier4.example", "waiting"),):
        OutgoingRecipient.objects.create(
            outgoing=made, address=address, state=fate, reply=LINE if fate == "refused" else ""
        )
    return made


def read(who: Somebody, made: Outgoing) -> str:
    return who.client.get(reverse("mail:outgoing", args=[made.pk])).content.decode()


def test_a_partly_refused_message_says_who_and_in_whose_words(alice: Somebody) -> None:
    people = (("amara@pier4.example", "accepted"), ("ingrid@solberg.exmaple", "refused"))
    page = read(alice, outgoing(alice, State.PARTIAL, people=people))
    assert "One address was refused, one other has it" in page
    assert "said no to ingrid@solberg.exmaple" in page
    assert "550 5.1.2 &lt;ingrid@solberg.exmaple&gt;: Recipient address rejected" in page
    assert "Leave ingrid@solberg.exmaple out" in page
    assert "Refused for 1 of 2 recipients" in page


@pytest.mark.parametrize(
    ("state", "words", "offered"),
    [
        (State.FAILED, "Nobody has this message", "edit"),
        (State.UNKNOWN, "may have been sent", "settle"),
        (State.DEFERRED, "the server is busy", "retry"),
        (State.QUEUED, "leaves in a moment", "undo"),
    ],
)
def test_each_state_has_its_words_and_its_likeliest_action(
    alice: Somebody, state: str, words: str, offered: str
) -> None:
    made = outgoing(alice, state)
    page = read(alice, made)
    assert words in page
    assert f'{reverse("mail:outgoing_do", args=[made.pk, offered])}"' in page


def test_a_message_being_sent_offers_nothing(alice: Somebody) -> None:
    assert "mail:outgoing_do" not in read(alice, outgoing(alice, State.SENDING))
    assert "/undo/" not in read(alice, outgoing(alice, State.SENDING))


def test_the_list_puts_first_what_needs_somebody(alice: Somebody) -> None:
    outgoing(alice, State.QUEUED)
    outgoing(alice, State.QUEUED, scheduled=True, send_after=timezone.now() + timedelta(days=2))
    outgoing(alice, State.FAILED)
    page = alice.client.get(reverse("mail:outbox")).content.decode()
    places = [page.index(f"<h2>{title}</h2>") for title in ("Needs you", "On its way", "Scheduled")]
    assert places == sorted(places)


def test_what_was_refused_is_edited_again(alice: Somebody) -> None:
    made = outgoing(alice, State.FAILED)
    answer = alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "edit"]))
    assert answer["Location"] == f"{reverse('mail:compose')}?draft={made.draft_id}"
    made.refresh_from_db()
    assert made.state == State.CANCELLED


def test_trying_again_spares_those_who_have_it(alice: Somebody) -> None:
    made = outgoing(alice, State.PARTIAL, people=(("a@b.example", "accepted"), ("c@d.example", "refused")))
    alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "retry"]))
    made.refresh_from_db()
    assert made.state == State.QUEUED
    assert dict(made.recipients.values_list("address", "state")) == {
        "a@b.example": "accepted",
        "c@d.example": "waiting",
    }


def test_what_may_have_been_sent_is_settled_by_its_writer(alice: Somebody) -> None:
    made = outgoing(alice, State.UNKNOWN)
    alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "settle"]))
    made.refresh_from_db()
    assert made.state == State.SENT


def test_the_outbox_of_others_does_not_exist(alice: Somebody, bob: Somebody) -> None:
    made = outgoing(bob, State.FAILED)
    assert alice.client.get(reverse("mail:outgoing", args=[made.pk])).status_code == 404
    for do in ("undo", "edit", "retry", "settle"):
        assert alice.client.post(reverse("mail:outgoing_do", args=[made.pk, do])).status_code == 404
    assert "Print files" not in alice.client.get(reverse("mail:outbox")).content.decode()


def test_deciding_takes_a_post_and_a_known_word(alice: Somebody) -> None:
    made = outgoing(alice, State.FAILED)
    assert alice.client.get(reverse("mail:outgoing_do", args=[made.pk, "retry"])).status_code == 405
    assert alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "explode"])).status_code == 404


def test_the_list_costs_the_same_however_long_it_is(alice: Somebody, django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        outgoing(alice, State.QUEUED)
    with django_assert_max_num_queries(9):
        alice.client.get(reverse("mail:outbox"))


def scheduled(who: Somebody) -> Outgoing:
    day = timezone.now().date() + timedelta(days=3)
    identity = Identity.objects.get(account=who.account)
    typed = {
        "identity": identity.pk,
        "to": "amara@pier4.example",
        "subject": "Proofs",
        "format": "html",
        "html": "<p>a",
    }
    who.client.post(reverse("mail:compose"), typed | {"do": f"schedule:{day}T08:00"})
    return Outgoing.objects.get()


def test_what_waits_for_its_time_can_leave_now_with_todays_date(alice: Somebody) -> None:
    made = scheduled(alice)
    assert f'{reverse("mail:outgoing_do", args=[made.pk, "now"])}"' in read(alice, made)
    answer = alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "now"]))
    made.refresh_from_db()
    fresh = Outgoing.objects.exclude(pk=made.pk).get()
    assert answer["Location"] == reverse("mail:outgoing", args=[fresh.pk])
    assert (made.state, fresh.state, fresh.scheduled) == (State.CANCELLED, State.QUEUED, False)
    assert fresh.send_after < timezone.now() + timedelta(minutes=1)
    dated = parsedate_to_datetime(message_from_bytes(storage.read(alice.account.pk, fresh.digest))["Date"])
    assert abs(dated - timezone.now()) < timedelta(minutes=1)
    assert fresh.message_id != made.message_id


def test_what_a_worker_has_claimed_is_not_sent_a_second_time(alice: Somebody) -> None:
    made = scheduled(alice)
    Outgoing.objects.update(state=State.SENDING, claim=uuid4())
    alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "now"]))
    assert Outgoing.objects.get().state == State.SENDING


def test_what_cannot_leave_now_waits_as_before(alice: Somebody) -> None:
    made = scheduled(alice)
    Identity.objects.update(verified_at=None)
    answer = alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "now"]), follow=True)
    assert "Choose an address to write from" in answer.content.decode()
    made.refresh_from_db()
    assert (made.state, Outgoing.objects.count()) == (State.QUEUED, 1)
    assert made.draft is not None
    assert made.draft.closed_at is not None


# --- reminders -------------------------------------------------------------------------------------------------------

MAREN = ("Maren", "maren@elsewhere.example")


def waiting(who: Somebody, *, days: int = 3, over: bool = True) -> Outgoing:
    """A message sent so many days ago, which comes up again when its time is over."""
    sent = timezone.now() - timedelta(days=days if over else 0)
    return outgoing(
        who, State.SENT, sent_at=sent, remind_days=days, remind_at=sent + timedelta(days=days), send_after=sent
    )


def copy_in_sent(who: Somebody, made: Outgoing) -> Message:
    """Its copy in Sent, in a conversation of its own."""
    own = (who.user.name, who.account.address)
    box = factories.mailbox(who.account, "sent")
    placed = factories.message(box, sender=own, at=made.sent_at, message_id=made.message_id)
    ThreadRef.objects.create(account=who.account, ref=ref_hash(made.message_id), thread=placed.thread)
    return placed.message


def test_an_unanswered_message_comes_up_again_when_its_time_is_over(alice: Somebody) -> None:
    made, early = waiting(alice), waiting(alice, over=False)
    assert due_reminders() == [made.pk]
    for one in (made, early):
        reminding.look(one.pk)
    page = alice.client.get(reverse("mail:outbox")).content.decode()
    assert page.index("No answer yet") < page.index("Nobody has answered for 3 days") < page.index("Comes up again")
    assert "Write again" in read(alice, made)
    assert nav(alice.user).outbox_count == 1


@pytest.mark.parametrize(
    ("sender", "role", "extra", "answered"),
    [
        (MAREN, "inbox", {}, True),
        (MAREN, "", {}, True),
        (MAREN, "inbox", {"auto_submitted": "no"}, True),
        (MAREN, "inbox", {"auto_submitted": "auto-replied"}, False),
        (MAREN, "junk", {}, False),
        (("Alice", "ALICE+work@harbourlane.example"), "inbox", {}, False),
    ],
    ids=["answered", "filed", "by hand", "out of office", "spam", "my own"],
)
def test_who_answers_ends_the_reminder(
    alice: Somebody, sender: tuple[str, str], role: str, extra: dict[str, str], answered: bool
) -> None:
    made = waiting(alice)
    copy = copy_in_sent(alice, made)
    box = Mailbox.objects.get(account=alice.account, role="inbox") if role == "inbox" else None
    box = box or factories.mailbox(alice.account, role)
    factories.message(box, sender=sender, at=timezone.now(), thread=copy.thread, extra=extra)
    reminding.look(made.pk)
    made.refresh_from_db()
    assert (made.unanswered, made.remind_at is None) == (not answered, answered)


def test_what_came_before_it_was_sent_and_what_servers_report_is_no_answer(alice: Somebody) -> None:
    made = waiting(alice)
    copy = copy_in_sent(alice, made)
    box = Mailbox.objects.get(account=alice.account, role="inbox")
    before = timezone.now() - timedelta(days=4)
    factories.message(box, sender=MAREN, at=before, thread=copy.thread)
    report = factories.message(box, sender=("", "mailer-daemon@x.example"), at=timezone.now(), thread=copy.thread)
    ReportedFate.objects.create(
        account=alice.account,
        report=report.message,
        original_id=made.message_id,
        address="amara@pier4.example",
        action="failed",
        at=timezone.now(),
    )
    assert not reminding.is_answered(made)


def test_an_answer_that_comes_later_takes_it_from_the_outbox(alice: Somebody) -> None:
    made = waiting(alice)
    copy = copy_in_sent(alice, made)
    reminding.look(made.pk)
    assert nav(alice.user).outbox_count == 1
    assert due_reminders() == []  # not looked at every second
    factories.message(
        Mailbox.objects.get(account=alice.account, role="inbox"), sender=MAREN, at=timezone.now(), thread=copy.thread
    )
    Outgoing.objects.update(remind_at=timezone.now())
    reminding.look(made.pk)
    assert nav(alice.user).outbox_count == 0
    assert due_reminders() == []


def test_a_reminder_is_dismissed_and_that_is_taken_back(alice: Somebody) -> None:
    made = waiting(alice)
    reminding.look(made.pk)
    do = {word: reverse("mail:outgoing_do", args=[made.pk, word]) for word in ("dismiss", "remind")}
    page = alice.client.post(do["dismiss"], follow=True).content.decode()
    assert do["remind"] in page
    assert nav(alice.user).outbox_count == 0
    alice.client.post(do["remind"])
    reminding.look(made.pk)
    assert nav(alice.user).outbox_count == 1
    assert "decided already" in alice.client.post(do["remind"], follow=True).content.decode()


def test_writing_again_goes_to_the_same_people_below_what_was_written(alice: Somebody) -> None:
    made = waiting(alice)
    reminding.look(made.pk)
    again = reverse("mail:outgoing_do", args=[made.pk, "again"])
    blank = alice.client.post(again, follow=True).content.decode()
    assert 'value="amara@pier4.example"' in blank
    assert 'value="Re: Print files"' in blank
    copy = copy_in_sent(alice, made)
    answer = alice.client.post(again)
    assert answer["Location"] == f"{reverse('mail:compose')}?reply={copy.pk}&mode=all"


def test_what_its_writer_counts_as_sent_still_comes_up_again(alice: Somebody) -> None:
    made = outgoing(alice, State.UNKNOWN, remind_days=3)
    alice.client.post(reverse("mail:outgoing_do", args=[made.pk, "settle"]))
    made.refresh_from_db()
    assert made.state == State.SENT
    assert made.sent_at is not None
    assert made.remind_at == made.sent_at + timedelta(days=3)


def test_what_some_have_and_nobody_answers_counts_once(alice: Somebody) -> None:
    outgoing(alice, State.PARTIAL, unanswered=True, remind_days=3, sent_at=timezone.now() - timedelta(days=4))
    assert nav(alice.user).outbox_count == 1
