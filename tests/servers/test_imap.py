"""The IMAP session against a real Dovecot, as it is and told to offer no extension."""

from __future__ import annotations

import datetime as dt
import io
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.dovecot import PASSWORD, Dovecot
from webmail.protocols import imap
from webmail.protocols.errors import AuthenticationFailed, CommandFailed, TlsFailed
from webmail.protocols.imap_idle import IdleLines, Signal, idle_socket
from webmail.protocols.imap_names import child_name, display_path, special_uses
from webmail.protocols.net import Credential, Secret
from webmail.protocols.values import BadRow, Exists, FlagRow, HeaderRow, Notice, UidSet, Vanished


def message(n: int, *, body: str = "hello") -> bytes:
    return (
        f"Date: Mon, 7 Feb 2022 21:52:{n % 60:02} +0100\r\nFrom: Anna <anna@example.org>\r\nSubject: number {n}\r\n"
        f"Message-ID: <m{n}@example.org>\r\nReferences: <r@example.org>\r\n\r\n{body}\r\n"
    ).encode()


def open_session(dovecot: Dovecot, user: str) -> imap.Session:
    return imap.connect(dovecot.imap_endpoint(), dovecot.credential(user))


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.add_user()


def edit_account(dovecot: Dovecot, user: str, old: str, new: str) -> None:
    path = dovecot.home / "users" / user.partition("@")[0]
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture(params=["as-is", "old-server"])
def session(dovecot: Dovecot, user: str, request: pytest.FixtureRequest) -> Iterator[imap.Session]:
    """A session of `user`, once with all of Dovecot's extensions offered and once with none."""
    if request.param == "old-server":
        edit_account(dovecot, user, "\n", " userdb_imap_capability=IMAP4rev1\n")
    with open_session(dovecot, user) as opened:
        assert ("MOVE" in opened.capabilities) == (request.param == "as-is")
        yield opened


def test_login_over_tls_and_starttls(dovecot: Dovecot, user: str) -> None:
    for security in ("tls", "starttls"):
        with imap.connect(dovecot.imap_endpoint(security), dovecot.credential(user)) as session:
            assert {"QRESYNC", "CONDSTORE", "MOVE", "ESEARCH", "UIDPLUS"} <= session.capabilities
            assert session.noop() == []
        assert session.closed


def test_a_wrong_password_is_told_apart_and_not_quoted(dovecot: Dovecot, user: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        imap.connect(dovecot.imap_endpoint(), Credential(user, Secret("gehäim-wröng")))
    assert caught.value.response_code == "AUTHENTICATIONFAILED"
    assert "wröng" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_authority_is_refused(dovecot: Dovecot, user: str) -> None:
    with pytest.raises(TlsFailed):
        imap.connect(replace(dovecot.imap_endpoint(), ca_pem=""), dovecot.credential(user))


def test_mailboxes_of_odd_names_are_listed_opened_and_renamed(session: imap.Session) -> None:
    for parent, name in ((b"", "Tom & Jerry"), (b"", 'a "b" \\c'), (b"Tom &- Jerry", "日本語 😀")):
        session.create(child_name(parent, name, delimiter="/"))
    session.create(b"{5}")
    listed = {display_path(box.wire_name, box.delimiter): box for box in session.list_mailboxes()}
    assert {("Tom & Jerry",), ('a "b" \\c',), ("Tom & Jerry", "日本語 😀"), ("{5}",)} <= listed.keys()
    for path in (("Tom & Jerry", "日本語 😀"), ('a "b" \\c',), ("{5}",)):
        wire_name = listed[path].wire_name
        assert session.select(wire_name, read_only=True).exists == 0
        session.unselect()
        session.rename(wire_name, to=b"Renamed")
        assert session.status(b"Renamed").messages == 0
        session.delete(b"Renamed")


def test_listing_tells_use_subscription_and_status(session: imap.Session) -> None:
    session.append(b"INBOX", message(1))
    session.create(b"Unloved")
    session.subscribe(b"Unloved")
    session.unsubscribe(b"Unloved")
    boxes = {box.wire_name: box for box in session.list_mailboxes()}
    uses = special_uses(boxes.values())
    assert {b"Sent": "sent", b"Trash": "trash", b"INBOX": "inbox"}.items() <= uses.items()
    assert (boxes[b"Sent"].subscribed, boxes[b"Unloved"].subscribed) == (True, False)
    status = boxes[b"INBOX"].status or session.status(b"INBOX")
    assert (status.messages, status.uidnext, status.unseen) == (1, 2, 1)
    assert (status.highestmodseq is not None) == ("CONDSTORE" in session.capabilities)


def test_header_rows(session: imap.Session) -> None:
    when = dt.datetime(2020, 2, 29, 23, 30, 5, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30)))
    placed = session.append(b"INBOX", message(1), flags=["\\Seen", "$Forwarded"], internaldate=when)
    session.append(b"INBOX", message(2))
    selected = session.select(b"INBOX", read_only=False)
    assert (selected.exists, selected.uidnext, selected.read_only) == (2, 3, False)
    assert selected.keeps_flag("$Label")
    assert (placed.uid, placed.uidvalidity) == (1, selected.uidvalidity)
    by_uid = list(session.fetch_headers(UidSet.span(1, 4_000_000_000)))
    assert list(session.fetch_headers(sequence=(1, 2))) == by_uid
    first = by_uid[0]
    assert isinstance(first, HeaderRow)
    assert first.flags - {"\\Recent"} == {"\\Seen", "$Forwarded"}
    assert first.internaldate == when
    assert first.size == len(message(1))
    assert first.bodystructure.startswith(b'("text" "plain"')
    assert b"Subject: number 1\r\n" in first.header
    assert (first.modseq is not None) == ("CONDSTORE" in session.capabilities)


