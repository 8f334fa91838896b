"""The command layer: one command at a time, its untagged responses streamed, its tagged one turned into an outcome.

Invariants: every untagged line is either handed to the command under way or becomes an event, none is lost but for
news beyond EVENTS_KEPT, and that loss is itself an event; after a timeout, a BYE or a violation the connection is
closed and every later command raises ConnectionLost; a command abandoned half-read is drained before the next.
RFC 9051 sections 2.2 and 5.5.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import NoReturn

from webmail.protocols.errors import (
    CommandFailed,
    ConnectionLost,
    MailServerError,
    ProtocolViolation,
    Throttled,
    classify_reply,
)
from webmail.protocols.imap_wire.channel import Channel
from webmail.protocols.imap_wire.encode import Argument, Streamed, encode_command
from webmail.protocols.imap_wire.fetch import flag_row
from webmail.protocols.imap_wire.limits import HEADERS, Limits
from webmail.protocols.imap_wire.replies import Text, kind_of, parse_text, parse_vanished
from webmail.protocols.imap_wire.scanner import Response, Scanner
from webmail.protocols.values import BadRow, Event, Exists, Expunged, Notice, Unidentified, Vanished

EVENTS_KEPT = 10_000
PIECE = 256 * 1024  # of a message on its way to the server
_TAGGED = re.compile(rb"([A-Za-z0-9.]{1,40}) (OK|NO|BAD)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_STATUS = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)


class Wire:
    """A logged-in connection. `capabilities` are upper-case; `events()` is what the server volunteered."""

    def __init__(self, channel: Channel, *, patience: float = 60.0) -> None:
        self.capabilities: frozenset[str] = frozenset()
        self.patience = patience
        self.completion = Text(b"", b"", b"")  # of the last command that succeeded
        self._channel = channel
        self._scanner = Scanner()
        self._scanner.feed(channel.take_ahead())
        self._tags = (b"M%d" % number for number in count(1))
        self._running: bytes | None = None
        self._events: deque[Event] = deque()
        self._leaving = False

    @property
    def closed(self) -> bool:
        """Whether the connection is gone for good."""
        return self._channel.closed

    def close(self) -> None:
        """Hang up. Never raises."""
        self._channel.close()

    def events(self) -> tuple[Event, ...]:
        """What the server volunteered and nobody took yet."""
        return tuple(self._events)

    def take_events(self) -> list[Event]:
        """What the server volunteered since the last call, in order."""
        events = list(self._events)
        self._events.clear()
        return events

    def run(self, *arguments: Argument, patience: float | None = None, limits: Limits = HEADERS) -> Iterator[Response]:
        """Send a command and stream its untagged responses; those the caller does not want go to `volunteer`.

        Raises ValueError before a byte is sent; CommandFailed or Throttled for NO and BAD, the connection lives on;
        ConnectionLost or ProtocolViolation, the connection is closed. `completion` then holds the tagged text.
        """
        tag = next(self._tags)
        segments = encode_command(tag, arguments, self.capabilities)
        self._make_way()
        self._scanner.limits = limits
        self._channel.restart_clock(self.patience if patience is None else patience)
        self._running = tag
        for segment in segments:
            self._send(segment.data)
            if segment.wait:
                self._wait_for_go(tag)
        return self._responses(tag)

    def finish(self, *arguments: Argument, patience: float | None = None) -> Text:
        """Run a command whose untagged responses are only news. Returns the tagged text."""
        for response in self.run(*arguments, patience=patience):
            self.volunteer(response)
        return self.completion

    def collect(
        self, wanted: bytes, *arguments: Argument, patience: float | None = None, most: int = 100_000
    ) -> list[Response]:
        """Run a command and keep the responses of one kind, at most so many; the rest is news."""
        kept: list[Response] = []
        for response in self.run(*arguments, patience=patience):
            if kind_of(response)[0] != wanted:
                self.volunteer(response)
            elif len(kept) >= most:
                self.violated("the server sent more lines than we take")
            else:
                kept.append(response)
        return kept

    def volunteer(self, response: Response) -> None:
        """File a response that answers no question of ours as an event."""
        kind, number = kind_of(response)
        reader = _READERS.get(kind)
        event = reader(response, number) if reader is not None else None
        if event is not None:
            self.file_event(event)

    def file_event(self, event: Event) -> None:
        """File an event that a command's reader made itself."""
        if isinstance(event, Exists) and self._events and isinstance(self._events[-1], Exists):
            self._events.pop()
        if len(self._events) < EVENTS_KEPT:
            self._events.append(event)
        elif len(self._events) == EVENTS_KEPT:
            self._events.append(Notice("OVERFLOW", ""))

    def poll(self) -> None:
        """Read news that has already arrived, without waiting and without a command."""
        self._make_way()
        data = self._channel.ready()
        while data:
            self._scanner.feed(data)
            while (response := self._next()) is not None:
                if response.chunks[0][:2] != b"* ":
                    self._channel.fail(_violation(response.chunks[0]))
                self._heed_bye(response.chunks[0])
                self.volunteer(response)
            data = self._channel.ready()

    def leave(self) -> None:
        """LOGOUT, then hang up. Never raises."""
        self._leaving = True
        try:
            self.finish(b"LOGOUT", patience=min(self.patience, 5.0))
        except (MailServerError, RuntimeError):
            pass
        self.close()

    def detach(self) -> tuple[Channel, bytes]:
        """Give up the connection between two commands: the channel and what was read ahead."""
        self._make_way()
        try:
            return self._channel, self._scanner.leftover()
        except ProtocolViolation as exc:
            self._channel.fail(exc)

    def violated(self, reason: str) -> NoReturn:
        """End the session over something the protocol does not allow."""
        self._channel.fail(ProtocolViolation(reason))

    def _send(self, data: bytes | Streamed) -> None:
        """A file that gives less than it promised leaves the server waiting for the rest: the session ends."""
        if isinstance(data, bytes):
            self._channel.send(data)
            return
        left = data.size
        while left:
            try:
                piece = data.file.read(min(left, PIECE))
            except OSError as exc:
                self._channel.close()
                raise ConnectionLost("what was to be sent could not be read") from exc
            if not piece:
                self._channel.fail(ConnectionLost("what was to be sent ended early"))
            self._channel.send(piece)
            left -= len(piece)

    def _make_way(self) -> None:
        if self._channel.closed:
            raise ConnectionLost("the connection is closed")
        if self._running is None:
            return
        try:
            for response in self._responses(self._running):
                self.volunteer(response)
        except MailServerError:
            if self._channel.closed:
                raise

    def _next(self) -> Response | None:
        try:
            return self._scanner.next()
        except ProtocolViolation as exc:
            self._channel.fail(exc)

    def _read(self) -> Response:
        while (response := self._next()) is None:
            self._scanner.feed(self._channel.receive())
        return response

    def _responses(self, tag: bytes) -> Iterator[Response]:
        """Untagged responses until the tagged one. The caller's own time between two is not counted."""
        most, clock = self._scanner.limits.responses, time.monotonic
        for number in count():
            if self._running != tag:
                raise RuntimeError("another command was run before this answer was read to its end")
            response = self._read()
            text = response.chunks[0]
            if text[:2] == b"* ":
                if number >= most:
                    self._channel.fail(ProtocolViolation("the server talks without end"))
                self._heed_bye(text)
                handed = clock()
                yield response
                self._channel.extend(clock() - handed)
            elif self._is_completion(text, tag):
                return

    def _heed_bye(self, text: bytes) -> None:
        if text[2:5].upper() == b"BYE" and not self._leaving:
            answer = classify_reply(text[6:])
            self._channel.fail(ConnectionLost(text[6:]) if type(answer) is CommandFailed else answer)

    def _is_completion(self, text: bytes, tag: bytes) -> bool:
        """Whether this is the end of our command. Raises for NO and BAD, and for what nobody may say here."""
        found = _TAGGED.match(text)
        if found is None or found[1] != tag:
            self._channel.fail(_violation(text))
        self._running = None
        words = found[3] or b""
        if found[2].upper() == b"OK":
            self.completion = parse_text(words)
            return True
        raise refusal(found[2].upper(), words)

    def _wait_for_go(self, tag: bytes) -> None:
        """Wait for the continuation request before a literal."""
        while True:
            response = self._read()
            text = response.chunks[0]
            if text[:1] == b"+":
                return
            if text[:2] == b"* ":
                self._heed_bye(text)
                self.volunteer(response)
            elif self._is_completion(text, tag):
                self._channel.fail(ProtocolViolation("the server accepted a command before its end"))


