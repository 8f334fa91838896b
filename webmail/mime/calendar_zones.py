"""Which moment a local time of a calendar means: known zones by name, others by the rules the calendar brings
(RFC 5545 section 3.6.5). Pure and bounded: rules that recur yearly on a weekday are read, and nothing is enumerated.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

MOST_ZONES = 20
MOST_RULES = 20
_NAME: Final = re.compile(r"[A-Za-z_]{1,30}(?:/[A-Za-z0-9_+-]{1,30}){1,2}|UTC|GMT")
_OFFSET: Final = re.compile(r"([+-])(\d\d)(\d\d)(?:\d\d)?")
_BY_DAY: Final = re.compile(r"(-1|[1-4])(MO|TU|WE|TH|FR|SA|SU)")
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Rule:
    """When one offset begins, each year; ``month`` 0 for one that always holds."""

    offset: timedelta
    month: int = 0
    nth: int = 1
    weekday: int = 0
    at: timedelta = timedelta()

    def onset(self, year: int) -> datetime:
        """Local time of the old offset."""
        if self.nth < 0:
            last = date(year + self.month // 12, self.month % 12 + 1, 1) - timedelta(days=1)
            day = last - timedelta(days=(last.weekday() - self.weekday) % 7)
        else:
            first = date(year, self.month, 1)
            day = first + timedelta(days=(self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))
        return datetime.combine(day, time()) + self.at


@dataclass(slots=True)
class Zones:
    """The VTIMEZONEs of one calendar, by TZID."""

    rules: dict[str, list[Rule]] = field(default_factory=dict)

    def add(self, name: str, begins: str, offset: str, recurs: str) -> None:
        """One STANDARD or DAYLIGHT: its DTSTART, TZOFFSETTO and RRULE as they stand."""
        rule = _rule(begins, offset, recurs)
        if rule is not None and (name in self.rules or len(self.rules) < MOST_ZONES):
            rules = self.rules.setdefault(name, [])
            if len(rules) < MOST_RULES:
                rules.append(rule)

    def moment(self, local: datetime, name: str) -> datetime | None:
        """The aware moment; None where the zone is not known. Never raises."""
        known = _by_name(name)
        if known is not None:
            return local.replace(tzinfo=known)
        rules = self.rules.get(name, [])
        if not rules:
            return None
        try:
            return local.replace(tzinfo=timezone(_offset_at(rules, local)))
        except (ValueError, OverflowError):
            return None


def _by_name(name: str) -> tzinfo | None:
    """By the name of the tz database, also where a program put its own name before it."""
    name = name.strip()
    tail = "/".join(name.strip("/").split("/")[-2:])
    for candidate in (name, tail):
        if _NAME.fullmatch(candidate):
            try:
                return UTC if candidate in ("UTC", "GMT") else ZoneInfo(candidate)
            except (ValueError, OSError, LookupError):
                continue
    return None


def _rule(begins: str, offset: str, recurs: str) -> Rule | None:
    found = _OFFSET.fullmatch(offset.strip())
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    gap = timedelta(minutes=-minutes if found[1] == "-" else minutes)
    parts: Mapping[str, str] = dict(part.split("=", 1) for part in recurs.upper()[:200].split(";") if "=" in part)
    day = _BY_DAY.fullmatch(parts.get("BYDAY", ""))
    month = parts.get("BYMONTH", "")
    if day is None or not (month.isdecimal() and month.isascii() and len(month) < 3 and 1 <= int(month) <= 12):
        return Rule(gap)
    clock = re.fullmatch(r"\d{8}T(\d\d)(\d\d)\d\d", begins.strip())
    at = timedelta(hours=int(clock[1]), minutes=int(clock[2])) if clock else timedelta()
    return Rule(gap, int(month), int(day[1]), _DAYS.index(day[2]), at)


def _offset_at(rules: list[Rule], local: datetime) -> timedelta:
    """That of the rule which began last; what never recurs holds when nothing else does."""
    yearly = [rule for rule in rules if rule.month]
    if not yearly or not 2 <= local.year <= 9998:
        return rules[-1].offset
    begun = [(rule.onset(year), rule.offset) for rule in yearly for year in (local.year - 1, local.year)]
    return max(one for one in begun if one[0] <= local)[1]