def test_flags_and_what_changed_since(dovecot: Dovecot, user: str) -> None:
    dovecot.load_maildir(user, (message(n) for n in range(1, 11)))
    with open_session(dovecot, user) as mine, open_session(dovecot, user) as other:
        before = mine.select(b"INBOX", read_only=False)
        other.select(b"INBOX", read_only=False)
        other.store_flags(UidSet.of(2, 3, 5), add=["\\Flagged"])
        other.store_flags(UidSet.of(3), remove=["\\Flagged"])
        other.store_flags(UidSet.of(9), add=["\\Deleted"])
        assert other.expunge(UidSet.of(9, 10))
        assert before.highestmodseq is not None
        assert before.keeps_flag("\\Seen")
        news = mine.noop()
        assert Vanished(UidSet.of(9)) in news
        assert {event.uid for event in news if isinstance(event, FlagRow)} == {2, 3, 5}
        rows = list(mine.fetch_flags(UidSet.span(1, 10), changed_since=before.highestmodseq))
        assert {row.uid: "\\Flagged" in row.flags for row in rows if isinstance(row, FlagRow)} == {
            2: True,
            3: False,
            5: True,
        }
        assert Vanished(UidSet.of(9), earlier=True) in rows
        assert len([row for row in mine.fetch_flags(UidSet.span(1, 10)) if isinstance(row, FlagRow)]) == 9


def test_qresync_brings_the_past_along(dovecot: Dovecot, user: str) -> None:
    dovecot.load_maildir(user, (message(n) for n in range(1, 11)))
    with open_session(dovecot, user) as session:
        before = session.select(b"INBOX", read_only=False)
        session.store_flags(UidSet.of(4), add=["\\Seen"])
        session.store_flags(UidSet.of(7, 8), add=["\\Deleted"])
        session.expunge(UidSet.of(7, 8))
        session.unselect()
        assert before.highestmodseq is not None
        held = (before.uidvalidity, before.highestmodseq)
        after = session.select(b"INBOX", read_only=True, qresync=held)
        assert after.resynced
        assert (after.vanished, after.exists, after.read_only) == (UidSet.of(7, 8), 8, True)
        assert [(row.uid, "\\Seen" in row.flags) for row in after.changed] == [(4, True)]
        stale = session.select(b"INBOX", read_only=True, qresync=(before.uidvalidity + 1, before.highestmodseq))
        assert (stale.resynced, stale.vanished, stale.changed) == (False, UidSet(), ())


def test_uids_are_found_completely(dovecot: Dovecot, user: str, session: imap.Session) -> None:
    dovecot.load_maildir(user, (message(n) for n in range(1, 31)))
    gone = UidSet.of(1, 7, 8, 30)
    dovecot.doveadm("expunge", "-u", user, "mailbox", "INBOX", "uid", str(gone))
    assert session.select(b"INBOX", read_only=False).exists == 26
    assert session.search_uids(1, 4_294_967_295) == UidSet.span(1, 30) - gone
    assert session.search_uids(5, 10) == UidSet.of(5, 6, 9, 10)
    assert session.search_uids(31, 40) == UidSet()


def test_a_message_is_found_by_its_id_among_the_new_ones(session: imap.Session) -> None:
    for n in (1, 2, 1):
        session.append(b"INBOX", message(n))
    session.select(b"INBOX", read_only=True)
    assert session.search_message_id("<m1@example.org>", since_uid=2) == UidSet.of(3)
    assert session.search_message_id("<m1@example.org>", since_uid=4) == UidSet()
    assert session.search_message_id('<x" OR ALL\r\nX DELETE INBOX\r\n>', since_uid=1) == UidSet()


def test_bodies_whole_in_part_and_streamed(session: imap.Session) -> None:
    big = message(1, body="0123456789" * 30_000)
    for data in (big, message(2)):
        session.append(b"INBOX", data)
    session.select(b"INBOX", read_only=False)
    assert session.fetch_section(1, "", max_bytes=10**6) == big
    assert session.fetch_section(1, "1", max_bytes=5) == b"01234"
    assert session.fetch_section(1, "TEXT", max_bytes=100, partial=(3, 4)) == b"3456"
    assert dict(session.fetch_sections({1: "1", 2: "1", 77: "1"}, first_bytes=6)) == {1: b"012345", 2: b"hello\r"}
    taken = io.BytesIO()
    assert session.stream_body(1, "", taken.write, chunk=4096) == len(big)
    assert taken.getvalue() == big
    with pytest.raises(CommandFailed) as caught:
        session.fetch_section(77, "1", max_bytes=5)
    assert caught.value.code == "NONEXISTENT"
    assert not any("\\Seen" in row.flags for row in session.fetch_flags(UidSet.of(1, 2)) if isinstance(row, FlagRow))


