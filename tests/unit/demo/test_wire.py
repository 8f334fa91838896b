"""Reading IMAP commands and sequence sets of the demo server."""

import asyncio

import pytest

from deploy.demo.imap.wire import (
    Bad,
    TooLong,
    choose,
    compact,
    decode_utf7,
    encode_utf7,
    format_date_time,
    parse_date_time,
    read_command,
    tokenize,
)


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        (b'a LOGIN "x\\"y" {3}\r\n', ["a", "LOGIN", b'x"y', b"lit"]),
        (b"a FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (TO FROM)]<0.9>)\r\n",
         ["a", "FETCH", "1:*", ["UID", "BODY.PEEK[HEADER.FIELDS (TO FROM)]<0.9>"]]),
        (b"a STORE 1 +FLAGS.SILENT (\\Seen $Label1)\r\n", ["a", "STORE", "1", "+FLAGS.SILENT", ["\\Seen", "$Label1"]]),
        (b'a LIST () "" (% *) RETURN (STATUS (UIDNEXT))\r\n',
         ["a", "LIST", [], b"", ["%", "*"], "RETURN", ["STATUS", ["UIDNEXT"]]]),
    ],
)  # fmt: skip
def test_commands_become_words(line: bytes, tokens: list[object]) -> None:
    assert tokenize([line, b"lit", b"\r\n"] if b"{3}" in line else [line]) == tokens


@pytest.mark.parametrize("line", [b"a (b\r\n", b"a b)\r\n", b'a "b\r\n', b"a b]{\r\n"])
def test_broken_commands_are_bad(line: bytes) -> None:
    with pytest.raises(Bad):
        tokenize([line])


def read(*chunks: bytes) -> tuple[list[bytes], int]:
    async def go() -> tuple[list[bytes], int]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(chunks))
        invited: list[bool] = []
        return await read_command(reader, lambda: invited.append(True)), len(invited)

    return asyncio.run(go())


def test_only_synchronising_literals_are_invited() -> None:
    pieces, invitations = read(b"a APPEND x {2}\r\n", b"\r\n", b" {1+}\r\n", b"z", b"\r\n")
    assert pieces == [b"a APPEND x {2}\r\n", b"\r\n", b" {1+}\r\n", b"z", b"\r\n"]
    assert invitations == 1


def test_a_giant_literal_is_not_read() -> None:
    with pytest.raises(TooLong):
        read(b"a APPEND x {9999999999}\r\n")


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [("1:*", [2, 3, 5, 9]), ("*", [9]), ("4:2", [2, 3]), ("20:*", [9]), ("3,9,9,10", [3, 9]), ("6:8", [])],
)
def test_sequence_sets_choose_what_exists(spec: str, chosen: list[int]) -> None:
    assert choose(spec, [2, 3, 5, 9]) == chosen


def test_numbers_are_written_as_runs_in_their_order() -> None:
    assert compact([1, 2, 3, 7, 5, 6]) == "1:3,7,5:6"


@pytest.mark.parametrize(
    ("name", "wire"), [("Räkenskap", b"R&AOQ-kenskap"), ("a & b", b"a &- b"), ("日本/語", b"&ZeVnLA-/&ip4-")]
)
def test_mailbox_names_travel_as_modified_utf7(name: str, wire: bytes) -> None:
    assert encode_utf7(name) == wire
    assert decode_utf7(wire) == name


def test_names_that_are_no_utf7_are_taken_as_they_are() -> None:
    assert decode_utf7("Grüße".encode()) == "Grüße"
    assert decode_utf7(b"&A-") == "&A-"


def test_dates_with_zones_come_back_in_universal_time() -> None:
    assert format_date_time(parse_date_time(" 1-Feb-2026 00:30:00 +0100")) == b"31-Jan-2026 23:30:00 +0000"
    with pytest.raises(Bad):
        parse_date_time("31-Feb-2026 00:00:00 +0000")
