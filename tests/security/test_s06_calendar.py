"""S06: a calendar is shown as text, whatever it holds, and however large it is or often it repeats, at once."""

import time

import pytest
from django.urls import reverse

from webmail import storage
from webmail.mime.invitations import LARGEST, read_invitation
from webmail.models import MessageAnswer, MessageBody, Outgoing

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db
SECONDS = 0.2

HOSTILE = [
    "<details open ontoggle=alert(1)>x</details>",
    "<svg><animate onrepeat=alert(1) dur=1s repeatCount=2></svg>",
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1)",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "\u202egnp.exe",
]


def mail(calendar: str) -> bytes:
    head = (
        "From: Noor <noor@x.test>\r\nTo: alice@harbourlane.example\r\nSubject: Planning\r\nMessage-ID: <s06@x.test>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/plain\r\n\r\nPlanning\r\n--b\r\n"
        "Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n\r\n"
    )
    return f"{head}{calendar}\r\n--b--\r\n".encode()


def calendar(*lines: str) -> str:
    event = ["BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:1", "DTSTART:20261128T090000Z", *lines]
    return "\r\n".join([*event, "END:VEVENT", "END:VCALENDAR"])


@pytest.mark.parametrize("text", HOSTILE)
def test_s06_hostile_text_is_text(alice: World, text: str) -> None:
    lines = [f"{name}:{text}" for name in ("SUMMARY", "LOCATION", "DESCRIPTION", "URL", "X-ALT-DESC;FMTTYPE=text/html")]
    quoted = text.replace('"', "")
    lines += [f'ORGANIZER;CN="{quoted}":mailto:noor@x.test', f'ATTENDEE;CN="{quoted}":mailto:a@x.test']
    message = deliver(alice.inbox, mail(calendar(*lines)))
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert 'class="card invite"' in html
    markup = ("<details open ontoggle", "<svg><animate", "<img src=x", "<script>alert", 'href="javascript:', "\u202e")
    for raw in markup:
        assert raw not in html
    assert "{{ 7|add:7 }}" in html or "{{" not in text  # no template of ours runs it


BOMBS = {
    "seconds": calendar("SUMMARY:Tick", "RRULE:FREQ=SECONDLY;COUNT=1000000000"),
    "large": calendar("SUMMARY:Big", "DESCRIPTION:" + "x" * 10_000_000),
    "folded": calendar("SUMMARY:" + "\r\n x" * 3_000_000),
    "guests": calendar(*["ATTENDEE;CN=x:mailto:a@x.test"] * 300_000),
    "events": "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n" * 250_000,
    "nested": "BEGIN:VCALENDAR\r\n" * 500_000,
    "parameters": calendar("ATTENDEE" + ";A=" * 2_000_000 + ":x"),
    "quotes": calendar('ATTENDEE;CN="' * 700_000),
    "zones": "BEGIN:VCALENDAR\r\n"
    + "BEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" * 100_000,
    "escapes": calendar("SUMMARY:" + "\\" * 9_000_000),
    "digits": calendar("SEQUENCE:" + "9" * 9_000_000, "DTEND:" + "9" * 9_000_000),
}


