"""Receipts that messages ask for: told in a line, sent when the person says so, once, and remembered."""

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests import factories
from tests.support.newsletters import page, page_url
from webmail import storage
from webmail.delivery import answered
from webmail.models import Mailbox, MessageAnswer, MessageBody, Outgoing, Placement, RemoteOp

from .conftest import Somebody

ASKS = "The sender asks for a receipt"


def asking(box: Mailbox, *addresses: str, came_from: str | None = "bounce@pier4.example", **fields: Any) -> Placement:
    extra = {"disposition_notification_to": list(addresses or ["amara@pier4.example"])}
    placement = factories.message(box, text="Please confirm", extra=extra, **fields)
    special = {} if came_from is None else {"return_path": came_from}
    MessageBody.objects.filter(message=placement.message).update(special=special)
    return placement


def decide(who: Somebody, placement: Placement, do: str) -> int:
    url = reverse("mail:receipt", args=[placement.message_id])
    return who.client.post(url, {"do": do, "next": page_url(placement)}).status_code


def test_opening_sends_nothing(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    assert ASKS in page(alice.client, placement)
    assert not Outgoing.objects.exists()
    assert not MessageAnswer.objects.exists()


def test_a_receipt_is_handed_over_once(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    assert decide(alice, placement, "send") == 302
    assert decide(alice, placement, "send") == 302
    assert decide(alice, placement, "ignore") == 302
    outgoing = Outgoing.objects.get()
    assert outgoing.envelope_from == ""
    assert outgoing.filing == Outgoing.Filing.NONE
    assert [person.address for person in outgoing.recipients.all()] == ["amara@pier4.example"]
    raw = storage.read(alice.account.pk, outgoing.digest)
    assert b"Disposition: manual-action/MDN-sent-manually; displayed" in raw
    assert f"Original-Message-ID: <{placement.message.message_id}>".encode() in raw
    assert "A receipt is being sent" in page(alice.client, placement)
    Outgoing.objects.update(state="sent")
    html = page(alice.client, placement)
    assert "A receipt was sent on" in html
    assert ASKS not in html


def test_what_has_not_left_can_be_taken_back(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    decide(alice, placement, "send")
    outgoing = Outgoing.objects.get()
    undo = reverse("mail:outgoing_do", args=[outgoing.pk, "undo"])
    assert f'action="{undo}"' in page(alice.client, placement)
    response = alice.client.post(undo, {"next": page_url(placement)})
    assert response.headers["Location"] == page_url(placement)
    assert Outgoing.objects.get().state == "cancelled"
    assert ASKS in page(alice.client, placement)
    decide(alice, placement, "send")
    assert Outgoing.objects.filter(state="queued").count() == 1


def test_what_has_left_cannot(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    decide(alice, placement, "send")
    Outgoing.objects.update(state="sent")
    alice.client.post(reverse("mail:outgoing_do", args=[Outgoing.objects.get().pk, "undo"]))
    assert Outgoing.objects.get().state == "sent"


def test_ignoring_is_remembered_and_sends_nothing(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    decide(alice, placement, "ignore")
    assert "request-line" not in page(alice.client, placement)
    assert not Outgoing.objects.exists()
    assert decide(alice, placement, "send") == 302
    assert not Outgoing.objects.exists()


@pytest.mark.parametrize(
    ("addresses", "came_from", "strange"),
    [
        (["amara@pier4.example"], "bounce@pier4.example", False),
        (["amara@pier4.example"], None, False),
        (["spy@elsewhere.example"], "bounce@pier4.example", True),
        (["spy@elsewhere.example"], None, True),
        (["amara@pier4.example"], "bounce@elsewhere.example", True),
        (["amara@pier4.example", "spy@elsewhere.example"], "bounce@pier4.example", True),
    ],
)
def test_where_it_would_go_is_said_when_that_is_elsewhere(
    alice: Somebody, addresses: list[str], came_from: str | None, strange: bool
) -> None:
    html = page(alice.client, asking(alice.inbox, *addresses, came_from=came_from))
    assert ASKS in html
    assert ("which is not where this message came from" in html) == strange
    assert ("spy@elsewhere.example" in html) == ("spy@elsewhere.example" in addresses)


def test_an_address_that_is_asked_for_twice_gets_one(alice: Somebody) -> None:
    placement = asking(alice.inbox, "amara@pier4.example", "Amara@pier4.example", "amara@pier4.example")
    assert decide(alice, placement, "send") == 302
    assert [person.address for person in Outgoing.objects.get().recipients.all()] == ["amara@pier4.example"]


@pytest.mark.parametrize("role", ["junk", "sent"])
def test_never_in_spam_nor_of_ones_own(alice: Somebody, role: str) -> None:
    placement = asking(factories.mailbox(alice.account, role))
    assert ASKS not in page(alice.client, placement)
    decide(alice, placement, "send")
    assert not Outgoing.objects.exists()


def test_not_where_another_program_answered_nor_to_nobody(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    Placement.objects.filter(pk=placement.pk).update(keywords=["$MDNSent"])
    assert ASKS not in page(alice.client, placement)
    nobody = asking(alice.inbox, came_from="")
    assert ASKS not in page(alice.client, nobody)
    decide(alice, nobody, "send")
    assert not Outgoing.objects.exists()


def test_nobody_decides_for_somebody_else(alice: Somebody, bob: Somebody) -> None:
    assert decide(bob, asking(alice.inbox), "send") == 404
    assert not Outgoing.objects.exists()


def test_once_it_was_sent_other_programs_hear_of_it(alice: Somebody) -> None:
    placement = asking(alice.inbox)
    decide(alice, placement, "send")
    with transaction.atomic():
        answered.mark(Outgoing.objects.get())
        answered.mark(Outgoing.objects.get())
    placement.refresh_from_db()
    assert placement.keywords == ["$MDNSent"]
    assert placement.pending_keywords == ["$mdnsent"]
    operation = RemoteOp.objects.get()
    assert (operation.kind, operation.args) == ("keywords", {"add": ["$MDNSent"], "remove": []})
    assert operation.uids == [placement.uid]


def test_of_a_whole_domain_the_receipt_names_the_address_that_was_written_to(alice: Somebody) -> None:
    Identity.objects.create(account=alice.account, address="*@tide.example", verified_at=timezone.now())
    people = {"to": [["", "jobs@tide.example"]], "from": [["Amara", "amara@pier4.example"]]}
    decide(alice, asking(alice.inbox, people=people), "send")
    raw = storage.read(alice.account.pk, Outgoing.objects.get().digest)
    assert b"Final-Recipient: rfc822; jobs@tide.example" in raw
    assert b"*@" not in raw
