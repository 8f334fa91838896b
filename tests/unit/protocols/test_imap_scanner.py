"""Bytes to responses: whole, once, and within limits."""

from dataclasses import replace

import pytest

from webmail.protocols.errors import ProtocolViolation
from webmail.protocols.imap_wire.limits import HEADERS
from webmail.protocols.imap_wire.scanner import Scanner

TALK = (
    b"* OK a status line may end in {5}\r\n"
    b"* 1 FETCH (UID 7 BODY[HEADER] {11}\r\nSubject: \r\n FLAGS () X ~{3}\r\n\0)\r)\r\n"
    b"* LIST () NIL {0}\r\n\r\n"
    b"+ {4}\r\n"
    b"M1 OK [X] done {9}\r\n"
)
RESPONSES = [
    [b"* OK a status line may end in {5}"],
    [b"* 1 FETCH (UID 7 BODY[HEADER] {11}", b"Subject: \r\n", b" FLAGS () X ~{3}", b"\0)\r", b")"],
    [b"* LIST () NIL {0}", b"", b""],
    [b"+ {4}"],
    [b"M1 OK [X] done {9}"],
]


def scan(*pieces: bytes, limits: object = HEADERS) -> list[list[bytes]]:
    scanner, found = Scanner(), []
    scanner.limits = limits  # type: ignore[assignment]  # the tests give what replace() made
    for piece in pieces:
        scanner.feed(piece)
        while (response := scanner.next()) is not None:
            found.append(response.chunks)
    return found


def test_a_talk_cut_at_every_byte_is_the_same_talk() -> None:
    for cut in range(len(TALK) + 1):
        assert scan(TALK[:cut], TALK[cut:]) == RESPONSES, cut


def test_a_talk_in_single_bytes_is_the_same_talk() -> None:
    assert scan(*(TALK[at : at + 1] for at in range(len(TALK)))) == RESPONSES


def test_a_bare_line_feed_does_not_end_a_line() -> None:
    assert scan(b'* LIST () "/" "a\nM1 OK done"\r\n') == [[b'* LIST () "/" "a\nM1 OK done"']]


def test_what_comes_after_the_last_response_is_handed_over() -> None:
    scanner = Scanner()
    scanner.feed(b"M1 OK\r\n* 4 EX")
    assert scanner.next() is not None
    assert scanner.next() is None
    assert scanner.leftover() == b"* 4 EX"


def test_a_literal_longer_than_wanted_is_read_past_and_marked() -> None:
    scanner = Scanner(replace(HEADERS, kept=10))
    for piece in (b"* 1 FETCH (UID 1 X {5}\r\n12345 Y {20}\r\n", b"x" * 12, b"x" * 8 + b")\r\n* 2 EXISTS\r\n"):
        scanner.feed(piece)
        last = scanner.next()
    assert last is not None
    assert (last.oversize, last.chunks) == (True, [b"* 1 FETCH (UID 1 X {5}", b"12345", b" Y {20}", b"", b")"])
    after = scanner.next()
    assert after is not None
    assert (after.oversize, after.chunks) == (False, [b"* 2 EXISTS"])


@pytest.mark.parametrize(
    "flood",
    [
        b"* 1 FETCH (X {99999999999}\r\n",
        b"* 1 FETCH (X {" + b"9" * 5000 + b"}\r\n",
        b"* " + b"x" * 2_000_000,
        b"* " + b"x" * 2_000_000 + b"\r\n",
        b"* 1 FETCH (X {0}\r\n" * 30,
        b"* 1 FETCH (" + (b"x" * 500_000 + b" {1}\r\ny") * 3,
    ],
    ids=["literal", "digits", "endless line", "long line", "many literals", "long text between literals"],
)
def test_floods_are_cut_off(flood: bytes) -> None:
    limits = replace(HEADERS, line=1_000_000, literals_per_response=10)
    with pytest.raises(ProtocolViolation):
        scan(*(flood[at : at + 65536] for at in range(0, len(flood), 65536)), limits=limits)
