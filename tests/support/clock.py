"""A clock for the sync that moves only when told, or when the sync rests."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone


class Clock:
    """`rests` are the pauses the sync took, in seconds; each moved the clock. Postgres keeps its own time."""

    def __init__(self) -> None:
        self._now = timezone.now()
        self._ticks = time.monotonic()
        self.rests: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._ticks

    def advance(self, **step: float) -> None:
        """Move on by so many `seconds`, `minutes`, `hours` or `days`."""
        span = timedelta(**step)
        self._now += span
        self._ticks += span.total_seconds()

    def rest(self, seconds: float) -> None:
        """What the sync calls instead of sleeping."""
        self.rests.append(seconds)
        self.advance(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Django's `timezone.now` and the clock and pauses of every pass are this one's."""
    from webmail.sync import account
    from webmail.sync.run import Run

    made = Clock()
    monkeypatch.setattr(timezone, "now", made.now)

    def run(*, slice_ends: float, **fields: Any) -> Run:
        ahead = made.monotonic() - time.monotonic()
        return Run(slice_ends=slice_ends + ahead, pause=made.rest, clock=made.monotonic, **fields)

    monkeypatch.setattr(account, "Run", run)
    return made
