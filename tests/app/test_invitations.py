"""An invitation's card, and the answers that leave through the outbox."""

from dataclasses import asdict
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity, User
from tests import factories
from tests.support.newsletters import page, page_url
from webmail import storage
from webmail.mime.invitations import read_invitation
from webmail.models import Mailbox, Message, MessageAnswer, MessageBody, Outgoing, Placement

from .conftest import Somebody

LINES = (
    "SUMMARY:Quarterly planning",
    "LOCATION:Room Kestrel",
    "DTSTART;TZID=Europe/Berlin:20261128T100000",
    "DTEND;TZID=Europe/Berlin:20261128T113000",
    "ORGANIZER;CN=Noor:mailto:noor@studio.example",
    "ATTENDEE;CN=Alice;PARTSTAT=NEEDS-ACTION:mailto:alice@harbourlane.example",
    "ATTENDEE;CN=Tomasz;PARTSTAT=ACCEPTED:mailto:tomasz@pier4.example",
)


def invitation(box: Mailbox, *lines: str, method: str = "REQUEST") -> Placement:
    event = ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", "UID:abc@studio.example", *(lines or LINES)]
    found = read_invitation("\r\n".join([*event, "END:VEVENT", "END:VCALENDAR"]).encode())
    assert found is not None
    placement = factories.message(box, text="Planning", sender=("Noor", "noor@studio.example"))
    MessageBody.objects.filter(message=placement.message).update(special={"invitation": asdict(found)})
    return placement


def respond(who: Somebody, placement: Placement, do: str, comment: str = "") -> int:
    url = reverse("mail:invitation", args=[placement.message_id])
    data = {"do": do, "comment": comment, "next": page_url(placement)}
    return who.client.post(url, data).status_code


def bare(html: str) -> str:
    """Without the isolates around names."""
    return html.replace("\u2068", "").replace("\u2069", "")


def zone(who: Somebody, name: str) -> None:
    User.objects.filter(pk=who.user.pk).update(time_zone=name)


def test_when_is_told_on_the_readers_clock_and_the_senders(alice: Somebody) -> None:
    zone(alice, "America/New_York")
    html = page(alice.client, invitation(alice.inbox))
    assert "Saturday 28 November 2026, 04:00 – 05:30 (America/New_York)" in html
    assert "10:00 in Europe/Berlin" in html
    zone(alice, "Europe/Oslo")
    html = page(alice.client, invitation(alice.inbox))
    assert "Saturday 28 November 2026, 10:00 – 11:30 (Europe/Oslo)" in html
    assert "Europe/Berlin" not in html


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["DTSTART;VALUE=DATE:20261128", "DTEND;VALUE=DATE:20261201"], "28 November 2026 – Monday 30 November 2026"),
        (["DTSTART;VALUE=DATE:20261128", "DTEND;VALUE=DATE:20261129"], "<dd>Saturday 28 November 2026</dd>"),
        (["DTSTART;TZID=Nowhere:20261128T100000"], "in the sender&#x27;s time zone, Nowhere"),
        (["DTSTART:20261128T230000Z", "DTEND:20261129T010000Z"], "23:00 – Sunday 29 November 2026, 01:00"),
        (["DTSTART:20261128T230000Z", "RRULE:FREQ=WEEKLY"], "Repeats weekly"),
        (["SUMMARY:x"], ">x</h2>"),
    ],
)
def test_other_times(alice: Somebody, lines: list[str], words: str) -> None:
    assert words in page(alice.client, invitation(alice.inbox, *lines))


@pytest.mark.parametrize(
    ("clock", "line", "words"),
    [
        ("America/New_York", "DTSTART:00010101T000000Z", "Monday 1 January 0001, 00:00"),
        ("Asia/Tokyo", "DTSTART:99991231T235900Z", "Friday 31 December 9999, 23:59"),
    ],
)
def test_the_ends_of_time_are_told_as_they_were_written(alice: Somebody, clock: str, line: str, words: str) -> None:
    zone(alice, clock)
    assert words in page(alice.client, invitation(alice.inbox, line))


def test_who_and_where(alice: Somebody) -> None:
    html = page(alice.client, invitation(alice.inbox))
    for words in ("Quarterly planning", "Room Kestrel", "noor@studio.example", "2 guests, 1 accepted", "no answer yet"):
        assert words in html


