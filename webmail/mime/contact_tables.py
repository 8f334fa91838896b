"""Address books as tables (RFC 4180): read whatever program wrote them, written so that no spreadsheet runs a cell.

A cell that begins like a formula (``= + - @``, tab or CR), or would where a spreadsheet parts cells at semicolons, tabs
or line ends, gets an apostrophe before it, which reading takes off again; a telephone number is none.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final

from webmail.mime.charset import decode_text, is_utf8
from webmail.mime.contact_cards import Card
from webmail.mime.text import safe_line
from webmail.mime.vcards import LARGEST_FILE, MOST_CARDS, Entry

COLUMNS: Final = ("Name", "Organization", "Title", "E-mail 1", "E-mail 2", "E-mail 3", "Phone 1", "Phone 2")
COLUMNS_END: Final = ("Address", "Notes", "Groups")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_WITHIN: Final = re.compile(r"([;\t\r\n])([ \t]*[=+\-@])")  # begins a cell where cells are parted by semicolons
_MARKED: Final = re.compile(r"([;\t\r\n])'([ \t]*[=+\-@])")
_LONGEST = 300
_KINDS: Final = (
    ("mails", re.compile(r"e-?mail(?! ?\d? ?-? ?(?:type|label))", re.IGNORECASE)),
    ("numbers", re.compile(r"phone|mobile|\btel", re.IGNORECASE)),
    (
        "organisation",
        re.compile(r"organi[sz]ation(?! ?\d? ?-? ?(?:title|department))|company", re.IGNORECASE),
    ),
    ("role", re.compile(r"title|\brole|position", re.IGNORECASE)),
    ("given", re.compile(r"(?:first|given) ?name", re.IGNORECASE)),
    ("family", re.compile(r"(?:last|family|sur) ?name", re.IGNORECASE)),
    ("name", re.compile(r"^(?:display |full |file as|nick)? ?name$|^file as$", re.IGNORECASE)),
    ("addresses", re.compile(r"^(?:home |work |business )?address(?: ?\d)?(?: - formatted)?$", re.IGNORECASE)),
)
_NUMBER: Final = re.compile(r"\+\d[\d ]{3,30}")
_NOT_DATA: Final = re.compile(r"type|label|phonetic|yomi", re.IGNORECASE)


class NoTable(ValueError):
    """The file has no column that names people or their addresses."""


def write_table(entries: Iterable[Entry]) -> Iterator[bytes]:
    """UTF-8 with a mark at its beginning, by which Excel knows it; CRLF."""
    yield "\ufeff".encode() + _row((*COLUMNS, *COLUMNS_END))
    for entry in entries:
        mails, numbers = (*entry.mails[:3], "", "", "")[:3], (*entry.numbers[:2], "", "")[:2]
        address, groups = (*entry.addresses, "")[0], ", ".join(entry.groups)
        yield _row((entry.name, entry.organisation, entry.role, *mails, *numbers, address, entry.notes, groups))


def read_table(octets: bytes) -> Iterator[Card]:
    """The people of a table with a line of titles, in the words of Google, Outlook, Thunderbird or ours.

    Raises NoTable, and nothing else; a row that says nothing is left out.
    """
    head = octets[:LARGEST_FILE]
    text = decode_text(head, "utf-8" if is_utf8(head) else "cp1252").removeprefix("\ufeff").replace("\0", "")
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        kinds = [_kind(title) for title in next(rows, [])]
        if not {"mails", "name", "given", "family"} & set(kinds):
            raise NoTable
        for number, row in enumerate(rows):
            if number >= MOST_CARDS:
                return
            card = _card(kinds, row)
            if card.says_something:
                yield card
    except csv.Error:
        raise NoTable from None


def _kind(title: str) -> str:
    if _NOT_DATA.search(title) and not re.search(r"title", title, re.IGNORECASE):
        return ""
    return next((kind for kind, pattern in _KINDS if pattern.search(title.strip())), "")


def _card(kinds: list[str], row: list[str]) -> Card:
    card, words = Card(), {"given": "", "family": ""}
    for kind, cell in zip(kinds, row, strict=False):
        value = " ".join(safe_line(_uncelled(cell)[:_LONGEST]).split())
        if not value or not kind:
            continue
        if kind in words:
            words[kind] = words[kind] or value
        elif kind in ("mails", "numbers", "addresses"):
            for one in value.split(" ::: "):  # how Google writes several
                kept = getattr(card, kind)
                if one not in kept and len(kept) < 10:
                    kept.append(one[:60] if kind == "numbers" else one)
        elif not getattr(card, kind):
            setattr(card, kind, value)
    card.name = card.name or f"{words['given']} {words['family']}".strip()
    return card


def _uncelled(cell: str) -> str:
    whole = cell[1:] if cell[:1] == "'" and cell[1:].lstrip(" ").startswith(_FORMULA) else cell
    return _MARKED.sub(r"\1\2", whole)


def _row(cells: Iterable[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([_celled(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def _celled(cell: str) -> str:
    flat = cell.replace("\0", "")
    if _NUMBER.fullmatch(flat):
        return flat
    within = _WITHIN.sub(r"\1'\2", flat)
    return f"'{within}" if flat.lstrip(" ").startswith(_FORMULA) else within
