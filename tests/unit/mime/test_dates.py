from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.dates import parse_date


def moment(*fields: int, hours: float = 0) -> datetime:
    return datetime(*fields, tzinfo=timezone(timedelta(hours=hours)))  # type: ignore[arg-type,misc]  # star arguments


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tue, 05 Mar 2024 10:20:30 +0100", moment(2024, 3, 5, 10, 20, 30, hours=1)),
        ("5 mar 2024 10:20 -0530", moment(2024, 3, 5, 10, 20, hours=-5.5)),
        ("Tue, 5 Mar 2024 10:20:60 +0000 (UTC)", moment(2024, 3, 5, 10, 20, 59)),
        ("Tue, 5 Mar 2024 10:20:30 -0000", moment(2024, 3, 5, 10, 20, 30)),
        ("Tue, 5 Mar 2024 10:20:30 EST", moment(2024, 3, 5, 10, 20, 30, hours=-5)),
        ("Tue, 5 Mar 2024 10:20:30 GMT", moment(2024, 3, 5, 10, 20, 30)),
        ("Tuesday, 05-Mar-24 10:20:30 GMT", moment(2024, 3, 5, 10, 20, 30)),
        ("Tue, 5 Mar 2024 10:20:30", moment(2024, 3, 5, 10, 20, 30)),
        ("Tue, 5 Mar 2024 10:20:30 +9999", moment(2024, 3, 5, 10, 20, 30)),
        ("Tue Mar  5 10:20:30 2024", moment(2024, 3, 5, 10, 20, 30)),
    ],
)
def test_dates_as_written(value: str, expected: datetime) -> None:
    found = parse_date(value)
    assert found == expected
    assert found is not None
    assert found.tzinfo is not None


@pytest.mark.parametrize(
    "value", ["", "yesterday", "32 Mar 2024 10:20 +0000", "5 Mar 0001 00:00 +1400", "5 Mar 2024 25:61"]
)
def test_no_date_is_none(value: str) -> None:
    assert parse_date(value) is None


@given(st.text(alphabet="0123456789 :,+-MarTueGMT()", max_size=60))
def test_any_text_is_taken(value: str) -> None:
    found = parse_date(value)
    assert found is None or found.astimezone(timezone.utc)  # noqa: UP017  # the alias reads worse beside timezone()