def test_move_takes_only_what_it_was_told(session: imap.Session) -> None:
    for n in range(1, 5):
        session.append(b"INBOX", message(n))
    session.select(b"INBOX", read_only=False)
    session.store_flags(UidSet.of(4), add=["\\Deleted"])  # somebody else's, not ours to expunge
    moved = session.move(UidSet.of(1, 3), b"Trash")
    assert (moved.uids, moved.uidvalidity) == ({1: 1, 3: 2}, session.status(b"Trash").uidvalidity)
    assert session.status(b"Trash").messages == 2
    left = {row.uid: row.flags for row in session.fetch_flags(UidSet.span(1, 9)) if isinstance(row, FlagRow)}
    if "MOVE" in session.capabilities:
        assert not moved.left_deleted
        assert left.keys() == {2, 4}
    else:
        assert moved.left_deleted == UidSet.of(1, 3)
        assert [uid for uid in left if "\\Deleted" in left[uid]] == [1, 3, 4]


def test_a_copy_that_fails_touches_nothing(session: imap.Session) -> None:
    session.append(b"INBOX", message(1))
    session.select(b"INBOX", read_only=False)
    with pytest.raises(CommandFailed) as caught:
        session.move(UidSet.of(1), b"No such place")
    assert caught.value.code in ("TRYCREATE", "NONEXISTENT")
    assert [row.flags & {"\\Deleted"} for row in session.fetch_flags(UidSet.of(1)) if isinstance(row, FlagRow)] == [
        frozenset()
    ]


def test_many_scattered_uids_take_several_short_commands(dovecot: Dovecot, user: str, session: imap.Session) -> None:
    dovecot.load_maildir(user, (message(n) for n in range(1, 1001)))
    session.select(b"INBOX", read_only=False)
    odd = UidSet.collect(range(1, 1001, 2))
    session.store_flags(odd, add=["\\Seen"])
    seen = [row.uid for row in session.fetch_flags(odd) if isinstance(row, FlagRow) and "\\Seen" in row.flags]
    assert seen == list(odd)
    assert len(session.copy(odd, b"Archive").uids) == 500


def test_a_full_mailbox_refuses_before_the_message_is_sent(dovecot: Dovecot) -> None:
    with open_session(dovecot, dovecot.add_user(quota="10K")) as session:
        with pytest.raises(CommandFailed) as caught:
            session.append(b"INBOX", message(1, body="x" * 200_000))
        assert (caught.value.code, caught.value.permanent) == ("OVERQUOTA", True)
        assert session.noop() == []


def test_rows_left_unread_do_not_confuse_the_next_command(dovecot: Dovecot, user: str) -> None:
    dovecot.load_maildir(user, (message(n) for n in range(1, 501)))
    with open_session(dovecot, user) as session:
        session.select(b"INBOX", read_only=True)
        rows = session.fetch_headers(UidSet.span(1, 500))
        assert isinstance(next(rows), HeaderRow)
        assert session.status(b"Sent").messages == 0
        with pytest.raises(RuntimeError):
            list(rows)
        assert len([row for row in session.fetch_headers(UidSet.span(1, 500)) if not isinstance(row, BadRow)]) == 500


def test_idle_wakes_on_new_mail_and_ends_when_asked(dovecot: Dovecot, user: str) -> None:
    idle = idle_socket(dovecot.imap_endpoint(), dovecot.credential(user))
    idle.sock.setblocking(True)
    idle.sock.settimeout(20)

    def hear(lines: IdleLines, *wanted: Signal) -> None:
        heard = lines.feed(b"")
        while not set(wanted) & set(heard):
            heard = lines.feed(idle.sock.recv(4096))

    for _ in range(2):
        idle.sock.sendall(idle.lines.start())
        hear(idle.lines, Signal.IDLING)
        dovecot.deliver(user, message(1))
        hear(idle.lines, Signal.WAKE)
        idle.sock.sendall(idle.lines.end())
        hear(idle.lines, Signal.ENDED)
    assert isinstance(idle.sock, ssl.SSLSocket)
    idle.sock.close()


def test_new_mail_is_news(dovecot: Dovecot, user: str) -> None:
    with open_session(dovecot, user) as session:
        session.select(b"INBOX", read_only=True)
        dovecot.deliver(user, message(1), message(2))
        assert Exists(2) in session.noop()
        assert not any(isinstance(event, Notice) for event in session.drain_events())


def test_passwords_beyond_ascii_and_with_quotes(dovecot: Dovecot) -> None:
    for number, password in enumerate(('p"a\\s{5}', "pässwörd", "пароль")):
        user = dovecot.add_user(f"letters{number}")
        edit_account(dovecot, user, PASSWORD, password)
        with imap.connect(dovecot.imap_endpoint(), Credential(user, Secret(password))) as session:
            assert session.select(b"INBOX", read_only=True).exists == 0
