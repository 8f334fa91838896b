"""Address books as files: what is written is read back, what other programs write is read, and no cell is a formula."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.contact_cards import Card
from webmail.mime.contact_tables import NoTable, read_table, write_table
from webmail.mime.vcards import Entry, split_cards, write_cards

AMARA = Entry(
    uid="u1",
    name="Amara Ökafor",
    organisation="Pier 4; Studio, Ltd",
    role="Head \\ of print",
    mails=("amara@pier4.example", "a@x.example"),
    numbers=("+47 22 33 44 55",),
    addresses=("Quay 7, Bergen",),
    notes="Line one\nBEGIN:VCARD\nLine two " + "é" * 200,
    groups=("Print", "Harbour"),
)


def cards(*entries: Entry) -> bytes:
    return b"".join(write_cards(entries))


def table(*entries: Entry) -> bytes:
    return b"".join(write_table(entries))


def test_a_card_is_read_back_as_it_was_written() -> None:
    (card,) = split_cards(cards(AMARA))
    assert (card.name, card.organisation, card.role) == (AMARA.name, AMARA.organisation, AMARA.role)
    assert (tuple(card.mails), tuple(card.numbers), tuple(card.addresses)) == (
        AMARA.mails,
        AMARA.numbers,
        AMARA.addresses,
    )


def test_lines_of_a_card_are_short_and_no_value_begins_another() -> None:
    written = cards(AMARA)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert written.count(b"\r\nBEGIN:VCARD") == 0
    assert written.count(b"\n") == written.count(b"\r\n")
    written.decode("utf-8")


@given(st.text(max_size=200), st.text(max_size=100))
def test_any_text_makes_one_card_with_one_end(name: str, notes: str) -> None:
    written = cards(Entry(uid="u", name=name, mails=("a@b.example",), notes=notes))
    lines = [line for line in written.split(b"\r\n") if not line.startswith(b" ")]
    assert (lines.count(b"BEGIN:VCARD"), lines.count(b"END:VCARD")) == (1, 1)
    assert len(list(split_cards(written))) == 1


def test_a_broken_card_costs_no_other() -> None:
    broken = b"BEGIN:VCARD\r\nFN:lost\r\n" + cards(AMARA) + b"BEGIN:VCARD\r\nFN;;;:x\r\nEND:VCARD\r\nEND:VCARD\r\n"
    assert AMARA.name in [card.name for card in split_cards(broken)]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_no_cell_is_a_formula_and_each_is_read_back(cell: str) -> None:
    written = table(Entry(uid="u", name=cell, mails=("a@b.example",), notes=cell)).decode("utf-8-sig")
    (row,) = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert all(
        value[:1] not in ("=", "+", "-", "@", "\t", "\r") and not value.lstrip().startswith("=") for value in row
    )
    (card,) = read_table(written.encode())
    assert card.name == " ".join(cell.split())


@pytest.mark.parametrize("between", [";", "\t", "\n", "; ", "\r\n"])
@pytest.mark.parametrize("formula", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)"])
def test_no_cell_holds_a_formula_for_a_spreadsheet_that_parts_cells_elsewhere(between: str, formula: str) -> None:
    written = table(Entry(uid="u", name=f"Bo{between}{formula}", mails=("a@b.example",), notes=f"x{between}{formula}"))
    for mark in ";", "\t":
        rows = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""), delimiter=mark, quoting=csv.QUOTE_NONE)
        assert not [cell for row in rows for cell in row if cell.strip()[:1] in set("=+-@")]
    (card,) = read_table(written)
    assert card.name == " ".join(f"Bo{between}{formula}".split())


def test_a_telephone_number_keeps_its_plus() -> None:
    assert b",+47 22 33 44 55," in table(AMARA)
    assert b"'+1-2+cmd" in table(Entry(uid="u", name="x", numbers=("+1-2+cmd",)))


GOOGLE = """First Name,Last Name,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Value,Organization Name,Organization Title
Bo,Li,* Work,bo@x.example ::: b@y.example,+1 2,Pier,Editor
"""
OUTLOOK = """First Name;Last Name;Company;Job Title;Business Phone;E-mail Address;E-mail Type
Bo;Li;Pier;Editor;12;bo@x.example;SMTP
"""
THUNDERBIRD = """First Name,Last Name,Display Name,Primary Email,Secondary Email,Mobile Number
Bo,Li,Bo L.,bo@x.example,,9
"""
BO = {"name": "Bo Li", "mails": ["bo@x.example"], "organisation": "Pier", "role": "Editor"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOGLE, BO | {"mails": ["bo@x.example", "b@y.example"], "numbers": ["+1 2"]}),
        (OUTLOOK.replace("\n", "\r\n"), BO | {"numbers": ["12"]}),
        (THUNDERBIRD, {"name": "Bo L.", "mails": ["bo@x.example"], "numbers": ["9"]}),
        ("Name\tEmail\nJosé Ñu\tj@x.example\n", {"name": "José Ñu", "mails": ["j@x.example"]}),
    ],
)
def test_tables_of_other_programs_are_read(text: str, expected: dict[str, Any]) -> None:
    for octets in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("cp1252")):
        (card,) = read_table(octets)
        assert {name: getattr(card, name) for name in expected} == expected


@pytest.mark.parametrize("octets", [b"", b"a,b\n1,2\n", b"\x00\x01\x02", b"%PDF-1.7\n%x", b"<html>"])
def test_what_is_no_table_is_said_to_be_none(octets: bytes) -> None:
    with pytest.raises(NoTable):
        list(read_table(octets))


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        found: list[Card] = list(read_table(b"Name,Email\n" + octets))
    except NoTable:
        found = []
    assert all(card.says_something for card in found)
    list(split_cards(octets))
