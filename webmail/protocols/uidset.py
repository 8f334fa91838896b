"""Sets of UIDs as sorted, disjoint ranges (RFC 9051 section 9, `sequence-set`).

Invariants: a set costs memory by its ranges, never by its members, so `1:4294967295` from a server is as cheap as
`7`; iteration is lazy and ascending; `*` has no place in a set, since its meaning depends on the mailbox.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator

MAX_UID = 0xFFFF_FFFF
MAX_RANGES = 1_000_000
_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?(?:,(?=\d)|\Z)")


def parse_ranges(raw: bytes) -> Iterator[tuple[int, int]]:
    """The ranges of a wire set in the order written, each as low, high. Raises ValueError for anything else."""
    end = 0
    for found in _RANGE.finditer(raw):
        if found.start() != end:
            break
        end = found.end()
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        if not (0 < first <= MAX_UID and 0 < last <= MAX_UID):
            raise ValueError("a number outside 1..4294967295")
        yield (first, last) if first <= last else (last, first)
    if end != len(raw) or not raw:
        raise ValueError("not a set of numbers")


def _in_order(ranges: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """The ranges ascending. Packed into machine words meanwhile: a hostile set may hold a million of them."""
    packed = array("Q")
    ascending = True
    for low, high in ranges:
        if not 0 < low <= high <= MAX_UID:
            raise ValueError("UIDs lie in 1..4294967295")
        word = low << 32 | high
        ascending = ascending and (not packed or packed[-1] <= word)
        packed.append(word)
        if len(packed) > MAX_RANGES:
            raise ValueError("too many ranges")
    words: Iterable[int] = packed if ascending else sorted(packed)
    return ((word >> 32, word & MAX_UID) for word in words)


class UidSet:
    """An immutable set of UIDs. Build it with `UidSet.of`, `UidSet.span` or `UidSet.parse`."""

    __slots__ = ("_highs", "_lows")
    _lows: array[int]
    _highs: array[int]

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """From ranges in any order, overlapping or not. Raises ValueError outside 1..4294967295 or above a million."""
        lows, highs = array("I"), array("I")
        for low, high in _in_order(ranges):
            if highs and low <= highs[-1] + 1:
                highs[-1] = max(highs[-1], high)
            else:
                lows.append(low)
                highs.append(high)
        self._lows, self._highs = lows, highs

    @classmethod
    def of(cls, *uids: int) -> UidSet:
        """The set of these UIDs."""
        return cls.collect(uids)

    @classmethod
    def collect(cls, uids: Iterable[int]) -> UidSet:
        """The set of the UIDs of an iterable, in any order."""
        return cls(_runs(sorted(uids)))

    @classmethod
    def span(cls, low: int, high: int) -> UidSet:
        """All UIDs from low to high, both included; empty if high < low."""
        return cls([(low, high)] if low <= high else ())

    @classmethod
    def parse(cls, raw: bytes) -> UidSet:
        """A wire set such as `1:3,7`; empty bytes give the empty set. Raises ValueError."""
        return cls(parse_ranges(raw)) if raw else cls()

    @property
    def ranges(self) -> Iterator[tuple[int, int]]:
        """The ranges, ascending, as (low, high), both included."""
        return zip(self._lows, self._highs, strict=True)

    @property
    def lowest(self) -> int:
        """The smallest UID. Raises ValueError when empty."""
        if not self._lows:
            raise ValueError("an empty set has no lowest UID")
        return self._lows[0]

    @property
    def highest(self) -> int:
        """The largest UID. Raises ValueError when empty."""
        if not self._highs:
            raise ValueError("an empty set has no highest UID")
        return self._highs[-1]

    def __len__(self) -> int:
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    def __bool__(self) -> bool:
        return bool(self._lows)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self._lows, uid) - 1
        return at >= 0 and uid <= self._highs[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UidSet) and self._lows == other._lows and self._highs == other._highs

    def __hash__(self) -> int:
        return hash((self._lows.tobytes(), self._highs.tobytes()))

    def __or__(self, other: UidSet) -> UidSet:
        return UidSet([*self.ranges, *other.ranges])

    def __and__(self, other: UidSet) -> UidSet:
        return self - (self - other)

    def __sub__(self, other: UidSet) -> UidSet:
        return UidSet(_subtract(self.ranges, other.ranges))

    def __repr__(self) -> str:
        text = str(self)
        return f"UidSet({text if len(text) <= 60 else text[:60] + '...'})"

    def __str__(self) -> str:
        return ",".join(_written(low, high) for low, high in self.ranges)

    def to_wire(self) -> bytes:
        """The set as the protocol writes it; empty bytes for the empty set."""
        return str(self).encode()

    def chunks(self, *, max_bytes: int, max_uids: int = MAX_UID) -> Iterator[UidSet]:
        """The set cut so that each piece is written in at most max_bytes (>= 21) and holds at most max_uids."""
        piece: list[tuple[int, int]] = []
        size = count = 0
        for whole_low, high in self.ranges:
            low = whole_low
            while low <= high:
                end = min(high, low + max_uids - count - 1)
                length = len(_written(low, end)) + 1
                if piece and size + length > max_bytes + 1:
                    yield UidSet(piece)
                    piece, size, count = [], 0, 0
                    continue
                piece.append((low, end))
                size, count, low = size + length, count + end - low + 1, end + 1
                if count >= max_uids:
                    yield UidSet(piece)
                    piece, size, count = [], 0, 0
        if piece:
            yield UidSet(piece)


def _written(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}:{high}"


def _runs(ascending: Iterable[int]) -> Iterator[tuple[int, int]]:
    low = high = 0
    for uid in ascending:
        if high and uid <= high + 1:
            high = uid
            continue
        if high:
            yield low, high
        elif uid <= 0:
            raise ValueError("UIDs lie in 1..4294967295")
        low = high = uid
    if high:
        yield low, high


def _subtract(ranges: Iterable[tuple[int, int]], removed: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges minus ranges; both ascending and disjoint."""
    cuts = iter(removed)
    cut = next(cuts, None)
    for whole_low, high in ranges:
        low = whole_low
        while cut is not None and cut[1] < low:
            cut = next(cuts, None)
        while cut is not None and cut[0] <= high:
            if cut[0] > low:
                yield low, cut[0] - 1
            low = cut[1] + 1
            if cut[1] >= high:
                break
            cut = next(cuts, None)
        if low <= high:
            yield low, high
