"""Invitations as calendars send them by mail (RFC 5545, 5546, 6047): read as plain text, and answered. Pure.

Total: anything gives an invitation or None. Bounded: of a large calendar only the beginning is read, and a rule for
repeating is named, never followed (criterion S06).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import quote, unquote

from webmail.mime.build import MachinePart
from webmail.mime.calendar_zones import Zones
from webmail.mime.contentlines import LARGEST, Line, content_lines, escaped, folded, plain

__all__ = ["LARGEST", "Guest", "Invitation", "Moment", "answer", "read_invitation"]
MOST_GUESTS = 200
MOST_EVENTS = 500
_LONGEST_ID = 900
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)")
_DURATION: Final = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:\d{1,5}S)?)?")
_ADDRESS: Final = re.compile(r"[^\s@,:;<>\"()\\\ufffd]{1,200}@[^\s@,:;<>\"()\\?/&=%\ufffd]{1,250}")
_WORD: Final = re.compile(r"[A-Z-]{1,20}")


@dataclass(frozen=True, slots=True)
class Guest:
    """``status`` is a PARTSTAT in upper case."""

    address: str
    name: str = ""
    status: str = "NEEDS-ACTION"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC, a local time of no known zone, or a day, in ISO 8601; ``zone`` is what the sender calls it.

    ``local`` is the time on the sender's clock, "" where that is UTC or a day.
    """

    iso: str
    zone: str = ""
    local: str = ""

    @property
    def is_day(self) -> bool:
        return len(self.iso) == 10


@dataclass(frozen=True, slots=True)
class Invitation:
    """One event; of a calendar with several the first, ``more`` counts the others.

    ``method`` and ``status`` are in upper case; ``method`` is "" where nothing is to be scheduled, and ``contradicts``
    says that this is because Content-Type and calendar name different ones (RFC 5545 section 3.7.2, RFC 6047 section
    2.4). ``stamp`` is when it was written, as in "20261124T090000Z". ``repeats`` is the FREQ of its rule, "" when it
    happens once. ``recurrence_id`` is a value in UTC or a date, of an invitation to one of several occasions.
    ``more_guests`` counts those that are not kept.
    """

    method: str
    uid: str
    summary: str = ""
    location: str = ""
    status: str = ""
    sequence: int = 0
    starts: Moment | None = None
    ends: Moment | None = None
    repeats: str = ""
    recurrence_id: str = ""
    organiser: Guest | None = None
    guests: tuple[Guest, ...] = ()
    more: int = 0
    contradicts: bool = False
    stamp: str = ""
    more_guests: int = 0


@dataclass(slots=True)
class _Event:
    lines: dict[str, Line] = field(default_factory=dict)
    guests: list[Guest] = field(default_factory=list)
    more_guests: int = 0


def read_invitation(octets: bytes, *, charset: str = "utf-8", method: str = "") -> Invitation | None:
    """The invitation in a calendar part's decoded content; ``method`` is what Content-Type says. Never raises."""
    try:
        return _read(content_lines(octets, charset), method)
    except Exception:  # totality (S50): a defect here must cost the card, not the message
        return None


def _read(lines: Iterable[Line], method: str) -> Invitation | None:
    event, more, zones = None, 0, Zones()
    said: set[str] = set()
    inside: list[str] = []
    zone, rule = "", defaultdict[str, str](str)
    for line in lines:
        if line.name == "BEGIN":
            inside.append(line.value.strip().upper()[:20])
            rule.clear()
            if inside[-1] == "VEVENT" and len(inside) <= 2:
                more += event is not None
                event = event or _Event()
            if more >= MOST_EVENTS or len(inside) > 50:
                break
        elif line.name == "END":
            if inside[-1:] in (["STANDARD"], ["DAYLIGHT"]):
                zones.add(zone, rule["DTSTART"], rule["TZOFFSETTO"], rule["RRULE"])
            del inside[-1:]
        elif inside[-1:] == ["VCALENDAR"] and line.name == "METHOD":
            said.add(_word(line.value))
        elif inside[-1:] == ["VTIMEZONE"] and line.name == "TZID":
            zone = line.value
        elif inside[-1:] in (["STANDARD"], ["DAYLIGHT"]):
            rule[line.name] = line.value
        elif inside[-1:] == ["VEVENT"] and event is not None and not more:
            _take(event, line)
    if event is None:
        return None
    agreed, contradicts = _agreed(_word(method), said)
    return _invitation(event, agreed, contradicts, more, zones)


def _agreed(parameter: str, said: set[str]) -> tuple[str, bool]:
    """The method, and whether the two places name different ones. What the calendar itself does not say is never
    assumed; a file that was attached may lack the parameter.
    """
    if len(said | ({parameter} if parameter and said else set())) > 1:
        return "", True
    return next(iter(said), ""), False


def _take(event: _Event, line: Line) -> None:
    if line.name == "ATTENDEE":
        guest = _guest(line)
        if guest is not None and len(event.guests) < MOST_GUESTS:
            event.guests.append(guest)
        elif guest is not None:
            event.more_guests += 1
    else:
        event.lines.setdefault(line.name, line)


