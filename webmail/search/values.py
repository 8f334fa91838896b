"""Dates and sizes as people type them after an operator. Each reader gives None for what it does not understand."""

import re
from calendar import monthrange
from datetime import date, timedelta

_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))?\s*(?:([kmg])i?b?|b|bytes)?", re.IGNORECASE | re.ASCII)
_AGO = re.compile(r"(\d{1,5})\s*([dwmy])", re.IGNORECASE | re.ASCII)
_NUMBERS = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?", re.ASCII)
_MONTH = re.compile(r"(?:(\d{1,2})[-. ]?)?([a-z]{3,9})(?:[-. ]?(\d{4}))?", re.IGNORECASE | re.ASCII)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july",
    "august", "september", "october", "november", "december",
)  # fmt: skip
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DAYS = {"d": 1, "w": 7}


def read_size(text: str) -> int | None:
    """Octets of ``5M``, ``1.5 MB``, ``300k`` or a plain number; a kilobyte is 1,024 octets."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    unit = _UNITS.get((match[3] or "").lower(), 1)
    return min(int(float(f"{match[1]}.{match[2] or 0}") * unit), 1 << 62)


def read_dates(text: str, *, today: date) -> tuple[date, date] | None:
    """The first day that ``text`` means and the day after its last: a day, a month or a year.

    ``2024-05-07``, ``2024-05``, ``2024``, ``7d`` ``2w`` ``3m`` ``1y`` (that long ago), ``today``, ``yesterday``,
    ``may``, ``may 2024``, ``7 may 2024``. A month without a year is the latest one that has begun.
    """
    text = text.strip().lower()
    try:
        return _relative(text, today) or _numeric(text) or _named(text, today)
    except (ValueError, OverflowError):
        return None


def _day(day: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)


def _month(year: int, month: int) -> tuple[date, date]:
    first = date(year, month, 1)
    return first, first + timedelta(days=monthrange(year, month)[1])


def _relative(text: str, today: date) -> tuple[date, date] | None:
    if text in ("today", "yesterday"):
        return _day(today - timedelta(days=text == "yesterday"))
    match = _AGO.fullmatch(text)
    if match is None:
        return None
    count, unit = int(match[1]), match[2].lower()
    if unit in _DAYS:
        return _day(today - timedelta(days=count * _DAYS[unit]))
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    return _day(date(year, month + 1, min(today.day, monthrange(year, month + 1)[1])))


def _numeric(text: str) -> tuple[date, date] | None:
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return None
    year = int(match[1])
    if match[3]:
        return _day(date(year, int(match[2]), int(match[3])))
    return _month(year, int(match[2])) if match[2] else (date(year, 1, 1), date(year + 1, 1, 1))


def _named(text: str, today: date) -> tuple[date, date] | None:
    match = _MONTH.fullmatch(text)
    month = next((n for n, name in enumerate(_MONTHS, 1) if match and name.startswith(match[2])), 0)
    if match is None or not month:
        return None
    year = int(match[3]) if match[3] else today.year - (month > today.month)
    return _day(date(year, month, int(match[1]))) if match[1] else _month(year, month)
