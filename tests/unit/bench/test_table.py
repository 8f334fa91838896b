"""The table deploy/bench prints and the objects it writes."""

import pytest

from tests.bench.registry import Row, Times
from tests.bench.runner import as_object, table


@pytest.mark.parametrize(
    ("value", "target", "better", "holds"),
    [(15, 15, "lower", True), (15.1, 15, "lower", False), (4000, 4000, "higher", True), (3999, 4000, "higher", False)],
)
def test_a_target_holds_up_to_itself(value: float, target: float, better: str, holds: bool) -> None:
    assert Row("x", value, "ms", target, "lower" if better == "lower" else "higher").holds is holds


def test_the_table_has_the_promised_columns() -> None:
    lines = table([Row("list", 12.34, "ms", 15), Row("sync", 4321, "msg/s", 4000, "higher"), Row("size", 3, "MB")])
    heading, *rows = [[cell.strip() for cell in line.split("|")] for line in lines.splitlines()]
    assert heading == ["name", "value", "unit", "target", "holds"]
    assert rows == [
        ["list", "12.3", "ms", "≤ 15", "yes"],
        ["sync", "4,321", "msg/s", "≥ 4,000", "yes"],
        ["size", "3", "MB", "–", "–"],
    ]


def test_json_keeps_full_figures() -> None:
    expected = {"name": "list", "value": 16.125, "unit": "ms", "target": 15, "holds": False}
    assert as_object(Row("list", 16.125, "ms", 15)) == expected


def test_percentiles_come_from_the_times_themselves() -> None:
    times = Times(tuple(n / 100 for n in range(1, 101)))
    assert times.p50 == pytest.approx(0.505)
    assert times.p95 == pytest.approx(0.95)
