"""Date-times of RFC 5322 section 3.3, with the obsolete forms, to aware datetimes. Never raises."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache
from typing import Final

_DATE: Final = re.compile(
    r"\s{0,9}(?:[A-Za-z]{2,9}\s{0,3},?\s{0,9})?(\d{1,2})[\s-]{1,9}([A-Za-z]{3})[a-z]{0,6}\.?,?[\s-]{1,9}(\d{4})"
    r"\s{1,9}(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d{1,9})?\s{0,9}(?:([+-])(\d{2}):?(\d{2}))?"
)
_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES.split(), start=1)}
_ZONES_NAMED: Final = re.compile(r"[A-Za-z]")
_YEARS: Final = range(1900, 2999)  # beyond, a conversion between zones could leave datetime's or Postgres' range


@lru_cache(maxsize=256)
def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes)) if minutes else UTC


def parse_date(value: str) -> datetime | None:
    """The moment a Date field names, with its own offset; `-0000` and no zone mean UTC. None when it names none."""
    try:
        found = _DATE.match(value)
        month = _MONTHS.get(found[2].lower()) if found else None
        if found is None or month is None or (found[7] is None and _ZONES_NAMED.search(value, found.end())):
            return _parse_odd_date(value)
        day, _, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
        offset = 0
        if sign:
            offset = int(zone_hours) * 60 + int(zone_minutes)
            if offset >= 24 * 60:
                offset = 0
            elif sign == "-":
                offset = -offset
        return _moment(int(year), month, int(day), int(hour), int(minute), min(int(second or 0), 59), offset)
    except (ValueError, OverflowError):
        return None


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int, offset: int) -> datetime | None:
    if year not in _YEARS:
        return None
    return datetime(year, month, day, hour, minute, second, tzinfo=_zone(offset))


def _parse_odd_date(value: str) -> datetime | None:
    """Two-digit years, zone names, missing fields: the standard library knows these; its failures mean "no date"."""
    try:
        fields = parsedate_tz(value[:200])
        if fields is None:
            return None
        year, month, day, hour, minute, second = fields[:6]
        offset = (fields[9] or 0) // 60
        return _moment(year, month, day, hour, minute, min(second, 59), offset if abs(offset) < 24 * 60 else 0)
    except Exception:  # parsedate_tz has raised IndexError, TypeError and ValueError over the years
        return None
