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
from tests.app.conftest import Somebody
from webmail import storage
from webmail.models import Draft, Outgoing, OutgoingRecipient

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
