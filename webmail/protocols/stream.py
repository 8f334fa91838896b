"""Lines and bytes over one connection, with a clock. POP3 and SMTP speak through it.

Invariants: every wait ends: a command has a patience in seconds, and only bytes that arrive faster than a trickle
extend it; no line is held beyond a limit; after any failure the socket is closed and stays so; what came in the
clear before TLS is gone after TLS (RFC 3207 section 4.2, RFC 2595 section 4).
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import NoReturn

from webmail.protocols.errors import ConnectionLost, ProtocolViolation, classify
from webmail.protocols.net import Endpoint, start_tls

CHUNK = 65536
SLOWEST_RATE = 8192  # bytes a second: slower than this for longer than the patience is a trickle
LINE_LIMIT = 1024 * 1024


class LineStream:
    """One connection. Methods raise ConnectionLost and ProtocolViolation, and the stream is then closed."""

    def __init__(
        self, sock: socket.socket, endpoint: Endpoint, *, patience: float = 60.0, line_limit: int = LINE_LIMIT
    ) -> None:
        self._sock = sock
        self._endpoint = endpoint
        self._patience = patience
        self._line_limit = line_limit
        self._buffer = bytearray()
        self._open = True
        self._deadline = 0.0
        self.restart_clock()

    def restart_clock(self, seconds: float | None = None) -> None:
        """A new command begins and may take so many seconds (the stream's patience unless told)."""
        self._deadline = time.monotonic() + (self._patience if seconds is None else seconds)

    @property
    def idle(self) -> bool:
        """Whether nothing has come that was not read."""
        return not self._buffer

    def send(self, data: bytes) -> None:
        """Write all of `data` within the command's clock."""
        try:
            self._wait_at_most()
            self._sock.sendall(data)
            self._deadline += len(data) / SLOWEST_RATE
        except (OSError, ValueError) as exc:
            self._fail(exc)

    def read_line(self) -> bytes:
        """The next line without its CRLF (or LF)."""
        end = self._buffer.find(b"\n")
        while end < 0 and len(self._buffer) <= self._line_limit:
            searched = len(self._buffer)
            self._fill()
            end = self._buffer.find(b"\n", searched)
        if not 0 <= end <= self._line_limit:
            self.close()
            raise ProtocolViolation("a line beyond the limit")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def read_chunk(self) -> bytes:
        """Whatever came next: at least one byte."""
        if not self._buffer:
            self._fill()
        chunk = bytes(self._buffer)
        self._buffer.clear()
        return chunk

    def unread(self, data: bytes) -> None:
        """Give back what belongs to the next reply."""
        self._buffer[:0] = data

    def poll(self) -> bool:
        """Whether the server has spoken out of turn, without waiting. Raises ConnectionLost when it hung up."""
        try:
            self._sock.settimeout(0)
            data = self._sock.recv(CHUNK)
        except (ssl.SSLWantReadError, BlockingIOError):
            return not self.idle
        except (OSError, ValueError) as exc:
            self._fail(exc)
        self._take(data)
        return True

    def start_tls(self) -> None:
        """Go on under verified TLS; whatever the server had sent ahead in the clear is discarded."""
        try:
            self._wait_at_most()
            self._sock = start_tls(self._sock, self._endpoint)
        except BaseException:
            self.close()
            raise
        self._buffer.clear()

    def close(self) -> None:
        """Hang up. Never raises; may be called again."""
        self._open = False
        self._buffer.clear()
        try:
            self._sock.close()
        except OSError:
            pass

    def _wait_at_most(self) -> None:
        if not self._open:
            raise ConnectionLost("the connection is closed")
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)

    def _fill(self) -> None:
        try:
            self._wait_at_most()
            data = self._sock.recv(CHUNK)
        except (OSError, ValueError) as exc:
            self._fail(exc)
        self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            self.close()
            raise ConnectionLost("the server hung up")
        self._deadline += len(data) / SLOWEST_RATE
        self._buffer += data

    def _fail(self, exc: OSError | ValueError) -> NoReturn:
        self.close()
        if isinstance(exc, TimeoutError):
            raise ConnectionLost("no answer in time") from None
        if isinstance(exc, ssl.SSLError):  # the handshake is behind us, so this is a line that broke
            raise ConnectionLost("the secured connection broke") from None
        raise classify(exc) from None
