"""Times offered beside Send, from the reader's own clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from webmail.queries.sending_times import sending_times

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "offered"),
    [
        ("2026-12-02T09:00", ["2026-12-02T18:00", "2026-12-03T08:00", "2026-12-03T13:00", "2026-12-07T08:00"]),
        ("2026-12-02T17:00", ["2026-12-03T08:00", "2026-12-03T13:00", "2026-12-07T08:00"]),
        ("2026-12-06T23:30", ["2026-12-07T08:00", "2026-12-07T13:00"]),  # Sunday: tomorrow is Monday
        ("2026-12-07T00:10", ["2026-12-07T18:00", "2026-12-08T08:00", "2026-12-08T13:00", "2026-12-14T08:00"]),
        ("2027-03-27T20:00", ["2027-03-28T08:00", "2027-03-28T13:00", "2027-03-29T08:00"]),  # the clocks change
    ],
)
def test_only_times_to_come_are_offered_soonest_first(now: str, offered: list[str]) -> None:
    local = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    assert [time.value for time in sending_times(local)] == offered
