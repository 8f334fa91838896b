"""When to try again, and when to give up (RFC 5321 section 4.5.4.1). Pure."""

from datetime import datetime, timedelta

_STEPS = (1, 5, 15, 30, 60)  # minutes; the last one repeats
GIVE_UP = timedelta(hours=48)


def next_try(now: datetime, *, attempts: int, since: datetime, asked: float | None = None) -> datetime | None:
    """The time of the next try after so many; None once 48 hours have passed. ``asked`` is the server's own wish."""
    if now - since >= GIVE_UP:
        return None
    minutes = _STEPS[min(max(attempts, 1), len(_STEPS)) - 1]
    return now + max(timedelta(minutes=minutes), timedelta(seconds=min(asked or 0, 86_400)))