@pytest.mark.parametrize("octets", [text.encode() for text in BOMBS.values()], ids=list(BOMBS))
def test_s06_bombs_are_read_at_once(octets: bytes) -> None:
    """The processor's time, the best of three: a busy machine is no defect."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        found = read_invitation(octets)
        taken.append(time.process_time() - start)
    assert min(taken) <= SECONDS
    assert found is None or len(found.guests) <= 200


def test_s06_a_rule_is_named_and_not_followed(alice: World) -> None:
    message = deliver(alice.inbox, mail(BOMBS["seconds"]))
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert html.count("28 November 2026") == 1
    assert "Repeats" in html


def test_s06_what_is_too_large_says_so(alice: World) -> None:
    message = deliver(alice.inbox, mail(BOMBS["large"]))
    assert MessageBody.objects.get(message=message).special["invitation"] == {"too_large": True}
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert "too large to be read here" in html
    assert 'value="accepted"' not in html
    assert len(BOMBS["large"]) > LARGEST


def test_s16_nothing_is_answered_without_a_click(alice: World) -> None:
    message = deliver(alice.inbox, mail(calendar("SUMMARY:Plan", "ORGANIZER:mailto:noor@x.test")))
    before = Outgoing.objects.count()
    alice.client.get(address_of(alice.inbox, message))
    alice.client.get(reverse("mail:invitation", args=[message.pk]))
    assert Outgoing.objects.count() == before
    assert not MessageAnswer.objects.exists()


# --- what a hostile sender tries --------------------------------------------------------------------------------------


def shown(alice: World, *lines: str) -> str:
    message = deliver(alice.inbox, mail(calendar(*lines)))
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    start = html.index('class="card invite')
    return html[start : html.index("</section>", start)]


MARKS = "\u202e\u202d\u2066\u2067\u200f\u061c"


def test_s06_marks_of_direction_turn_nothing_around(alice: World) -> None:
    card = shown(
        alice,
        f"SUMMARY:Pay{MARKS} now",
        f"LOCATION:{MARKS}Room",
        f"ORGANIZER;CN={MARKS}Noor:mailto:noor@x.test",
        f"ATTENDEE;CN=a{MARKS}b:mailto:a@x.test",
        f"ATTENDEE:mailto:{MARKS}b@x.test",
        f"DTEND;TZID=No{MARKS}where:20261128T100000",
        "ATTENDEE:mailto:\u05d0\u05d1@x.test",
    )
    assert not set(MARKS) & set(card)
    assert "Pay now" in card
    assert "2 guests" in card


def test_s06_letters_that_run_the_other_way_stay_among_themselves(alice: World) -> None:
    card = shown(alice, "ORGANIZER:mailto:\u05d0\u05d1@x.test", "ATTENDEE:mailto:c@x.test")
    assert "not from the organiser it names. An answer goes to \u2068\u05d0\u05d1@x.test\u2069." in card


@pytest.mark.parametrize("letter", ["\u0300", "\u202e", "W", "\ufdfd", "\U0001f600"])
def test_s06_texts_of_any_length_are_cut(alice: World, letter: str) -> None:
    long = letter * 7_000
    card = shown(alice, f"SUMMARY:{long}", f"LOCATION:{long}", f'ORGANIZER;CN="{long}":mailto:noor@x.test')
    assert card.count(letter) <= 300 + 300 + 2 * 120 + 300


def test_s06_ten_thousand_guests(alice: World) -> None:
    card = shown(alice, *[f"ATTENDEE:mailto:{number}@x.y" for number in range(9_000)], "SUMMARY:Assembly")
    assert "9000 guests" in card
    assert card.count("<li>") == 200
    assert "and 8800 more guests" in card
    assert "Assembly</h2>" in card


@pytest.mark.parametrize("count", [6_000, 10_000])
def test_s06_guests_beyond_what_is_read_are_not_cut_off_silently(alice: World, count: int) -> None:
    text = calendar(*["ATTENDEE;CN=Somebody:mailto:somebody@x.test"] * count)
    assert len(text) > LARGEST
    message = deliver(alice.inbox, mail(text))
    html = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert "too large to be read here" in html


ZONE = "BEGIN:VTIMEZONE\r\nTZID:{}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETTO:{}\r\nEND:STANDARD\r\n"


@pytest.mark.parametrize("offset", ["+1400", "-1400", "+9999", "+0100"])
@pytest.mark.parametrize("name", ["Europe/Oslo", " Europe/Oslo ", "/x/Europe/Oslo"])
def test_s06_a_zone_that_is_known_is_not_defined_anew(name: str, offset: str) -> None:
    text = f"BEGIN:VCALENDAR\r\n{ZONE.format(name, offset)}END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\n"
    found = read_invitation(f"{text}DTSTART;TZID={name}:20261128T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode())
    assert found is not None
    assert found.starts is not None
    assert found.starts.iso == "2026-11-28T09:00:00+00:00"


@pytest.mark.parametrize(
    "address",
    ["noor@x.test%0d%0aBcc:b@x.test", "noor@x.test?bcc=b@x.test", "noor@x.test%3Fbcc=b", "a%0Ab@x.test"],
)
def test_s25_an_organisers_address_adds_no_field(alice: World, address: str) -> None:
    message = deliver(alice.inbox, mail(calendar("SUMMARY:Plan", f"ORGANIZER:mailto:{address}")))
    before = Outgoing.objects.count()
    alice.client.post(reverse("mail:invitation", args=[message.pk]), {"do": "accepted"})
    assert Outgoing.objects.count() == before


def test_s25_an_answer_holds_nothing_but_the_answer(alice: World) -> None:
    lines = ["SUMMARY:Plan\\nBcc: b@x.test\\r\\nX", "SEQUENCE:1"]
    lines += ['ORGANIZER;CN="N^nBcc: b@x.test":mailto:no?or+a@x.test']
    message = deliver(alice.inbox, mail(calendar(*lines)))
    alice.client.post(
        reverse("mail:invitation", args=[message.pk]), {"do": "accepted", "comment": "a\r\nBcc: b@x.test\r\nEND:VEVENT"}
    )
    outgoing = Outgoing.objects.latest("pk")
    assert [one.address for one in outgoing.recipients.all()] == ["no?or+a@x.test"]
    raw = storage.read(alice.account.pk, outgoing.digest)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"\r\nBcc:" not in head
    calendar_part = body[body.index(b"BEGIN:VCALENDAR") : body.index(b"END:VCALENDAR")]
    written = [line for line in calendar_part.splitlines() if line[:1] != b" "]
    names = [line.partition(b":")[0].partition(b";")[0] for line in written]
    assert b" ".join(names) == (
        b"BEGIN VERSION PRODID METHOD BEGIN UID DTSTAMP SEQUENCE ORGANIZER ATTENDEE SUMMARY COMMENT END"
    )
    assert b"ORGANIZER:mailto:no%3For+a@x.test" in calendar_part
