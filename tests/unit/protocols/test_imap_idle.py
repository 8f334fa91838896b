"""What lines mean to a watcher, however they are cut."""

import pytest

from webmail.protocols.imap_idle import LINE_LIMIT, IdleLines, Signal

TALK = (
    b"+ idling\r\n* 5 EXISTS\r\n* 3 FETCH (X {12}\r\n* BYE\r\n* BYE)\r\n* OK Still here\r\n* VANISHED 3\r\n"
    b"* 1 RECENT\r\nI1 OK done\r\n"
)
HEARD = [
    Signal.IDLING,
    Signal.WAKE,
    Signal.WAKE,
    Signal.ALIVE,
    Signal.ALIVE,
    Signal.WAKE,
    Signal.WAKE,
    Signal.ENDED,
]


def idling() -> IdleLines:
    lines = IdleLines()
    assert lines.start() == b"I1 IDLE\r\n"
    assert lines.end() == b"DONE\r\n"
    return lines


def test_a_talk_cut_at_every_byte() -> None:
    for cut in range(len(TALK) + 1):
        lines = idling()
        assert lines.feed(TALK[:cut]) + lines.feed(TALK[cut:]) == HEARD, cut


def test_data_before_the_continuation_wakes() -> None:
    lines = IdleLines(b"* 7 EXIS")
    lines.start()
    assert lines.feed(b"TS\r\n+ idling\r\n") == [Signal.WAKE, Signal.IDLING]


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        (b"I1 NO not here", Signal.REFUSED),
        (b"I1 BAD what", Signal.REFUSED),
        (b"I1 OK ended by me", Signal.REFUSED),
        (b"* BYE shutting down", Signal.BYE),
        (b"* bye", Signal.BYE),
        (b"* OK Still here {5}", Signal.ALIVE),
        (b"* 1 EXPUNGE", Signal.WAKE),
        (b"I10 OK", Signal.ALIVE),
    ],
)
def test_lines(line: bytes, signal: Signal) -> None:
    lines = IdleLines()
    lines.start()
    assert lines.feed(line + b"\r\n* 1 EXISTS\r\n") == [signal, Signal.WAKE]


def test_the_end_of_the_last_idle_is_not_the_end_of_this_one() -> None:
    lines = idling()
    assert lines.start() == b"I2 IDLE\r\n"
    lines.end()
    assert lines.feed(b"I1 OK\r\nI2 OK\r\n") == [Signal.ALIVE, Signal.ENDED]


def test_an_endless_line_is_cut_off_once() -> None:
    lines = idling()
    heard = [signal for _ in range(100) for signal in lines.feed(b"x" * 1000)]
    assert heard == [Signal.TOO_LONG]
    assert lines.feed(b"\r\n* 1 EXISTS\r\n") == []
    assert idling().feed(b"* " + b"x" * LINE_LIMIT + b"\r\n") == [Signal.TOO_LONG]
