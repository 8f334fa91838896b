from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webmail.sync.conversations import LARGEST, group


def test_a_reply_joins_what_it_refers_to() -> None:
    found = group([["a"], ["b", "a"], ["c"]], {}, {})
    assert found.nodes == [-1, -1, -3]
    assert found.refs == {"a": -1, "b": -1, "c": -3}


def test_a_reply_before_its_original_waits_for_it() -> None:
    assert group([["b", "a"], ["a"]], {}, {}).nodes == [-1, -1]


def test_a_message_between_two_conversations_joins_the_smaller_to_the_larger() -> None:
    found = group([["x", "a", "b"]], {"a": 10, "b": 20}, {10: 2, 20: 5})
    assert found.nodes == [20]
    assert found.merges == {10: 20}
    assert found.refs == {"x": 20}


def test_known_conversations_win_over_new_ones() -> None:
    found = group([["p"], ["q", "p"], ["r", "q", "k"]], {"k": 7}, {7: 1})
    assert found.nodes == [7, 7, 7]
    assert found.merges == {}


def test_a_full_conversation_takes_no_more() -> None:
    found = group([["x", "a"]], {"a": 10}, {10: LARGEST})
    assert found.nodes == [-1]
    assert found.refs == {"x": -1}


def test_two_large_conversations_stay_apart() -> None:
    found = group([["x", "a", "b"]], {"a": 10, "b": 20}, {10: 600, 20: 700})
    assert found.nodes == [20]
    assert found.merges == {}


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=4), max_size=12))
def test_rows_share_a_conversation_exactly_when_references_connect_them(rows: list[list[int]]) -> None:
    found = group([[str(ref) for ref in row] for row in rows], {}, {})
    parts: list[set[int]] = []
    for row in rows:
        touching = [part for part in parts if part & set(row)]
        parts = [part for part in parts if not part & set(row)] + [set(row).union(*touching)]
    for one, first in zip(rows, found.nodes, strict=True):
        for other, second in zip(rows, found.nodes, strict=True):
            together = any(one[0] in part and other[0] in part for part in parts)
            assert (first == second) is together
