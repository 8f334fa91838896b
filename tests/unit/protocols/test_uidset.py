"""Sets of UIDs against Python's own sets, and against servers without measure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.protocols.uidset import MAX_UID, UidSet

UIDS = st.sets(st.integers(1, 60))


@given(UIDS, UIDS)
def test_it_agrees_with_sets(one: set[int], other: set[int]) -> None:
    a, b = UidSet.collect(one), UidSet.collect(other)
    assert (set(a), set(a | b), set(a & b), set(a - b)) == (one, one | other, one & other, one - other)
    assert (len(a), bool(a), a == b) == (len(one), bool(one), one == other)
    assert all((uid in a) == (uid in one) for uid in range(62))
    assert list(a) == sorted(one)
    assert UidSet.parse(a.to_wire()) == a
    assert hash(UidSet.collect(list(one))) == hash(a)


@given(UIDS, st.integers(21, 40), st.integers(1, 9))
def test_chunks_are_the_set_in_small(uids: set[int], max_bytes: int, max_uids: int) -> None:
    pieces = list(UidSet.collect(uids).chunks(max_bytes=max_bytes, max_uids=max_uids))
    assert [uid for piece in pieces for uid in piece] == sorted(uids)
    assert all(0 < len(piece) <= max_uids and len(piece.to_wire()) <= max_bytes for piece in pieces)


def test_a_huge_range_is_never_expanded() -> None:
    everything = UidSet.parse(b"1:4000000000")
    assert len(everything) == 4_000_000_000
    assert next(iter(everything)) == 1
    assert list((everything - UidSet.span(3, MAX_UID)) | UidSet.of(9)) == [1, 2, 9]
    assert [len(piece) for piece in everything.chunks(max_bytes=100)] == [4_000_000_000]


def test_ranges_come_in_any_order_and_overlap() -> None:
    assert str(UidSet.parse(b"9:7,3,4:5,8:12")) == "3:5,7:12"
    assert (UidSet.parse(b"9:7,3").lowest, UidSet.parse(b"9:7,3").highest) == (3, 9)
    assert UidSet.parse(b"") == UidSet() == UidSet.span(2, 1)


@pytest.mark.parametrize(
    "raw", [b",", b"1,", b",1", b"*", b"1:*", b"0", b"0:3", b"1,,2", b"a", b"1:", b" 1", b"4294967296"]
)
def test_what_is_no_set(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"number|1\.\.4294967295"):
        UidSet.parse(raw)


def test_a_flood_of_ranges_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        UidSet((uid, uid) for uid in range(1, 10**7, 2))


def test_the_empty_set_has_no_ends() -> None:
    with pytest.raises(ValueError, match="empty"):
        _ = UidSet().highest
