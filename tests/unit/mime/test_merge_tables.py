"""Tables of people to write to, as programs write them and as hostile hands do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.merge_tables import MOST_ROWS, MergeTable, NoTable, TooManyRows, only_address, read_merge_table


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_table_is_read_whoever_wrote_it(mark: str, encoding: str) -> None:
    people = [
        ["Name", "E-Mail", "Ort"],
        ['"Øyvind"', "oy@x.example", f'"Bergen{mark} vest"'],
        [""],
        ["Bo", "bo@x.example"],
    ]
    text = "".join(mark.join(row) + "\r\n" for row in people)
    table = read_merge_table(text.encode(encoding))
    assert table == MergeTable(
        columns=("Name", "E-Mail", "Ort"),
        rows=(("Øyvind", "oy@x.example", f"Bergen{mark} vest"), ("Bo", "bo@x.example", "")),
        address_column=1,
    )


def test_titles_are_told_apart_and_never_empty() -> None:
    table = read_merge_table(b"a,A,,a\n1,2,3,4\n")
    assert len({title.lower() for title in table.columns}) == len(table.columns) == 4
    assert all(table.columns)


@pytest.mark.parametrize("octets", [b"", b"\n\n", b"only,titles\n", b"\xff\xfe\x00", b'"open quote'])
def test_what_is_no_table_is_said(octets: bytes) -> None:
    with pytest.raises(NoTable):
        read_merge_table(octets)


def test_a_table_has_an_end() -> None:
    lines = b"mail\n" + b"a@x.example\n" * MOST_ROWS
    assert len(read_merge_table(lines).rows) == MOST_ROWS
    with pytest.raises(TooManyRows):
        read_merge_table(lines + b"b@x.example\n")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("bo@x.example", "bo@x.example"),
        ("Bo Li <bo@x.example>", "Bo Li <bo@x.example>"),
        ("bo@x.example, cy@x.example", ""),
        ("bo@x.example\nBcc: cy@x.example", ""),
        ("bo at x.example", ""),
        ("bo@localhost", ""),
        ("", ""),
    ],
)
def test_a_cell_names_one_address_or_none(cell: str, found: str) -> None:
    assert only_address(cell) == found


@given(st.binary(max_size=400))
def test_no_file_does_harm(octets: bytes) -> None:
    try:
        table = read_merge_table(octets)
    except (NoTable, TooManyRows):
        return
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert 0 <= table.address_column < len(table.columns)
