"""The socket with a clock: every wait has an end, and after any failure the connection is closed for good.

Invariants: a command's deadline is wall-clock time, so a byte a second does not extend it; the time a caller takes
over a row is not the server's and is given back by `extend`; what arrived in the clear before TLS is thrown away.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import NoReturn

from webmail.protocols.errors import ConnectionLost, MailServerError, ProtocolViolation, classify
from webmail.protocols.net import Endpoint, start_tls

READ_SIZE = 256 * 1024
WRITE_SIZE = 64 * 1024
LINE_LIMIT = 64 * 1024
LOGIN_LIMIT = 1024 * 1024  # bytes a server may say before it has let us in


class Channel:
    """One connection. `read_line` and `read` serve the login; afterwards `take_ahead` and `receive` do."""

    def __init__(self, sock: socket.socket, *, patience: float) -> None:
        self._sock = sock
        self._ahead = bytearray()
        self._said = 0
        self._closed = False
        self._deadline = 0.0
        self.restart_clock(patience)

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._closed

    def restart_clock(self, seconds: float) -> None:
        """A new command begins and may take so many seconds."""
        self._deadline = time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Give back time that was not the server's."""
        self._deadline += seconds

    def receive(self) -> bytes:
        """The next bytes, at least one. Raises ConnectionLost."""
        try:
            self._wait_at_most()
            data = self._sock.recv(READ_SIZE)
        except (OSError, ValueError) as exc:
            self.fail(exc)
        if not data:
            self.close()
            raise ConnectionLost("the server hung up")
        return data

    def ready(self) -> bytes:
        """What has come already, without waiting; may be empty. Raises ConnectionLost."""
        if self._closed:
            raise ConnectionLost("the connection is closed")
        try:
            self._sock.settimeout(0)
            data = self._sock.recv(READ_SIZE)
        except OSError as exc:
            if would_block(exc):
                return b""
            self.fail(exc)
        if not data:
            self.close()
            raise ConnectionLost("the server hung up")
        return data

    def send(self, data: bytes) -> None:
        """Write all of it before the deadline. Raises ConnectionLost."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), WRITE_SIZE):
                self._wait_at_most()
                self._sock.sendall(view[start : start + WRITE_SIZE])
        except (OSError, ValueError) as exc:
            self.fail(exc)

    def read_line(self) -> bytes:
        """The next line with its line end."""
        searched = 0
        while (end := self._ahead.find(b"\n", searched)) < 0:
            searched = len(self._ahead)
            if searched > LINE_LIMIT:
                self.close()
                raise ProtocolViolation("the server sent a line longer than we take")
            self._fill()
        return self._take(end + 1)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        if size > LINE_LIMIT:
            self.close()
            raise ProtocolViolation("the server announced more data than we take")
        while len(self._ahead) < size:
            self._fill()
        return self._take(size)

    def take_ahead(self) -> bytes:
        """What was read and not asked for yet."""
        return self._take(len(self._ahead))

    def start_tls(self, endpoint: Endpoint) -> None:
        """Go on under verified TLS; what the server had sent ahead in the clear is discarded (RFC 9051 11.1)."""
        self._ahead.clear()
        try:
            self._wait_at_most()
            self._sock = start_tls(self._sock, endpoint)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up. Never raises; may be called again."""
        self._closed = True
        self._ahead.clear()
        try:
            self._sock.close()
        except OSError:
            pass

    def detach(self) -> socket.socket:
        """Give the socket away; the channel is closed without hanging up."""
        self._closed = True
        return self._sock

    def fail(self, exc: BaseException) -> NoReturn:
        """Hang up and raise the error of our tree for this one."""
        self.close()
        if isinstance(exc, MailServerError):
            raise exc
        if isinstance(exc, TimeoutError):
            raise ConnectionLost("no answer in time") from None
        if isinstance(exc, ssl.SSLError):  # the handshake is behind us, so this is a line that broke
            raise ConnectionLost("the secured connection broke") from None
        raise classify(exc) from None

    def _fill(self) -> None:
        data = self.receive()
        self._said += len(data)
        if self._said > LOGIN_LIMIT:
            self.close()
            raise ProtocolViolation("the server talks without end")
        self._ahead += data

    def _take(self, size: int) -> bytes:
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data

    def _wait_at_most(self) -> None:
        if self._closed:
            raise ConnectionLost("the connection is closed")
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)


def would_block(exc: OSError) -> bool:
    """Whether a non-blocking read merely found nothing, over TLS or not."""
    return isinstance(exc, (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError))
