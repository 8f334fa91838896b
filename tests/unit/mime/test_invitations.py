"""Invitations as programs write them, read; and answers, read back."""

from datetime import UTC, datetime

import pytest

from webmail.mime.invitations import Guest, Invitation, Moment, answer, read_invitation

HEAD = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n"
WINDOWS = (
    "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\n"
    "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def calendar(*lines: str, before: str = "") -> bytes:
    event = ["BEGIN:VEVENT", "UID:1@x.test", *lines, "END:VEVENT", "END:VCALENDAR"]
    return (HEAD + before + "\r\n".join(event) + "\r\n").encode()


def read(*lines: str, before: str = "") -> Invitation:
    found = read_invitation(calendar(*lines, before=before))
    assert found is not None
    return found


def test_what_where_and_who() -> None:
    found = read(
        "SUMMARY:Planning\\, part two",
        "LOCATION;LANGUAGE=en:Room \\;A\\nupstairs",
        "SEQUENCE:2",
        "STATUS:confirmed",
        'ORGANIZER;CN="Noor; van Dijk":MAILTO:noor@x.test',
        "ATTENDEE;CN=Ma",
        " ren;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:maren@y.test",
        "ATTENDEE;CN=Room:urn:uuid:1",
        "BEGIN:VALARM",
        "SUMMARY:not this",
        "END:VALARM",
    )
    assert (found.method, found.summary, found.location) == ("REQUEST", "Planning, part two", "Room ;A upstairs")
    assert (found.sequence, found.status) == (2, "CONFIRMED")
    assert found.organiser == Guest("noor@x.test", "Noor; van Dijk")
    assert found.guests == (Guest("maren@y.test", "Maren", "ACCEPTED"),)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("DTSTART:20260701T080000Z", Moment("2026-07-01T08:00:00+00:00")),
        ("DTSTART;VALUE=DATE:20260701", Moment("2026-07-01")),
        ("DTSTART:20260701T080000", Moment("2026-07-01T08:00:00", "", "2026-07-01T08:00:00")),
        ("DTSTART;TZID=Europe/Berlin:20260701T080000",
         Moment("2026-07-01T06:00:00+00:00", "Europe/Berlin", "2026-07-01T08:00:00")),
        ("DTSTART;TZID=/mozilla.org/20050126_1/Europe/Berlin:20261201T080000",
         Moment("2026-12-01T07:00:00+00:00", "/mozilla.org/20050126_1/Europe/Berlin", "2026-12-01T08:00:00")),
        ("DTSTART;TZID=W. Europe Standard Time:20260701T080000",
         Moment("2026-07-01T06:00:00+00:00", "W. Europe Standard Time", "2026-07-01T08:00:00")),
        ("DTSTART;TZID=W. Europe Standard Time:20260228T080000",
         Moment("2026-02-28T07:00:00+00:00", "W. Europe Standard Time", "2026-02-28T08:00:00")),
        ("DTSTART;TZID=W. Europe Standard Time:20261025T040000",
         Moment("2026-10-25T03:00:00+00:00", "W. Europe Standard Time", "2026-10-25T04:00:00")),
        ("DTSTART;TZID=Nowhere:20260701T080000", Moment("2026-07-01T08:00:00", "Nowhere", "2026-07-01T08:00:00")),
        ("DTSTART;TZID=../../etc/passwd:20260701T080000",
         Moment("2026-07-01T08:00:00", "../../etc/passwd", "2026-07-01T08:00:00")),
        ("DTSTART:20261301T080000Z", None),
        ("DTSTART:tomorrow", None),
    ],
)  # fmt: skip
def test_when(line: str, moment: Moment | None) -> None:
    assert read(line, before=WINDOWS).starts == moment


@pytest.mark.parametrize(
    ("lines", "ends"),
    [
        (["DTSTART:20260701T080000Z", "DTEND:20260701T093000Z"], "2026-07-01T09:30:00+00:00"),
        (["DTSTART:20260701T080000Z", "DURATION:P1DT1H30M"], "2026-07-02T09:30:00+00:00"),
        (["DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260704"], "2026-07-03"),
        (["DTSTART;VALUE=DATE:20260701", "DURATION:P3D"], "2026-07-03"),
        (["DTSTART:99991231T080000Z", "DURATION:P9999W"], None),
        (["DTSTART:20260701T080000Z"], None),
    ],
)
def test_until_when(lines: list[str], ends: str | None) -> None:
    found = read(*lines).ends
    assert (found.iso if found else None) == ends


def test_rules_are_named_and_other_events_counted() -> None:
    found = read("RRULE:FREQ=WEEKLY;COUNT=5", "END:VEVENT", "BEGIN:VEVENT", "UID:2", "SUMMARY:Other")
    assert (found.repeats, found.more, found.summary) == ("WEEKLY", 1, "")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Hello",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VEVENT\r\nSUMMARY:No UID\r\nEND:VEVENT\r\n",
        b"BEGIN:VEVENT\r\nUID:" + b"x" * 5_000 + b"\r\n",
        b"END:VEVENT\r\n" * 100,
        b"\xff\xfe\x00BEGIN" * 50,
    ],
)
def test_what_is_none(octets: bytes) -> None:
    assert read_invitation(octets) is None


