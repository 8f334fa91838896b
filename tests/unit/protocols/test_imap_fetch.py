"""FETCH rows: every spelling servers use, and every break of the rules ends at its own row."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.imap_canned import response
from webmail.protocols.imap_wire.fetch import flag_row, header_row, parse_internaldate, parse_labels
from webmail.protocols.imap_wire.scanner import Response, Scanner
from webmail.protocols.values import BadRow, FlagRow, HeaderRow, Unidentified

HEADER = b"Subject: a) {5}\r\n\r\n"
DATE = b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"'
STRUCTURE = b'("TEXT" "PLAIN" ("NAME" "a\\"b (c") NIL NIL "7BIT" 5 1)'


def row(*items: bytes, header: bytes = HEADER) -> Response:
    section = b"BODY[HEADER.FIELDS (DATE SUBJECT)] {%d}\r\n%s" % (len(header), header)
    return response(b"* 3 FETCH (" + b" ".join(items) + b" " + section + b")")


def read(*items: bytes) -> HeaderRow:
    found = header_row(row(*items), depth=400)
    assert isinstance(found, HeaderRow)
    return found


def reason(found: object) -> tuple[int | None, str]:
    assert isinstance(found, BadRow)
    return found.uid, found.reason


def test_a_whole_row() -> None:
    found = read(
        b"UID 9", b"FLAGS (\\Seen $A)", DATE, b"RFC822.SIZE 120", b"BODYSTRUCTURE " + STRUCTURE, b"MODSEQ (77)"
    )
    assert found == HeaderRow(
        9,
        frozenset({"\\Seen", "$A"}),
        dt.datetime(1996, 7, 17, 9, 44, 25, tzinfo=dt.UTC),
        120,
        STRUCTURE,
        HEADER,
        77,
    )


def test_the_order_the_case_and_the_spelling_of_items_do_not_matter() -> None:
    text = (
        b'* 3 fetch (body[header.fields ("SUBJECT" DATE)] {19}\r\n%s rfc822.size 120 bodystructure nil flags () UID 9)'
    )
    found = header_row(response(text % HEADER), depth=400)
    assert found == HeaderRow(9, frozenset(), None, 120, b"", HEADER)


def test_literals_in_a_structure_become_quoted_strings() -> None:
    found = read(b"UID 9", b'BODYSTRUCTURE (("A" {4}\r\n(")\\ ("N" {2}\r\n\r\n) NIL) "MIXED")', b"RFC822.SIZE 1")
    assert found.bodystructure == b'(("A" "(\\")\\\\" ("N" "  ") NIL) "MIXED")'


def test_identities_of_servers() -> None:
    found = read(b"UID 9", b"RFC822.SIZE 1", b"EMAILID (M6d99)", b"THREADID NIL", b"X-GM-MSGID 1278455344230334865")
    assert (found.emailid, found.threadid, found.gm_msgid) == ("M6d99", None, 1278455344230334865)
    found = read(b"UID 9", b"RFC822.SIZE 1", b'X-GM-LABELS ("\\\\Inbox" Work {3}\r\na)b)')
    assert found.labels == (b"\\Inbox", b"Work", b"a)b")
    assert parse_labels(b"()") == ()


def test_a_structure_of_absurd_depth_is_left_out_and_the_row_stays() -> None:
    deep = b"(" * 100_000 + b")" * 100_000
    assert read(b"UID 9", b"RFC822.SIZE 1", b"BODYSTRUCTURE " + deep).bodystructure == b""


def test_the_same_header_twice_and_none_at_all() -> None:
    assert reason(header_row(response(b"* 3 FETCH (UID 9 FLAGS () RFC822.SIZE 3)"), depth=9)) == (
        9,
        "the server gave no header",
    )
    empty = b"* 3 FETCH (UID 9 FLAGS () RFC822.SIZE 3 BODY[HEADER.FIELDS (X)] NIL)"
    found = header_row(response(empty), depth=9)
    assert isinstance(found, HeaderRow)
    assert found.header == b""


@pytest.mark.parametrize(
    "items",
    [
        b'UID 9 RFC822.SIZE 1 BODYSTRUCTURE ("a"b" NIL)',
        b'UID 9 RFC822.SIZE 1 BODYSTRUCTURE (("a" NIL)',
        b'UID 9 RFC822.SIZE 1 BODYSTRUCTURE "a" NIL)',
        b'UID 9 INTERNALDATE "17-Jul',
        b"UID 9 RFC822.SIZE many",
        b"UID 9 FLAGS",
        b"UID 9 FLAGS (\\Seen",
        b"UID 9 =",
    ],
)
def test_a_malformed_row_is_a_marker_with_its_uid(items: bytes) -> None:
    assert reason(header_row(row(items), depth=400))[0] == 9


def test_mail_cannot_choose_the_uid_of_its_marker() -> None:
    uid, _ = reason(header_row(response(b'* 3 FETCH (BODYSTRUCTURE ("x" UID 5) ") UID 9 FLAGS ())'), depth=9))
    assert uid is None


def test_a_row_without_uid_is_news_without_a_name() -> None:
    assert flag_row(response(b"* 101 FETCH (FLAGS (\\Deleted))"), depth=9) == Unidentified(101)
    assert header_row(response(b"* 101 FETCH (FLAGS (\\Deleted))"), depth=9) == Unidentified(101)
    assert reason(header_row(row(b"FLAGS ()", b"RFC822.SIZE 4"), depth=9)) == (None, "a row without UID")


def test_flags_volunteered_during_a_header_fetch_stay_flags() -> None:
    found = header_row(response(b"* 1 FETCH (UID 4 MODSEQ (8) FLAGS (\\Seen))"), depth=9)
    assert found == FlagRow(4, frozenset({"\\Seen"}), 8)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"NIL",
        b"31-Feb-2020 00:00:00 +0000",
        b"01-Foo-2020 00:00:00 +0000",
        b"x" * 26,
        b"01-Jan-2020 00:00:00 +9999",
    ],
)
def test_a_date_that_is_none(raw: bytes) -> None:
    assert parse_internaldate(raw) is None


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_bytes_make_a_row_raise(text: bytes, literal: bytes) -> None:
    scanner = Scanner()
    scanner.feed(b"* 1 FETCH (UID 3 " + text.replace(b"{", b"(") + b" X {%d}\r\n" % len(literal) + literal + b")\r\n")
    while (found := scanner.next()) is not None:
        header_row(found, depth=5)
        flag_row(found, depth=5)


@given(st.text(alphabet='()"\\ {}\r\nNILa1', max_size=80))
def test_no_structure_makes_a_row_raise(text: str) -> None:
    found = Response([b"* 1 FETCH (UID 3 BODYSTRUCTURE (" + text.encode() + b")"], oversize=False)
    assert isinstance(header_row(found, depth=5), (BadRow, Unidentified))