@pytest.mark.parametrize(("choice", "status"), [("accepted", "ACCEPTED"), ("declined", "DECLINED")])
def test_an_answer_goes_to_the_organiser_and_is_remembered(alice: Somebody, choice: str, status: str) -> None:
    placement = invitation(alice.inbox)
    assert not Outgoing.objects.exists()
    assert respond(alice, placement, choice, "See you, Noor") == 302
    assert respond(alice, placement, choice) == 302
    outgoing = Outgoing.objects.get()
    assert [person.address for person in outgoing.recipients.all()] == ["noor@studio.example"]
    assert outgoing.filing == Outgoing.Filing.WAITING
    raw = storage.read(alice.account.pk, outgoing.digest)
    assert b"method=REPLY" in raw
    reply = read_invitation(raw[raw.index(b"BEGIN:VCALENDAR") :])
    assert reply is not None
    assert (reply.method, reply.uid) == ("REPLY", "abc@studio.example")
    assert [(guest.address, guest.status) for guest in reply.guests] == [("alice@harbourlane.example", status)]
    assert b"COMMENT:See you\\, Noor" in raw
    html = page(alice.client, placement)
    assert f"You {choice}" in html
    assert "the answer is being sent" in html


def test_an_answer_that_waits_gives_way_to_another_and_can_be_taken_back(alice: Somebody) -> None:
    placement = invitation(alice.inbox)
    respond(alice, placement, "accepted")
    respond(alice, placement, "declined")
    assert list(Outgoing.objects.order_by("pk").values_list("state", flat=True)) == ["cancelled", "queued"]
    newest = Outgoing.objects.latest("pk")
    alice.client.post(reverse("mail:outgoing_do", args=[newest.pk, "undo"]), {"next": page_url(placement)})
    assert not Outgoing.objects.exclude(state="cancelled").exists()
    html = page(alice.client, placement)
    assert "You declined" not in html
    assert "You accepted" not in html


def test_after_it_was_sent_one_may_think_better_of_it(alice: Somebody) -> None:
    placement = invitation(alice.inbox)
    respond(alice, placement, "accepted")
    Outgoing.objects.update(state="sent")
    respond(alice, placement, "tentative")
    assert Outgoing.objects.filter(state="queued").count() == 1
    assert MessageAnswer.objects.latest("pk").choice == "tentative"


@pytest.mark.parametrize(
    ("method", "lines", "kicker"),
    [
        ("CANCEL", LINES, "Cancelled"),
        ("REQUEST", (*LINES, "STATUS:CANCELLED"), "Cancelled"),
        ("PUBLISH", LINES, "Event"),
        ("REPLY", ("ATTENDEE;CN=Tomasz;PARTSTAT=DECLINED:mailto:t@pier4.example",), "Answer: Tomasz declined"),
        ("REQUEST", ("SUMMARY:No organiser",), "Invitation"),
        ("REQUEST", ("ORGANIZER:mailto:alice@harbourlane.example",), "Invitation"),
    ],
)
def test_what_cannot_be_answered(alice: Somebody, method: str, lines: tuple[str, ...], kicker: str) -> None:
    placement = invitation(alice.inbox, *lines, method=method)
    html = page(alice.client, placement)
    assert kicker in bare(html)
    assert 'value="accepted"' not in html
    respond(alice, placement, "accepted")
    assert not Outgoing.objects.exists()


def test_an_update_is_called_that(alice: Somebody) -> None:
    assert "Updated invitation" in page(alice.client, invitation(alice.inbox, *LINES, "SEQUENCE:2"))


def test_spam_and_strangers_get_no_answer(alice: Somebody, bob: Somebody) -> None:
    spam = invitation(factories.mailbox(alice.account, "junk"))
    assert 'value="accepted"' not in page(alice.client, spam)
    respond(alice, spam, "accepted")
    mine: Any = invitation(alice.inbox)
    assert respond(bob, mine, "accepted") == 404
    assert respond(alice, mine, "delete") == 404
    assert not Outgoing.objects.exists()


# --- what does not fit together ---------------------------------------------------------------------------------------

ELSEWHERE, NOT_LISTED, TWO_WAYS = "not from the organiser it names", "not on the list of guests", "says in two ways"
EVIL = ("Noor", "noor@studio-example.test")


