"""Dates and sizes after an operator."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.search.values import read_dates, read_size

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2024-02-29", date(2024, 2, 29), date(2024, 3, 1)),
        ("2024/2/9", date(2024, 2, 9), date(2024, 2, 10)),
        ("2024-12", date(2024, 12, 1), date(2025, 1, 1)),
        ("2024", date(2024, 1, 1), date(2025, 1, 1)),
        ("today", TODAY, date(2026, 4, 1)),
        ("2w", date(2026, 3, 17), date(2026, 3, 18)),
        ("1m", date(2026, 2, 28), date(2026, 3, 1)),
        ("1y", date(2025, 3, 31), date(2025, 4, 1)),
        ("march", date(2026, 3, 1), date(2026, 4, 1)),
        ("Nov", date(2025, 11, 1), date(2025, 12, 1)),
        ("may 2024", date(2024, 5, 1), date(2024, 6, 1)),
        ("7 may 2024", date(2024, 5, 7), date(2024, 5, 8)),
        ("7may", date(2025, 5, 7), date(2025, 5, 8)),
    ],
)
def test_dates(text: str, first: date, after: date) -> None:
    assert read_dates(text, today=TODAY) == (first, after)


@pytest.mark.parametrize(
    "text", ["", "2024-02-30", "2024-00", "0000", "99999d9", "ma", "maybe", "31 june", "9999", "9999-12-31", "٢٠٢٤"]
)
def test_what_is_no_date(text: str) -> None:
    assert read_dates(text, today=TODAY) is None


@pytest.mark.parametrize(
    ("text", "octets"),
    [("0", 0), ("300", 300), ("10k", 10_240), ("10 KB", 10_240), ("1.5m", 1_572_864), ("2GiB", 2 << 30), ("7b", 7)],
)
def test_sizes(text: str, octets: int) -> None:
    assert read_size(text) == octets


@pytest.mark.parametrize("text", ["", "k", "-1", "1t", "1,5m", "9" * 20, "٣k"])
def test_what_is_no_size(text: str) -> None:
    assert read_size(text) is None


@given(st.text(alphabet="0123456789-/. kmgbdwyan", max_size=14))
def test_any_value_is_read(text: str) -> None:
    dates = read_dates(text, today=TODAY)
    assert dates is None or dates[0] < dates[1]
    octets = read_size(text)
    assert octets is None or 0 <= octets <= 1 << 62
