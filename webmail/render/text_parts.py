"""Where in a plain-text message the signature and the quoted end begin."""

import re
from typing import NamedTuple

MAX_SIGNATURE_LINES = 20
MAX_ATTRIBUTION_LINES = 3

_FORWARD = re.compile(r"(?:-{3,} ?\w[\w ]{2,50}\w ?-{3,}|_{20,})\s*\Z")
_HEADER = re.compile(r"\*?[^\s:*][^:\n*]{0,20}:\*? ?\S")
_DATED = re.compile(r"\d|@")


class Parts(NamedTuple):
    """Line numbers: own words up to ``signature``, then the signature up to ``tail``, quoted lines up to ``end``, and
    after them a signature again. A part that is not there is empty."""

    signature: int
    tail: int
    end: int


def find_parts(lines: list[str]) -> Parts:
    """Look from the end of the message; never folds everything away."""
    size = len(lines)
    closing = _signature(lines, 0, size)
    end = size if closing is None or any(line.startswith(">") for line in lines[closing:]) else closing
    tail = _tail(lines, end)
    if tail is None or not any(line.strip() for line in lines[:tail]):
        start = size if closing is None else closing
        return Parts(start, size, size) if any(line.strip() for line in lines[:start]) else Parts(size, size, size)
    signature = _signature(lines, 0, tail)
    return Parts(tail if signature is None or signature == 0 else signature, tail, end)


def _signature(lines: list[str], start: int, end: int) -> int | None:
    """The ``-- `` line that begins a short signature ending at ``end`` (RFC 3676, 4.3)."""
    for number in range(end - 1, max(start, end - MAX_SIGNATURE_LINES) - 1, -1):
        if lines[number].rstrip("\r\n") in ("-- ", "--"):
            return number
    return None


def _tail(lines: list[str], end: int) -> int | None:
    for number, line in enumerate(lines[:end]):
        if line[:1] in "-_" and line and _FORWARD.match(line) and _headers_follow(lines[number + 1 : number + 4]):
            return number
    number = end
    while number and (not lines[number - 1].strip() or lines[number - 1].startswith(">")):
        number -= 1
    if not any(line.startswith(">") for line in lines[number:end]):
        return None
    return _attribution(lines, number)


def _headers_follow(lines: list[str]) -> bool:
    following = [line for line in lines if line.strip()]
    return bool(following) and _HEADER.match(following[0]) is not None


def _attribution(lines: list[str], number: int) -> int:
    """Where "On Monday, Ann wrote:" begins when it stands right above the quote, else ``number``."""
    last = number - 1
    if last < 0 or not lines[last].rstrip().endswith((":", "：")):
        return number
    first = last
    while first > 0 and last - first + 1 < MAX_ATTRIBUTION_LINES and lines[first - 1].strip():
        first -= 1
    block = "".join(lines[first:number])
    if first > 0 and lines[first - 1].strip():  # a paragraph that merely ends in a colon
        first = last
        block = lines[last]
    return first if _DATED.search(block) else number
