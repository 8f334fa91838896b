"""The small responses, as written by the book and as written by servers."""

import time

import pytest

from tests.unit.protocols.imap_canned import response
from webmail.protocols.imap_wire import replies
from webmail.protocols.values import MailboxStatus, UidSet


@pytest.mark.parametrize(
    ("line", "name", "delimiter"),
    [
        (b'* LIST (\\HasNoChildren) "/" INBOX', b"INBOX", "/"),
        (b'* LIST () "/" inbox', b"INBOX", "/"),
        (b'* LIST () NIL "a \\"b\\" \\\\c "', b'a "b" \\c ', None),
        (b'* list () "\\\\" x', b"x", "\\"),
        (b'* LIST () "." {7}\r\na\r\n"{b}', b'a\r\n"{b}', "."),
        (b'* LIST () "/" R & D', b"R & D", "/"),
        (b'* LIST () "/" "R & D"', b"R & D", "/"),
        ('* LIST () "/" Entwürfe'.encode(), "Entwürfe".encode(), "/"),
        (b'* LIST () "/" "x" ("CHILDINFO" ("SUBSCRIBED"))', b"x", "/"),
        (b'* LIST () "/" x ("OLDNAME" ("y"))', b"x", "/"),
    ],
)
def test_list_keeps_the_bytes_of_a_name(line: bytes, name: bytes, delimiter: str | None) -> None:
    box = replies.parse_list(response(line))
    assert box is not None
    assert (box.wire_name, box.delimiter) == (name, delimiter)


def test_list_attributes() -> None:
    box = replies.parse_list(response(b'* LIST (\\NonExistent \\Subscribed \\Sent) "/" x'))
    assert box is not None
    assert (box.selectable, box.subscribed, "\\sent" in box.attributes) == (False, True, True)


@pytest.mark.parametrize(
    "line", [b"* LIST", b'* LIST () "/" ', b'* LIST () "/" ""', b"* LIST () / x", b'* LIST () "/" ' + b"x" * 65536]
)
def test_list_lines_that_name_nothing_are_passed_over(line: bytes) -> None:
    assert replies.parse_list(response(line)) is None


def test_status() -> None:
    items = b"(MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 7 UNSEEN 3 HIGHESTMODSEQ 9 MAILBOXID (F22))"
    wanted = MailboxStatus(231, 44292, 7, 3, 9, "F22")
    for name, read in ((b"a", b"a"), (b'"a (b"', b"a (b"), (b"{3}\r\n(x)", b"(x)"), (b"Inbox", b"INBOX")):
        assert replies.parse_status(response(b"* STATUS " + name + b" " + items)) == (read, wanted)
    assert replies.parse_status(response(b"* STATUS x (MESSAGES 1 XYMHIGHESTMODSEQ 4)")) == (
        b"x",
        MailboxStatus(1, 0, 0),
    )
    assert replies.parse_status(response(b"* STATUS x (UIDNEXT 1)")) is None
    assert replies.parse_status(response(b"* STATUS x")) is None


def test_search() -> None:
    assert replies.parse_search(response(b"* SEARCH 2 84 882")) == UidSet.of(2, 84, 882)
    assert replies.parse_search(response(b"* SEARCH")) == UidSet()
    assert replies.parse_search(response(b"* SEARCH 5 3 (MODSEQ 917162500)")) == UidSet.of(3, 5)
    assert replies.parse_search(response(b"* SEARCH 5 x")) is None
    assert replies.parse_search(response(b"* SEARCH 99999999999")) is None


def test_esearch() -> None:
    line = b'* ESEARCH (TAG "M4") UID COUNT 5 ALL 4:18,21'
    assert replies.parse_esearch(response(line)) == (b"M4", 5, UidSet.parse(b"4:18,21"))
    assert replies.parse_esearch(response(b'* ESEARCH (TAG "M4") UID')) == (b"M4", None, UidSet())
    assert replies.parse_esearch(response(b"* ESEARCH UID ALL 0")) is None


def test_vanished() -> None:
    assert replies.parse_vanished(response(b"* VANISHED (EARLIER) 1:4000000000")) == (True, UidSet.span(1, 4000000000))
    assert replies.parse_vanished(response(b"* VANISHED 7")) == (False, UidSet.of(7))
    assert replies.parse_vanished(response(b"* VANISHED")) is None


def test_response_codes() -> None:
    assert replies.parse_text(b"[PERMANENTFLAGS (\\Seen a] \\*)] ok") == replies.Text(
        b"PERMANENTFLAGS", b"(\\Seen a] \\*)", b"ok"
    )
    assert replies.parse_text(b"[read-only] x]y") == replies.Text(b"READ-ONLY", b"", b"x]y")
    assert replies.parse_text(b"[MAILBOXID (F1)]") == replies.Text(b"MAILBOXID", b"(F1)", b"")
    assert replies.parse_text(b"done") == replies.Text(b"", b"", b"done")


def test_copyuid_pairs_in_the_order_written() -> None:
    asked = UidSet.parse(b"1:10")
    assert replies.parse_copyuid(b"38 4,1:2 7:9", asked=asked) == (38, {4: 7, 1: 8, 2: 9})


@pytest.mark.parametrize("data", [b"", b"38 1:4000000000 1:4000000000", b"38 1:2 7", b"x 1 1", b"38 1:* 1:2"])
def test_copyuid_that_makes_no_pairs(data: bytes) -> None:
    assert replies.parse_copyuid(data, asked=UidSet.span(1, 3))[1] == {}


def test_copyuid_is_believed_only_for_what_was_asked() -> None:
    assert replies.parse_copyuid(b"38 1,9 5,6", asked=UidSet.span(1, 3)) == (38, {1: 5})


@pytest.mark.parametrize("piece", [b" ", b"(", b"a", b"a (", b'"', b") ", b"(a "])
def test_s51_a_status_of_any_kind_is_read_in_time(piece: bytes) -> None:
    began = time.process_time()
    for end in (b"", b")", b"b"):
        replies.parse_status(response(b"* STATUS a " + piece * 60_000 + end))
        replies.parse_status(response(b"* STATUS a (" + piece * 60_000 + end))
    assert time.process_time() - began < 2
