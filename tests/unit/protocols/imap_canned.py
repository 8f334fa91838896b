"""A socket that gives canned bytes and keeps what was sent: the mock stands where the network would."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import cast

from webmail.protocols.imap import Session
from webmail.protocols.imap_wire.channel import Channel
from webmail.protocols.imap_wire.scanner import Response, Scanner
from webmail.protocols.imap_wire.wire import Wire

FULL = frozenset(
    {"IMAP4REV1", "CONDSTORE", "QRESYNC", "MOVE", "UIDPLUS", "ESEARCH", "UNSELECT", "LITERAL+", "OBJECTID"}
)
_TAG = re.compile(rb"(M\d+) ")


class Canned:
    """Each command (or literal that was waited for) takes the next reply, in which %T stands for its tag."""

    def __init__(self, *replies: bytes, piece: int = 65536) -> None:
        self.replies = list(replies)
        self.sent: list[bytes] = []
        self.closed = False
        self._pending = b""
        self._tag = b""
        self._piece = piece

    def sendall(self, data: bytes | memoryview) -> None:
        assert not self.closed
        self.sent.append(bytes(data))
        found = _TAG.match(self.sent[-1])
        self._tag = found[1] if found else self._tag
        if self.replies:
            self._pending += self.replies.pop(0).replace(b"%T", self._tag)

    def recv(self, size: int) -> bytes:
        if not self._pending:
            raise TimeoutError
        size = min(size, self._piece)
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def settimeout(self, seconds: float) -> None:
        assert seconds >= 0

    def close(self) -> None:
        self.closed = True


def wire_over(canned: Canned, capabilities: Iterable[str] = FULL) -> Wire:
    wire = Wire(Channel(cast(socket.socket, canned), patience=60))
    wire.capabilities = frozenset(capabilities)
    return wire


def session_over(canned: Canned, capabilities: Iterable[str] = FULL) -> Session:
    return Session(wire_over(canned, capabilities))


def response(raw: bytes) -> Response:
    """The one response that these bytes are."""
    scanner = Scanner()
    scanner.feed(raw + b"\r\n")
    found = scanner.next()
    assert found is not None
    assert scanner.next() is None
    return found
