"""When things happened in the demo, counted back from now."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

ZONE = timezone(timedelta(hours=1))
PLACEHOLDER = re.compile(r"\{(day|month|year)([+-]\d+)?\}")
SHOWN_NOW = timedelta(hours=14, minutes=5)  # what the texts take for the present hour of day 0


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns days before today and an hour into a date; `now` is aware."""

    now: datetime

    def at(self, days: int, hour: str) -> datetime:
        """`(1, "16:27")` is yesterday at 16:27; on day 0 the distance to 14:05 counts, so nothing lies ahead of now."""
        found = re.fullmatch(r"(\d\d):(\d\d)", hour)
        if found is None:
            raise ValueError(f"not an hour: {hour}")
        time = timedelta(hours=int(found[1]), minutes=int(found[2]))
        local = self.now.astimezone(ZONE).replace(microsecond=0)
        if days == 0:
            return local - (SHOWN_NOW - time)
        return local.replace(hour=0, minute=0, second=0) - timedelta(days=days) + time

    def fill(self, text: str) -> str:
        """`{day+11}` becomes such as 4 December, `{month-30}` October, `{year}` 2026; numbers are days from today."""

        def word(found: re.Match[str]) -> str:
            moment = self.now.astimezone(ZONE) + timedelta(days=int(found[2] or 0))
            return {"day": f"{moment.day} {moment:%B}", "month": f"{moment:%B}", "year": f"{moment:%Y}"}[found[1]]

        return PLACEHOLDER.sub(word, text)
