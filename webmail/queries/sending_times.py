"""Times at which people like their mail to leave, offered beside Send. Pure: from the reader's own clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

MORNING, AFTERNOON, EVENING = 8, 13, 18
_MONDAY = 0


@dataclass(frozen=True, slots=True)
class SendingTime:
    """``value`` is local time without a zone (``2026-12-01T08:00``), as a form of the browser gives it."""

    label: str
    words: str
    value: str


def sending_times(now: datetime) -> tuple[SendingTime, ...]:
    """Three or four times after ``now``, which is in the reader's zone, soonest first."""
    tomorrow = now + timedelta(days=1)
    found = [
        (_("This evening"), _at(now, EVENING)),
        (_("Tomorrow morning"), _at(tomorrow, MORNING)),
        (_("Tomorrow afternoon"), _at(tomorrow, AFTERNOON)),
    ]
    if now.hour >= EVENING - 1:
        del found[0]
    monday = now + timedelta(days=(_MONDAY - now.weekday()) % 7 or 7)
    if monday.date() != tomorrow.date():
        found.append((_("Monday morning"), _at(monday, MORNING)))
    return tuple(SendingTime(label, _words(at), f"{at:%Y-%m-%dT%H:%M}") for label, at in found)


def _at(day: datetime, hour: int) -> datetime:
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def _words(at: datetime) -> str:
    return f"{date_format(at, 'D j M')}, {time_format(at, 'H:i')}"
