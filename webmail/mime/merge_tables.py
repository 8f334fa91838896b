"""Tables of people to write to, one message for each row (RFC 4180 as programs write it). Pure.

What a cell holds stays what it is: it is put into a text or named as an address by whoever uses it.
"""

import csv
import io
from dataclasses import dataclass
from typing import Final

from webmail.mime.addresses import parse_addresses
from webmail.mime.charset import decode_text, is_utf8
from webmail.mime.text import safe_line

LARGEST_FILE: Final = 2 * 2**20
MOST_ROWS: Final = 1_000
MOST_COLUMNS: Final = 50
_LONGEST_CELL = 2_000
_LONGEST_TITLE = 60
_MARKS = ",;\t"


class NoTable(ValueError):
    """There is no line of titles with rows below it that name somebody."""


class TooManyRows(ValueError):
    """More rows than one table may have."""


@dataclass(frozen=True, slots=True)
class MergeTable:
    """Titles, and rows of as many cells; `address_column` is where most cells are addresses."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    address_column: int


def read_merge_table(octets: bytes) -> MergeTable:
    """The table in a file with a line of titles; empty rows are left out. Raises NoTable, TooManyRows."""
    text = (
        decode_text(octets, "utf-8" if is_utf8(octets) else "cp1252")
        .removeprefix("\ufeff")
        .replace("\0", "")
        .replace("\r\n", "\n")
    )
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(_MARKS, key=first.count))
    try:
        columns = _titles(next(lines, []))
        rows: list[tuple[str, ...]] = []
        for line in lines:
            cells = [cell.strip()[:_LONGEST_CELL] for cell in line[: len(columns)]]
            if not any(cells):
                continue
            if len(rows) >= MOST_ROWS:
                raise TooManyRows
            rows.append((*cells, *[""] * (len(columns) - len(cells))))
    except csv.Error:
        raise NoTable from None
    if not columns or not rows:
        raise NoTable
    return MergeTable(columns, tuple(rows), _address_column(rows))


def only_address(cell: str) -> str:
    """The one address that a cell holds, with the name before it as it stands; "" for none or several."""
    found = parse_addresses(safe_line(cell))
    if len(found) != 1 or "\n" in cell or "\r" in cell:
        return ""
    local, at, domain = found[0].addr_spec.rpartition("@")
    return safe_line(cell) if local and at and "." in domain.strip(".") else ""


def _titles(line: list[str]) -> tuple[str, ...]:
    """Each once and never empty, so that a name in a text means one column."""
    known: dict[str, None] = {}
    for number, cell in enumerate(line[:MOST_COLUMNS], 1):
        title = " ".join(safe_line(cell).split())[:_LONGEST_TITLE] or f"Column {number}"
        while title.lower() in {one.lower() for one in known}:
            title = f"{title[: _LONGEST_TITLE - 4]} {number}"
        known[title] = None
    return tuple(known)


def _address_column(rows: list[tuple[str, ...]]) -> int:
    some = rows[:50]
    return max(range(len(rows[0])), key=lambda column: sum(bool(only_address(row[column])) for row in some))
