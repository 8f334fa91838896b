"""The command layer against servers that lie, stall, flood and hang up."""

import ssl
from collections import deque
from types import SimpleNamespace

import pytest

from tests.unit.protocols.imap_canned import Canned, session_over, wire_over
from webmail.protocols.errors import CommandFailed, ConnectionLost, MailServerError, ProtocolViolation, Throttled
from webmail.protocols.imap_wire import channel, wire
from webmail.protocols.imap_wire.encode import Literal, String
from webmail.protocols.imap_wire.limits import Limits
from webmail.protocols.values import Exists, Expunged, FlagRow, Notice, UidSet, Unidentified, Vanished

OK = b"%T OK done\r\n"
ROWS = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (n, n) for n in range(1, 6))


def end_of(canned: Canned) -> MailServerError:
    """What a flag fetch over this server raises; the session must be dead thereafter, and stay so."""
    session = session_over(canned)
    with pytest.raises(MailServerError) as caught:
        list(session.fetch_flags(UidSet.span(1, 5)))
    assert canned.closed
    assert session.closed
    with pytest.raises(ConnectionLost):
        session.noop()
    assert len(canned.sent) == 1
    return caught.value


@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_rows_come_one_by_one_however_they_are_cut(piece: int) -> None:
    session = session_over(Canned(ROWS + OK, piece=piece))
    assert [row.uid for row in session.fetch_flags(UidSet.span(1, 5)) if isinstance(row, FlagRow)] == [1, 2, 3, 4, 5]


def test_an_alert_on_the_secured_line_is_a_connection_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the handshake it says nothing about whether the server can be trusted."""
    canned = Canned(ROWS)

    def alert(size: int) -> bytes:
        raise ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error")

    monkeypatch.setattr(canned, "recv", alert)
    assert isinstance(end_of(canned), ConnectionLost)


@pytest.mark.parametrize("cut", range(0, len(ROWS), 9))
def test_a_cut_connection_is_never_an_answer(cut: int) -> None:
    assert isinstance(end_of(Canned(ROWS[:cut])), ConnectionLost)


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (ROWS + b"* BYE gone\r\n", ConnectionLost),
        (ROWS + b"* BYE Too many connections\r\n", Throttled),
        (ROWS + b"M999 OK done\r\n", ProtocolViolation),
        (ROWS + b"hello\r\n", ProtocolViolation),
        (ROWS + b"+ go on\r\n", ProtocolViolation),
        (b"Server Unavailable. 15\r\n", Throttled),
        (b"* 1 FETCH (UID 1 X {99999999999}\r\n", ProtocolViolation),
        (b"* 1 FETCH (UID 1 X {67108865}\r\n", ProtocolViolation),
        (b"* " + b"x" * 9_000_000, ProtocolViolation),
    ],
    ids=["bye", "bye-busy", "wrong tag", "junk", "go on", "untagged", "literal", "64 MiB + 1", "endless line"],
)
def test_violations_end_the_session(talk: bytes, error: type[MailServerError]) -> None:
    assert isinstance(end_of(Canned(talk)), error)


def test_errors_do_not_quote_what_was_read() -> None:
    assert "hello" not in repr(end_of(Canned(b'hello from a broken row "secret"\r\n')))


def test_a_drip_runs_into_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(channel, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    canned = Canned(b"* 1 EXISTS\r\n" * 1000 + OK, piece=1)
    error = end_of(canned)
    assert isinstance(error, ConnectionLost)
    assert next(clock) < 70


def test_the_callers_time_is_not_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(channel, "time", clock)
    monkeypatch.setattr(wire, "time", clock)
    session = session_over(Canned(ROWS + OK, piece=8))
    for _ in session.fetch_flags(UidSet.span(1, 5)):
        now[0] += 3600
    assert not session.closed


def test_endless_untagged_lines_are_counted_and_not_kept() -> None:
    over = wire_over(Canned(b"* 5 EXPUNGE\r\n" * 30_000 + OK))
    heard = over.run(b"NOOP", limits=Limits(responses=20_000))
    with pytest.raises(ProtocolViolation):
        deque(map(over.volunteer, heard), maxlen=0)
    events = over.take_events()
    assert len(events) == wire.EVENTS_KEPT + 1
    assert events[-1] == Notice("OVERFLOW", "")


def test_refusals_leave_the_session_usable() -> None:
    session = session_over(Canned(b"%T NO [OVERQUOTA] full\r\n", b"%T BAD what\r\n", b"* 3 EXISTS\r\n" + OK))
    with pytest.raises(CommandFailed) as caught:
        session.create(b"x")
    assert (caught.value.code, caught.value.permanent) == ("OVERQUOTA", True)
    with pytest.raises(CommandFailed) as caught:
        session.create(b"x")
    assert (caught.value.code, caught.value.server_line) == ("BAD", "what")
    assert session.noop() == [Exists(3)]


def test_throttling_tells_when_to_come_back() -> None:
    session = session_over(Canned(b"%T NO Request is throttled. Suggested Backoff Time: 299910 milliseconds\r\n"))
    with pytest.raises(Throttled) as caught:
        session.noop()
    assert caught.value.retry_after == pytest.approx(299.91)


def test_a_completion_without_text_is_one() -> None:
    assert session_over(Canned(b"%T OK\r\n")).noop() == []


def test_volunteered_lines_become_events() -> None:
    talk = (
        b"* 4 EXISTS\r\n* 5 EXISTS\r\n* 1 RECENT\r\n* 2 EXPUNGE\r\n* VANISHED 7:9\r\n* FLAGS (\\Seen)\r\n"
        b"* 3 FETCH (FLAGS (\\Deleted))\r\n* 4 FETCH (UID 8 FLAGS (\\Seen))\r\n* 9 FETCH (FLAGS (\r\n"
        b"* OK [ALERT] Disk\x1b[2Jfull\r\n* OK Still here\r\n* X-JUNK {3}\r\nabc\r\n"
    )
    assert session_over(Canned(talk + OK)).noop() == [
        Exists(5),
        Expunged(2),
        Vanished(UidSet.span(7, 9)),
        Unidentified(3),
        FlagRow(8, frozenset({"\\Seen"})),
        Unidentified(9),
        Notice("ALERT", "Disk [2Jfull"),
    ]


def test_a_literal_waits_for_the_servers_word() -> None:
    canned = Canned(b"* 1 EXISTS\r\n+ go\r\n", OK)
    over = wire_over(canned, ())
    over.finish(b"SELECT", String(b"\xc3\xa4"))
    assert canned.sent == [b"M1 SELECT {2}\r\n", b"\xc3\xa4\r\n"]
    assert over.take_events() == [Exists(1)]


def test_a_refused_literal_is_not_sent() -> None:
    canned = Canned(b"%T NO [TOOBIG] no\r\n", OK)
    over = wire_over(canned, ())
    with pytest.raises(CommandFailed):
        over.finish(b"APPEND", String(b"x"), Literal(b"message"))
    over.finish(b"NOOP")
    assert canned.sent == [b'M1 APPEND "x" {7}\r\n', b"M2 NOOP\r\n"]


def test_a_command_accepted_before_its_end_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        wire_over(Canned(OK), ()).finish(b"APPEND", String(b"x"), Literal(b"message"))


def test_logout_hangs_up_whatever_happens() -> None:
    for talk in (b"* BYE\r\n%T OK\r\n", b"* BYE\r\n", b"junk\r\n", b""):
        canned = Canned(talk)
        session_over(canned).logout()
        assert canned.closed
        assert canned.sent == [b"M1 LOGOUT\r\n"]
