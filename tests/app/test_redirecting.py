"""Sending a message on as it is: whom it reaches, what it says of itself, and how it is taken back."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Identity
from tests import factories
from tests.app.conftest import Somebody
from webmail import storage
from webmail.models import Message, MessageBody, Outgoing

RAW = b"From: amara@pier4.example\r\nTo: alice@x.example\r\nSubject: Harbour signage\r\n\r\nBoth panels.\r\n"


@pytest.fixture
def original(alice: Somebody) -> Message:
    made = factories.message(alice.inbox, text="Both panels.", size=len(RAW)).message
    MessageBody.objects.filter(message=made).update(raw_digest=storage.put(alice.account.pk, RAW))
    return made


def send_on(who: Somebody, message: Message, **typed: object) -> Any:
    values = {"identity": Identity.objects.get(account=who.account).pk, "to": "Bo <bo@x.example>"} | typed
    return who.client.post(reverse("mail:redirect", args=[message.pk]), values)


def test_the_octets_of_the_original_leave_below_who_sent_it_on(alice: Somebody, original: Message) -> None:
    send_on(alice, original)
    outgoing = Outgoing.objects.get()
    wire = storage.read(alice.account.pk, outgoing.digest)
    assert wire.endswith(RAW)
    assert b"Resent-To: Bo <bo@x.example>\r\n" in wire
    assert (outgoing.envelope_from, outgoing.filing) == (alice.account.address, Outgoing.Filing.NONE)
    assert list(outgoing.recipients.values_list("address", "name")) == [("bo@x.example", "Bo")]


def test_undo_takes_it_back_and_leads_to_the_outbox(alice: Somebody, original: Message) -> None:
    send_on(alice, original)
    outgoing = Outgoing.objects.get()
    undo = reverse("mail:outgoing_do", args=[outgoing.pk, "undo"])
    assert undo in alice.client.get(reverse("mail:outgoing", args=[outgoing.pk])).content.decode()
    assert alice.client.post(undo)["Location"] == reverse("mail:outbox")
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("", "This field is required"),
        ("nobody", "is not an address"),
        ("a@b.example\r\nBcc: c@d.example", "single line"),
    ],
)
def test_a_wrong_recipient_is_said_beside_the_field(alice: Somebody, original: Message, to: str, words: str) -> None:
    answer = send_on(alice, original, to=to)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Outgoing.objects.exists()


def test_nobody_sends_on_from_an_address_or_a_message_of_somebody_else(
    alice: Somebody, bob: Somebody, original: Message
) -> None:
    foreign = Identity.objects.get(account=bob.account).pk
    assert send_on(alice, original, identity=foreign).status_code == 422
    assert send_on(bob, original).status_code == 404
    assert not Outgoing.objects.exists()


def test_what_is_not_here_is_fetched_first(alice: Somebody) -> None:
    elsewhere = factories.message(alice.inbox, text="Both", size=10).message
    assert send_on(alice, elsewhere).status_code in (202, 503)
    assert not Outgoing.objects.exists()


def test_a_stranger_cannot_choose_an_address_too_long_to_write_from(alice: Somebody, original: Message) -> None:
    local, _, domain = alice.account.address.partition("@")
    long = f"{local}+{'x' * 290}@{domain}"
    Message.objects.filter(pk=original.pk).update(people={"to": [["", long]], "from": [["", "a@b.example"]]})
    assert send_on(alice, original).status_code == 302
    assert Outgoing.objects.get().envelope_from == alice.account.address


def test_what_was_taken_from_the_store_meanwhile_is_said(alice: Somebody, original: Message) -> None:
    MessageBody.objects.filter(message=original).update(raw_digest="0" * 64)
    answer = send_on(alice, original)
    assert answer.status_code == 422
    assert "no longer here" in answer.content.decode()
    assert not Outgoing.objects.exists()
