"""IDLE for a loop that watches thousands of sockets: the login is done here, the waiting is not.

Invariants: `IdleLines` does no I/O and holds at most one line of LINE_LIMIT bytes; every kind of news is a WAKE, since
what changed is for the sync to find out; nothing the server says is quoted. RFC 2177.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import Enum

from webmail.protocols.errors import CommandFailed
from webmail.protocols.imap import connect
from webmail.protocols.net import Credential, Endpoint

LINE_LIMIT = 64 * 1024
_NEWS = re.compile(rb"\* (?:\d{1,10} (?:EXISTS|EXPUNGE|FETCH|RECENT)|VANISHED)(?: |\Z)", re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d{1,9})\+?\}\Z")


class Signal(Enum):
    """What a line means to a watcher."""

    IDLING = "idling"
    """The server agreed to IDLE."""
    WAKE = "wake"
    """Something changed in the mailbox."""
    ALIVE = "alive"
    """The server said something without news: the connection lives."""
    ENDED = "ended"
    """IDLE ended as we asked with DONE."""
    REFUSED = "refused"
    """The server answered NO or BAD, or ended IDLE by itself."""
    BYE = "bye"
    """The server hangs up."""
    TOO_LONG = "too-long"
    """A line beyond the limit, or none of the protocol: hang up."""


class IdleLines:
    """One connection's talk while idling. Send `start()`, feed what comes, send `DONE` to end; start again at will."""

    __slots__ = ("_asked_to_end", "_broken", "_held", "_number", "_skip")

    DONE = b"DONE\r\n"

    def __init__(self, leftover: bytes = b"") -> None:
        self._held = leftover
        self._number = 0
        self._skip = 0
        self._asked_to_end = False
        self._broken = False

    def start(self) -> bytes:
        """The bytes of a new IDLE command."""
        self._number += 1
        self._asked_to_end = False
        return self._tag + b" IDLE\r\n"

    def end(self) -> bytes:
        """The bytes that end the command under way."""
        self._asked_to_end = True
        return self.DONE

    def feed(self, data: bytes) -> list[Signal]:
        """Signals of the lines completed by these bytes. Nothing more comes after TOO_LONG."""
        if self._broken:
            return []
        self._held += data
        signals: list[Signal] = []
        while not self._broken:
            self._pass_literal()
            line, found, rest = self._held.partition(b"\n")
            if self._skip or not found:
                break
            self._held = rest
            signals.append(self._judge(line.rstrip(b"\r")))
        if len(self._held) > LINE_LIMIT:
            self._broken = True
            signals.append(Signal.TOO_LONG)
        return signals

    @property
    def _tag(self) -> bytes:
        return b"I%d" % self._number

    def _pass_literal(self) -> None:
        gone = min(self._skip, len(self._held))
        self._held = self._held[gone:]
        self._skip -= gone

    def _judge(self, line: bytes) -> Signal:
        literal = _LITERAL.search(line)
        if line[:2] == b"* " and literal and b" OK " not in line[:6].upper():
            self._skip = int(literal[1])
        if len(line) > LINE_LIMIT:
            self._broken = True
            return Signal.TOO_LONG
        if line[:1] == b"+":
            return Signal.IDLING
        if line[:5].upper() == b"* BYE":
            return Signal.BYE
        if _NEWS.match(line):
            return Signal.WAKE
        if line.startswith(self._tag + b" "):
            done = self._asked_to_end and line[len(self._tag) + 1 :][:2].upper() == b"OK"
            return Signal.ENDED if done else Signal.REFUSED
        return Signal.ALIVE


@dataclass(frozen=True, slots=True)
class IdleSocket:
    """A non-blocking TLS socket, logged in, its mailbox open read-only; `lines` already holds what was read ahead."""

    sock: socket.socket
    lines: IdleLines


def idle_socket(
    endpoint: Endpoint, credential: Credential, wire_name: bytes = b"INBOX", *, deadline: float = 60.0
) -> IdleSocket:
    """Log in (blocking, at most a few deadlines of seconds), open the mailbox and hand over the socket.

    Send `lines.start()` on it, give what is read (until the socket would block) to `lines.feed`.
    Raises MailServerError; CommandFailed with code IDLE where the server has no IDLE.
    """
    session = connect(endpoint, credential, deadline=deadline)
    try:
        if "IDLE" not in session.capabilities:
            raise CommandFailed("the server offers no IDLE", code="IDLE", permanent=True)
        session.select(wire_name, read_only=True)
        sock, leftover = session.detach()
    except BaseException:
        session.logout()
        raise
    sock.setblocking(False)
    return IdleSocket(sock, IdleLines(leftover))