def test_an_answer_reads_as_it_was_meant() -> None:
    part = answer(
        uid="1@x.test",
        sequence=3,
        recurrence_id="20261128T090000Z",
        organiser="noor@x.test",
        attendee=Guest("maren@y.test", 'Märén "M";\r\nX: y', "DECLINED"),
        summary="Planning, " + "ü" * 100,
        comment="Sorry;\nnext time",
        at=datetime(2026, 11, 25, tzinfo=UTC),
    )
    assert all(len(line.encode()) <= 76 for line in part.text.split("\n"))
    found = read_invitation(part.text.replace("\n", "\r\n").encode())
    assert found is not None
    assert (found.method, found.uid, found.sequence) == ("REPLY", "1@x.test", 3)
    assert found.recurrence_id == "20261128T090000Z"
    assert found.summary == "Planning, " + "ü" * 100
    assert found.guests[0].address == "maren@y.test"
    assert found.guests[0].status == "DECLINED"
    assert "\nCOMMENT:Sorry\\;\\nnext time\n" in part.text
    assert "\nX:" not in part.text


@pytest.mark.parametrize(
    ("parameter", "lines", "method", "contradicts"),
    [
        ("request", ["METHOD:REQUEST"], "REQUEST", False),
        ("", ["METHOD:REQUEST"], "REQUEST", False),  # attached files say it once
        ("CANCEL", ["METHOD:REQUEST"], "", True),
        ("REQUEST", ["METHOD:CANCEL"], "", True),
        ("REQUEST", ["METHOD:REQUEST", "METHOD:CANCEL"], "", True),
        ("REQUEST", ["METHOD:REQUEST", "METHOD:request"], "REQUEST", False),
        ("REQUEST", [], "", False),  # RFC 5545 section 3.7.2: a snapshot, with which nothing is scheduled
        ("REQUEST", ["METHOD:!"], "", True),
        ("", [], "", False),
    ],
)
def test_what_it_is_for_is_said_the_same_everywhere(
    parameter: str, lines: list[str], method: str, contradicts: bool
) -> None:
    text = "\r\n".join(["BEGIN:VCALENDAR", *lines, "BEGIN:VEVENT", "UID:1", "END:VEVENT", "END:VCALENDAR"])
    found = read_invitation(text.encode(), method=parameter)
    assert found is not None
    assert (found.method, found.contradicts) == (method, contradicts)


def test_what_it_is_for_counts_wherever_the_calendar_says_it() -> None:
    text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nMETHOD:CANCEL\r\nEND:VCALENDAR\r\n"
    found = read_invitation(text.encode(), method="REQUEST")
    assert found is not None
    assert (found.method, found.contradicts) == ("", True)


@pytest.mark.parametrize(
    ("line", "stamp"),
    [
        ("DTSTAMP:20261124T090000Z", "20261124T090000Z"),
        ("DTSTAMP;TZID=Europe/Oslo:20261124T100000", "20261124T090000Z"),
        ("DTSTAMP:20261124T090000", ""),  # of no zone: no moment
        ("DTSTAMP:20261124", ""),
        ("DTSTAMP:yesterday", ""),
        ("DTSTAMP:99999999T999999Z", ""),
        ("SUMMARY:x", ""),
    ],
)
def test_when_it_was_written(line: str, stamp: str) -> None:
    assert read(line).stamp == stamp


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("RECURRENCE-ID:00010203T040506Z", "00010203T040506Z"),
        ("RECURRENCE-ID;VALUE=DATE:00010203", "00010203"),
        ("RECURRENCE-ID:99991231T235959Z", "99991231T235959Z"),
    ],
)
def test_a_year_has_four_digits_in_an_answer(line: str, value: str) -> None:
    assert read(line).recurrence_id == value


def test_guests_that_are_not_kept_are_counted() -> None:
    found = read(*[f"ATTENDEE:mailto:a{number}@x.test" for number in range(5_000)], "SUMMARY:Assembly")
    assert (len(found.guests), found.more_guests) == (200, 4_800)
    assert found.summary == "Assembly"


@pytest.mark.parametrize(
    "value",
    [
        "mailto:a@x.test\\nBcc: b@x.test",
        "mailto:a@x.test%0d%0aBcc:b@x.test",
        "mailto:a@x.test?bcc=b@x.test",
        "mailto:a@x.test,b@x.test",
        "mailto:a@x.test b@x.test",
        "mailto:<a@x.test>",
        "mailto:a@x.test\u2028b",
        "mailto:a\x00@x.test",
        "mailto:\u202ea@x.test",
        "https://x.test/a@x.test",
    ],
)
def test_an_address_is_one_address_and_nothing_else(value: str) -> None:
    found = read(f"ORGANIZER;CN=X:{value}", f"ATTENDEE;CN=X:{value}", "ATTENDEE:mailto:c@x.test")
    assert [guest.address for guest in found.guests] == ["c@x.test"]
    assert found.organiser is None
