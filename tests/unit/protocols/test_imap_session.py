"""The session's decisions: what it asks, what it believes, and what it never sends."""

from collections.abc import Callable

import pytest

from tests.unit.protocols.imap_canned import FULL, Canned, session_over
from webmail.protocols.errors import CommandFailed, ProtocolViolation
from webmail.protocols.imap import Session
from webmail.protocols.values import BadRow, Exists, FlagRow, HeaderRow, Notice, UidSet, Unidentified, Vanished

OK = b"%T OK done\r\n"
NO = b"%T NO no\r\n"
BAD = b"%T BAD no\r\n"
SELECTED = (
    b"* 2 EXISTS\r\n* FLAGS (\\Seen $A)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* OK [UIDVALIDITY 7] x\r\n"
    b"* OK [UIDNEXT 20] x\r\n* OK [HIGHESTMODSEQ 30] x\r\n%T OK [READ-WRITE] done\r\n"
)
U = UidSet.of


def header_fetch(sequence: int, uid: int) -> bytes:
    return b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 1 BODY[HEADER.FIELDS (X)] {2}\r\n\r\n)\r\n" % (sequence, uid)


# --- what is never sent (injection) ---

CALLS: dict[str, Callable[[Session, str], object]] = {
    "status": lambda session, word: session.status(word.encode()),
    "select": lambda session, word: session.select(word.encode(), read_only=False),
    "create": lambda session, word: session.create(word.encode()),
    "rename": lambda session, word: session.rename(b"x", to=word.encode()),
    "delete": lambda session, word: session.delete(word.encode()),
    "subscribe": lambda session, word: session.subscribe(word.encode()),
    "unsubscribe": lambda session, word: session.unsubscribe(word.encode()),
    "copy": lambda session, word: session.copy(U(1), word.encode()),
    "move": lambda session, word: session.move(U(1), word.encode()),
    "append": lambda session, word: session.append(word.encode(), b"x"),
    "append flag": lambda session, word: session.append(b"x", b"x", flags=[word]),
    "store": lambda session, word: session.store_flags(U(1), add=[word]),
    "labels": lambda session, word: session.store_labels(U(1), add=[word.encode()]),
    "section": lambda session, word: session.fetch_section(1, word, max_bytes=9),
    "sections": lambda session, word: list(session.fetch_sections({1: word}, first_bytes=9)),
    "stream": lambda session, word: session.stream_body(1, word, bytes),
    "message-id": lambda session, word: session.search_message_id(word, since_uid=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("break_", ["\r", "\n", "\0", "\r\nX1 DELETE INBOX\r\n"])
def test_no_argument_carries_a_second_command(call: Callable[[Session, str], object], break_: str) -> None:
    canned = Canned(OK)
    try:
        call(session_over(canned), "a" + break_)
    except ValueError:
        assert canned.sent == []
    else:
        assert b"DELETE" not in b"".join(canned.sent)  # only a Message-ID may be anything: it is never sent
        assert call is CALLS["message-id"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("word", ['"', "\\", "{5}", "{5+}", ") OR ALL (", "ü", "* %"])
def test_every_other_argument_is_one_command_or_none(call: Callable[[Session, str], object], word: str) -> None:
    canned = Canned(NO)
    with pytest.raises((ValueError, CommandFailed)):
        call(session_over(canned), word)
    sent = b"".join(canned.sent)
    assert sent.count(b"\r\n") <= 1 + sent.count(b"+}\r\n")
    assert sent == b"" or sent.startswith(b"M1 ")


# --- rows and news ---


def test_flags_without_uid_never_touch_the_message_of_that_number() -> None:
    session = session_over(Canned(b"* 101 FETCH (FLAGS (\\Deleted))\r\n* 4 FETCH (UID 101 FLAGS ())\r\n" + OK))
    assert list(session.fetch_flags(U(101))) == [FlagRow(101, frozenset())]
    assert session.drain_events() == [Unidentified(101)]


def test_one_broken_row_among_many_is_one_marker() -> None:
    bad = b'* 2 FETCH (UID 2 BODYSTRUCTURE ("a"b") RFC822.SIZE 4 BODY[HEADER.FIELDS (X)] {2}\r\n\r\n)\r\n'
    talk = header_fetch(1, 1) + bad + b"* 9 FETCH (UID 9 FLAGS (\\Seen))\r\n* 7 EXISTS\r\n" + header_fetch(3, 3)
    session = session_over(Canned(talk + OK))
    rows = list(session.fetch_headers(UidSet.span(1, 5)))
    assert [(type(row), row.uid) for row in rows] == [(HeaderRow, 1), (BadRow, 2), (HeaderRow, 3)]
    assert session.drain_events() == [FlagRow(9, frozenset({"\\Seen"})), Exists(7)]


def test_rows_nobody_asked_for_are_not_passed_on() -> None:
    session = session_over(Canned(header_fetch(1, 1) + header_fetch(2, 4_000_000_000) + OK))
    assert [row.uid for row in session.fetch_headers(UidSet.span(1, 5))] == [1]


def test_a_header_beyond_reason_costs_its_row_only() -> None:
    flood = b"* 1 FETCH (UID 1 RFC822.SIZE 9 BODY[HEADER.FIELDS (X)] {2000000}\r\n" + b"x" * 2_000_000 + b")\r\n"
    session = session_over(Canned(flood + header_fetch(2, 2) + OK))
    assert [type(row) for row in session.fetch_headers(UidSet.span(1, 2))] == [BadRow, HeaderRow]


def test_commands_stay_short_and_shorter_for_old_servers() -> None:
    odd = UidSet.collect(range(1, 9001, 2))
    for capabilities, limit in ((FULL, 8000), (frozenset({"IMAP4REV1"}), 980)):
        canned = Canned(*[OK] * 100)
        assert list(session_over(canned, capabilities).fetch_headers(odd)) == []
        assert max(map(len, canned.sent)) <= limit
        canned = Canned(*[OK] * 100)
        session_over(canned, capabilities).store_flags(odd, add=["\\Seen"])
        assert max(map(len, canned.sent)) <= limit
        assert all(b"+FLAGS.SILENT (\\Seen)\r\n" in line for line in canned.sent)


# --- selecting ---


def test_a_snapshot_without_extras() -> None:
    session = session_over(Canned(SELECTED))
    selected = session.select(b"INBOX", read_only=False)
    assert (selected.exists, selected.uidvalidity, selected.uidnext, selected.highestmodseq) == (2, 7, 20, 30)
    assert (selected.keeps_flag("\\seen"), selected.keeps_flag("\\Flagged"), selected.keeps_flag("$X")) == (1, 0, 1)


def test_what_was_said_before_closed_is_about_the_other_mailbox() -> None:
    session = session_over(Canned(b"* 99 EXISTS\r\n* VANISHED 5\r\n* OK [CLOSED] x\r\n" + SELECTED))
    selected = session.select(b"INBOX", read_only=False, qresync=(7, 10))
    assert (selected.exists, selected.vanished, selected.resynced) == (2, UidSet(), True)


def test_a_resync_with_a_row_that_cannot_be_read_is_not_whole() -> None:
    session = session_over(Canned(b"* VANISHED (EARLIER) 1:3\r\n* 1 FETCH (FLAGS ())\r\n" + SELECTED))
    selected = session.select(b"INBOX", read_only=False, qresync=(7, 10))
    assert (selected.resynced, selected.vanished, selected.changed) == (False, UidSet(), ())


@pytest.mark.parametrize("held", [(7, 31), (8, 10)], ids=["newer modseq", "other uidvalidity"])
def test_a_resync_from_another_past_is_none(held: tuple[int, int]) -> None:
    session = session_over(Canned(b"* VANISHED (EARLIER) 1:3\r\n" + SELECTED))
    selected = session.select(b"INBOX", read_only=False, qresync=held)
    assert (selected.resynced, selected.vanished) == (False, UidSet())


def test_uidnext_is_worked_out_where_the_server_keeps_it() -> None:
    session = session_over(Canned(b"* 5 EXISTS\r\n%T OK done\r\n", b"* 5 FETCH (FLAGS () UID 41)\r\n" + OK), ())
    selected = session.select(b"INBOX", read_only=False)
    assert (selected.uidnext, selected.uidvalidity, selected.highestmodseq) == (42, 0, None)


def test_a_writable_mailbox_is_never_closed() -> None:
    for read_only, commands in ((False, 1), (True, 2)):
        canned = Canned(SELECTED, OK)
        session = session_over(canned, ())
        session.select(b"INBOX", read_only=read_only)
        session.unselect()
        assert len(canned.sent) == commands


def test_news_of_the_last_mailbox_is_not_news_of_the_next() -> None:
    session = session_over(Canned(b"* 9 EXISTS\r\n* OK [ALERT] hey\r\n" + OK, SELECTED))
    session.subscribe(b"x")
    session.select(b"INBOX", read_only=True)
    assert session.drain_events() == [Notice("ALERT", "hey")]


# --- searching ---


def esearch(data: bytes) -> bytes:
    return b'* ESEARCH (TAG "%T") UID ' + data + b"\r\n" + OK


def search(*replies: bytes) -> tuple[UidSet, list[bool]]:
    canned = Canned(SELECTED, *replies)
    session = session_over(canned)
    session.select(b"INBOX", read_only=True)
    return session.search_uids(1, 100), [b"RETURN" in line for line in canned.sent[1:]]


def test_esearch_is_used_where_it_works() -> None:
    assert search(esearch(b"COUNT 3 ALL 4:5,7")) == (U(4, 5, 7), [True])


@pytest.mark.parametrize(
    "lie", [esearch(b"COUNT 3"), esearch(b"COUNT 0"), esearch(b"COUNT 2 ALL 1:3"), OK, NO, BAD, esearch(b"ALL 5")]
)
def test_a_doubtful_esearch_is_asked_again_plainly(lie: bytes) -> None:
    assert search(lie, b"* SEARCH 4 5 7\r\n" + OK) == (U(4, 5, 7), [True, False])


def test_an_empty_answer_is_believed_once_esearch_has_shown_itself() -> None:
    canned = Canned(SELECTED, esearch(b"COUNT 1 ALL 4"), esearch(b"COUNT 0"))
    session = session_over(canned)
    session.select(b"INBOX", read_only=True)
    assert (session.search_uids(1, 9), session.search_uids(10, 19)) == (U(4), UidSet())


def test_a_search_line_of_two_megabytes() -> None:
    uids = range(1_000_000, 1_250_000)
    talk = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\n" + OK
    session = session_over(Canned(SELECTED, talk), ())
    session.select(b"INBOX", read_only=True)
    assert session.search_uids(1, 2_000_000) == UidSet.span(1_000_000, 1_249_999)


def test_a_large_mailbox_is_searched_in_windows() -> None:
    canned = Canned(
        b"* 900000 EXISTS\r\n* OK [UIDNEXT 1000001] x\r\n" + OK, b"* SEARCH 1\r\n" + OK, b"* SEARCH 900000\r\n" + OK
    )
    session = session_over(canned, ())
    session.select(b"INBOX", read_only=True)
    assert session.search_uids(1, 1_000_000) == U(1, 900_000)
    assert [line.split()[-1] for line in canned.sent[1:]] == [b"1:500000", b"500001:1000000"]


def test_a_search_that_is_no_list_ends_the_session() -> None:
    with pytest.raises(ProtocolViolation):
        session_over(Canned(b"* SEARCH 4 five\r\n" + OK), ()).search_uids(1, 9)


# --- listing ---


def test_the_ladder_goes_down_to_plain_list() -> None:
    listed = b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST () "/" a\r\n* LIST (\\Sent) "/" a\r\n' + OK
    canned = Canned(BAD, NO, BAD, listed, b'* LSUB () "/" a\r\n' + OK)
    boxes = session_over(canned, FULL | {"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"}).list_mailboxes()
    assert [(box.wire_name, box.subscribed) for box in boxes] == [(b"INBOX", False), (b"a", True)]
    assert "\\sent" in boxes[1].attributes
    assert [b"STATUS" in line for line in canned.sent] == [True, False, False, False, False]
    assert canned.sent[3] == b'M4 LIST "" "*"\r\n'


def test_status_lines_among_the_list_find_their_mailbox() -> None:
    talk = (
        b'* LIST (\\Subscribed) "/" "a b"\r\n* STATUS "a b" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5 MAILBOXID (F9))\r\n'
        b'* LIST () "/" c\r\n'
    )
    boxes = session_over(Canned(talk + OK), FULL | {"LIST-EXTENDED", "LIST-STATUS"}).list_mailboxes()
    assert [(box.mailbox_id, box.status and box.status.messages) for box in boxes] == [("F9", 3), (None, None)]


def test_mailbox_ids_that_are_none_are_not_asked_for_again() -> None:
    line = b'* LIST () "/" a\r\n* STATUS a (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5%b UNSEEN 0)\r\n'
    canned = Canned(line % b" MAILBOXID (<\xe2UK\x9c)" + OK, line % b"" + OK)
    boxes = session_over(canned, FULL | {"LIST-EXTENDED", "LIST-STATUS"}).list_mailboxes()
    assert [(box.mailbox_id, box.status and box.status.unseen) for box in boxes] == [(None, 0)]
    assert [b"MAILBOXID" in line for line in canned.sent] == [True, False]


def test_a_flood_of_mailboxes_ends_the_session() -> None:
    flood = b"".join(b'* LIST () "/" x%d\r\n' % n for n in range(20_001))
    with pytest.raises(ProtocolViolation):
        session_over(Canned(flood + OK)).list_mailboxes()


def test_one_absurd_name_costs_only_itself() -> None:
    session = session_over(Canned(b'* LIST () "/" "' + b"x" * 65536 + b'"\r\n* LIST () "/" a\r\n' + OK, OK))
    assert [box.wire_name for box in session.list_mailboxes()] == [b"a"]


def test_a_status_that_never_came_is_a_failure_not_a_zero() -> None:
    with pytest.raises(CommandFailed):
        session_over(Canned(OK, OK)).status(b"x")


def test_a_status_that_did_not_come_is_asked_for_once_more() -> None:
    canned = Canned(OK, b"* STATUS x (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5 UNSEEN 1)\r\n" + OK)
    assert session_over(canned).status(b"x").messages == 3
    assert len(canned.sent) == 2


def test_namespace() -> None:
    talk = b'* NAMESPACE (("INBOX." ".")) NIL (("#shared." "."))\r\n' + OK
    space = session_over(Canned(talk), {"NAMESPACE"}).namespace()
    assert (space.prefix, space.delimiter) == (b"INBOX.", ".")
    assert session_over(Canned(), ()).namespace().prefix == b""
    assert session_over(Canned(NO), {"NAMESPACE"}).namespace().prefix == b""


# --- changing ---


@pytest.mark.parametrize(
    "talk",
    [
        b"* OK [COPYUID 9 1:2 5:6] moved\r\n* 1 EXPUNGE\r\n" + OK,
        b"* VANISHED 1:2\r\n%T OK [COPYUID 9 1:2 5:6] done\r\n",
    ],
    ids=["untagged", "tagged"],
)
def test_move_says_where_to(talk: bytes) -> None:
    moved = session_over(Canned(talk)).move(U(1, 2), b"x")
    assert (moved.uids, moved.uidvalidity, moved.left_deleted) == ({1: 5, 2: 6}, 9, UidSet())


def test_move_without_move() -> None:
    canned = Canned(b"%T OK [COPYUID 9 1 5] x\r\n", OK, OK)
    moved = session_over(canned, {"UIDPLUS"}).move(U(1), b"x")
    assert (moved.uids, moved.left_deleted) == ({1: 5}, UidSet())
    assert [line.split()[2] for line in canned.sent] == [b"COPY", b"STORE", b"EXPUNGE"]


def test_without_uidplus_nothing_is_ever_expunged() -> None:
    canned = Canned(OK, OK)
    session = session_over(canned, ())
    assert session.move(U(1), b"x").left_deleted == U(1)
    assert session.expunge(U(1)) is False
    assert not any(b"EXPUNGE" in line or b"CLOSE" in line for line in canned.sent)


def test_a_failed_copy_leaves_the_sources_alone() -> None:
    canned = Canned(b"%T NO [OVERQUOTA] x\r\n")
    with pytest.raises(CommandFailed):
        session_over(canned, {"UIDPLUS"}).move(U(1), b"x")
    assert len(canned.sent) == 1


# --- bodies ---


def body(name: bytes, data: bytes) -> bytes:
    return b"* 1 FETCH (UID 1 BODY[" + name + b" {%d}\r\n" % len(data) + data + b")\r\n" + OK


def test_partials_of_servers_that_send_all_or_less() -> None:
    session = session_over(Canned(body(b"1]<2>", b"cdef"), body(b"1]", b"abcdef"), body(b"1]<2>", b"")))
    assert [session.fetch_section(1, "1", max_bytes=3, partial=(2, 3)) for _ in range(3)] == [b"cde", b"cde", b""]


def test_a_stream_ends_at_the_short_piece() -> None:
    taken: list[bytes] = []
    session = session_over(Canned(body(b"]<0>", b"abc"), body(b"]<3>", b"def"), body(b"]<6>", b"")))
    assert session.stream_body(1, "", taken.append, chunk=3) == 6
    assert taken == [b"abc", b"def", b""]


def test_a_stream_takes_a_server_without_partials() -> None:
    taken: list[bytes] = []
    assert session_over(Canned(body(b"]", b"abcdef"))).stream_body(1, "", taken.append, chunk=3) == 6
    assert taken == [b"abcdef"]


def test_a_stream_that_overflows_its_piece_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        session_over(Canned(body(b"]<0>", b"abcdef"))).stream_body(1, "", bytes, chunk=3)


def test_vanished_earlier_is_an_answer_and_vanished_is_news() -> None:
    session = session_over(Canned(b"* VANISHED (EARLIER) 4:6\r\n* VANISHED 9\r\n" + OK))
    assert list(session.fetch_flags(UidSet.span(1, 9), changed_since=5)) == [Vanished(UidSet.span(4, 6), earlier=True)]
    assert session.drain_events() == [Vanished(U(9))]
