"""Commands to bytes: nothing leaves that could be two commands."""

import datetime as dt

import pytest

from webmail.protocols.imap_wire.encode import (
    Literal,
    Segment,
    String,
    body_section,
    date_time,
    encode_command,
    flag_list,
    label_list,
)

NONE: frozenset[str] = frozenset()


def encoded(value: bytes, *capabilities: str) -> list[Segment]:
    return encode_command(b"M1", [b"SELECT", String(value)], frozenset(capabilities))


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\0", b"\r\n"])
@pytest.mark.parametrize("capabilities", [(), ("LITERAL+",)])
def test_line_ends_and_nul_never_leave(byte: bytes, capabilities: tuple[str, ...]) -> None:
    for argument in (String(b"a" + byte + b"b"), String(b"\xff" + byte), b"a" + byte):
        with pytest.raises(ValueError, match="argument holds"):
            encode_command(b"M1", [b"X", argument], frozenset(capabilities))
    with pytest.raises(ValueError, match="NUL"):
        encode_command(b"M1", [b"APPEND", Literal(b"a\0b")], frozenset(capabilities))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (b"INBOX", b'"INBOX"'),
        (b"", b'""'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
        (b"{5}", b'"{5}"'),
        (b"{5+}", b'"{5+}"'),
        (b") OR ALL (", b'") OR ALL ("'),
    ],
)
def test_printable_arguments_are_quoted(value: bytes, wire: bytes) -> None:
    assert encoded(value) == [Segment(b"M1 SELECT " + wire + b"\r\n", wait=False)]


def test_8_bit_arguments_are_counted() -> None:
    name = "Entwürfe".encode()
    assert encoded(name) == [Segment(b"M1 SELECT {9}\r\n", wait=True), Segment(name + b"\r\n", wait=False)]
    for extension in ("LITERAL+", "LITERAL-"):
        assert encoded(name, extension) == [Segment(b"M1 SELECT {9+}\r\n" + name + b"\r\n", wait=False)]


def test_a_long_literal_waits_to_be_wanted() -> None:
    for extension, size in (("LITERAL+", 65537), ("LITERAL-", 4097)):
        segments = encode_command(b"M1", [b"APPEND", Literal(b"x" * size)], frozenset({extension}))
        assert [segment.wait for segment in segments] == [True, False]


@pytest.mark.parametrize("flag", ["", "a b", "a\r", "a(b", "{5}", '"', "\\Recent", "\\*", "ü", "a\\b", "%"])
def test_what_is_no_flag(flag: str) -> None:
    with pytest.raises(ValueError, match="not a flag"):
        flag_list([flag])


def test_flags() -> None:
    assert flag_list(["\\Seen", "$Forwarded", "\\Seen", "NonJunk"]) == b"($Forwarded NonJunk \\Seen)"


def test_labels() -> None:
    labels = [b"\\Inbox", b"Work/Two words", b"H&APY-fen", b'say "hi"', b"\\Not one of theirs"]
    written = rb'("H&APY-fen" "Work/Two words" \Inbox "\\Not one of theirs" "say \"hi\"")'
    assert label_list(labels) == written


@pytest.mark.parametrize("label", [b"", b"a\r\n", b"a\0", "ü".encode()])
def test_what_is_no_label(label: bytes) -> None:
    with pytest.raises(ValueError, match=r"label|line end"):
        label_list([label])


@pytest.mark.parametrize("section", ["0", "1.", "1]", "1]<0.5> X", "1 2", "HEADER.FIELDS (X)", "1\r\n", "MIME", "1.0"])
def test_what_is_no_section(section: str) -> None:
    with pytest.raises(ValueError, match="not a body section"):
        body_section(section)


def test_sections() -> None:
    assert [body_section(section) for section in ("", "1", "1.22.MIME", "TEXT", "2.HEADER")] == [
        b"",
        b"1",
        b"1.22.MIME",
        b"TEXT",
        b"2.HEADER",
    ]


def test_dates() -> None:
    west = dt.timezone(dt.timedelta(hours=-9, minutes=-30))
    assert date_time(dt.datetime(2024, 3, 5, 1, 2, 3, tzinfo=west)) == b'" 5-Mar-2024 01:02:03 -0930"'
    with pytest.raises(ValueError, match="time zone"):
        date_time(dt.datetime(2024, 3, 5))