def sent_by(placement: Placement, address: str) -> Placement:
    Message.objects.filter(pk=placement.message_id).update(from_address=address)
    return placement


def test_an_organiser_who_did_not_write_is_pointed_out(alice: Somebody) -> None:
    assert ELSEWHERE not in page(alice.client, sent_by(invitation(alice.inbox), "Noor@Studio.example"))
    html = bare(page(alice.client, sent_by(invitation(alice.inbox), EVIL[1])))
    assert f"This came from {EVIL[1]}, not from the organiser it names. An answer goes to noor@studio.example." in html
    html = page(alice.client, sent_by(invitation(alice.inbox, method="CANCEL"), EVIL[1]))
    assert ELSEWHERE in html
    assert "An answer goes to" not in html


def test_an_answer_in_somebody_elses_name_is_pointed_out(alice: Somebody) -> None:
    line = "ATTENDEE;CN=Tomasz;PARTSTAT=DECLINED:mailto:t@pier4.example"
    html = page(alice.client, sent_by(invitation(alice.inbox, line, method="REPLY"), EVIL[1]))
    assert f"in the name of t@pier4.example, but came from {EVIL[1]}" in bare(html)
    assert "in the name of" not in page(
        alice.client, sent_by(invitation(alice.inbox, line, method="REPLY"), "t@pier4.example")
    )


def test_who_is_not_invited_is_told_so_and_may_answer(alice: Somebody) -> None:
    assert NOT_LISTED not in page(alice.client, invitation(alice.inbox))
    others = [line for line in LINES if "alice" not in line]
    placement = invitation(alice.inbox, *others)
    html = page(alice.client, placement)
    assert NOT_LISTED in html
    assert 'value="accepted"' in html
    respond(alice, placement, "accepted")
    assert Outgoing.objects.count() == 1
    nobody = [line for line in LINES if "ATTENDEE" not in line]
    assert NOT_LISTED not in page(alice.client, invitation(alice.inbox, *nobody))
    crowd = [f"ATTENDEE:mailto:a{number}@x.test" for number in range(300)]
    html = page(alice.client, invitation(alice.inbox, *others, *crowd))
    assert NOT_LISTED not in html  # she may be among those that are not kept
    assert "301 guests" in html
    assert "and 101 more guests" in html


def test_what_contradicts_itself_is_an_event_and_nothing_else(alice: Somebody) -> None:
    placement = invitation(alice.inbox, *LINES, "END:VEVENT", "BEGIN:VTODO", "END:VTODO")
    body = placement.message.body
    body.refresh_from_db()
    raw = "\r\n".join(["BEGIN:VCALENDAR", "METHOD:CANCEL", "BEGIN:VEVENT", "UID:1", *LINES, "END:VEVENT"])
    found = read_invitation(raw.encode(), method="REQUEST")
    assert found is not None
    body.special = {"invitation": asdict(found)}
    body.save()
    html = page(alice.client, placement)
    assert TWO_WAYS in html
    assert ">Event</p>" in html
    assert "Cancelled" not in html
    assert 'value="accepted"' not in html
    respond(alice, placement, "accepted")
    assert not Outgoing.objects.exists()


def test_what_was_stored_before_is_still_shown(alice: Somebody) -> None:
    placement = invitation(alice.inbox)
    body = MessageBody.objects.get(message=placement.message)
    for name in ("contradicts", "stamp", "more_guests"):
        del body.special["invitation"][name]
    body.save()
    assert 'value="accepted"' in page(alice.client, placement)


def test_of_a_whole_domain_the_address_that_was_invited_answers(alice: Somebody) -> None:
    Identity.objects.create(account=alice.account, address="*@tide.example", verified_at=timezone.now())
    lines = [line.replace("alice@harbourlane", "jobs@tide") for line in LINES]
    placement = invitation(alice.inbox, *lines)
    Message.objects.filter(pk=placement.message_id).update(people={"to": [["", "jobs@tide.example"]]})
    assert respond(alice, placement, "accepted") == 302
    outgoing = Outgoing.objects.get()
    raw = storage.read(alice.account.pk, outgoing.digest)
    assert b"mailto:jobs@tide.example" in raw.replace(b"\r\n ", b"")
    assert b"*@" not in raw