def refusal(word: bytes, text: bytes) -> MailServerError:
    """The error for a tagged NO or BAD; a BAD without a code gets the code BAD."""
    error = classify_reply(text)
    if word == b"BAD" and isinstance(error, CommandFailed) and not error.response_code:
        return CommandFailed(text, code="BAD")
    return error


def _violation(text: bytes) -> MailServerError:
    """What a line stands for that is neither data nor our answer: some servers give up without a tag."""
    answer = classify_reply(text[:200])
    if isinstance(answer, Throttled):
        return answer
    return ProtocolViolation("the server sent a line that is no response")


def _fetched(response: Response, number: int) -> Event | None:
    row = flag_row(response, depth=HEADERS.depth)
    return Unidentified(number) if isinstance(row, BadRow) else row


def _vanished(response: Response, number: int) -> Event | None:
    found = parse_vanished(response)
    return Vanished(found[1], found[0]) if found else None


def _notice(response: Response, number: int) -> Event | None:
    found = _STATUS.match(response.chunks[0])
    text = parse_text(found[2] or b"") if found else Text(b"", b"", b"")
    if text.code not in (b"ALERT", b"OVERQUOTA", b"INUSE", b"UNAVAILABLE", b"SERVERBUG"):
        return None
    error = classify_reply(text.words)
    return Notice(text.code.decode("ascii"), error.server_line)


_READERS: dict[bytes, Callable[[Response, int], Event | None]] = {
    b"EXISTS": lambda response, number: Exists(number),
    b"EXPUNGE": lambda response, number: Expunged(number),
    b"FETCH": _fetched,
    b"VANISHED": _vanished,
    b"OK": _notice,
    b"NO": _notice,
    b"BAD": _notice,
}