def _invitation(event: _Event, method: str, contradicts: bool, more: int, zones: Zones) -> Invitation | None:
    lines = event.lines
    blank = Line("", "")
    uid = lines.get("UID", blank).value.strip()
    starts = _moment(lines.get("DTSTART"), zones)
    if not uid or len(uid) > _LONGEST_ID or not uid.isprintable():
        return None
    sequence = lines.get("SEQUENCE", blank).value.strip()
    organiser = lines.get("ORGANIZER")
    repeats = re.search(r"FREQ=([A-Z]{1,12})", lines.get("RRULE", blank).value.upper()[:200])
    again = _moment(lines.get("RECURRENCE-ID"), zones)
    stamp = _moment(lines.get("DTSTAMP"), zones)
    written = _compact(stamp) if stamp else ""
    return Invitation(
        method=method,
        uid=uid,
        summary=plain(lines.get("SUMMARY", blank).value, longest=300),
        location=plain(lines.get("LOCATION", blank).value, longest=300),
        status=_word(lines.get("STATUS", blank).value),
        sequence=int(sequence) if sequence.isascii() and sequence.isdecimal() and len(sequence) < 9 else 0,
        starts=starts,
        ends=_end(lines, starts, zones),
        repeats=repeats[1] if repeats else "",
        recurrence_id=_compact(again) if again else "",
        organiser=_guest(organiser) if organiser else None,
        guests=tuple(event.guests),
        more=more,
        contradicts=contradicts,
        stamp=written if written.endswith("Z") else "",
        more_guests=event.more_guests,
    )


def _word(value: str) -> str:
    word = value.strip().upper()[:20]
    return word if _WORD.fullmatch(word) else ""


def _guest(line: Line) -> Guest | None:
    """RFC 6068: percent signs are undone before it is judged, so that nothing hides behind them."""
    value = line.value.strip()
    address = unquote(value[7:]) if value[:7].lower() == "mailto:" else ""
    if not _ADDRESS.fullmatch(address) or not address.isprintable():
        return None
    name = plain(line.parameters.get("CN", ""), longest=120)
    return Guest(address, name, _word(line.parameters.get("PARTSTAT", "")) or "NEEDS-ACTION")


# --- times -----------------------------------------------------------------------------------------------------------


def _moment(line: Line | None, zones: Zones) -> Moment | None:
    """None for what is no time, or none that this calendar counts."""
    if line is None:
        return None
    try:
        value = line.value.strip()
        if day := _DATE.fullmatch(value):
            return Moment(date(int(day[1]), int(day[2]), int(day[3])).isoformat())
        found = _TIME.fullmatch(value)
        if found is None:
            return None
        year, month, number, hour, minute, second = (int(part) for part in found.groups()[:6])
        local = datetime.combine(date(year, month, number), time(hour, minute, min(second, 59)))
        if found[7]:
            return Moment(local.replace(tzinfo=UTC).isoformat())
        zone = line.parameters.get("TZID", "")[:80]
        moment = zones.moment(local, zone) if zone else None
        shown = plain(zone, longest=60)
        if moment is None:
            return Moment(local.isoformat(), shown, local.isoformat())
        return Moment(moment.astimezone(UTC).isoformat(), shown, local.isoformat())
    except (ValueError, OverflowError):
        return None


def _end(lines: dict[str, Line], starts: Moment | None, zones: Zones) -> Moment | None:
    """The end; of whole days the last of them, since DTEND is the day after (section 3.6.1)."""
    if "DTEND" in lines:
        end = _moment(lines["DTEND"], zones)
        return _shifted(end, timedelta(days=-1)) if end is not None and end.is_day else end
    found = _DURATION.fullmatch(lines["DURATION"].value.strip()) if "DURATION" in lines else None
    if found is None or starts is None:
        return None
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    gap = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    return _shifted(starts, gap - timedelta(days=1) if starts.is_day else gap)


def _shifted(moment: Moment, by: timedelta) -> Moment | None:
    try:
        if moment.is_day:
            return Moment((date.fromisoformat(moment.iso) + by).isoformat())
        local = (datetime.fromisoformat(moment.local) + by).isoformat() if moment.local else ""
        return replace(moment, iso=(datetime.fromisoformat(moment.iso) + by).isoformat(), local=local)
    except OverflowError:
        return None


def _compact(moment: Moment) -> str:
    """As a value of a property: 20261128, 20261128T090000Z, or without Z where the zone is not known."""
    if moment.is_day:
        return moment.iso.replace("-", "")
    at = datetime.fromisoformat(moment.iso)
    return f"{at.year:04}{at:%m%dT%H%M%S}" + ("Z" if at.tzinfo else "")


# --- answering -------------------------------------------------------------------------------------------------------


def answer(
    *,
    uid: str,
    sequence: int,
    recurrence_id: str,
    organiser: str,
    attendee: Guest,
    summary: str,
    comment: str,
    at: datetime,
) -> MachinePart:
    """A REPLY in the attendee's name (RFC 5546 section 3.2.3); ``uid`` as it came, ``at`` aware."""
    who = f"ATTENDEE;PARTSTAT={attendee.status}"
    if attendee.name:
        who += ';CN="' + re.sub(r"[\x00-\x1f\x7f\"]", " ", attendee.name) + '"'
    kind = ";VALUE=DATE" if len(recurrence_id) == 8 else ""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Mailroom//Mailroom//EN",
        "METHOD:REPLY",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"SEQUENCE:{sequence}",
        *([f"RECURRENCE-ID{kind}:{recurrence_id}"] if recurrence_id else []),
        f"ORGANIZER:{_mailto(organiser)}",
        f"{who}:{_mailto(attendee.address)}",
        *([f"SUMMARY:{escaped(summary)}"] if summary else []),
        *([f"COMMENT:{escaped(comment)}"] if comment else []),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return MachinePart(
        multipart="alternative",
        media_type="text/calendar",
        text="\n".join(folded(line) for line in lines),
        parameters=(" charset=utf-8", " method=REPLY"),
    )


def _mailto(address: str) -> str:
    """RFC 6068: what would begin a header field stays part of the address."""
    return "mailto:" + quote(address, safe="@!$'*+-./=^_`{|}~")
