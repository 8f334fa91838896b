"""A proxy that stands between the app and a real server and makes the network, or the server, misbehave by rules.

It ends TLS with the run's certificate and speaks TLS to the server, so that rules see words. What they see is a unit:
from an IMAP server a whole response with its literals, from a client a line (or the data of one literal); of a protocol
without literals, lines both ways. A rule names a direction, a pattern searched in the unit, which match counts, and
what happens then:

    proxy.rule("to_client", rb"FETCH", cut(after=100))             # the first FETCH response breaks off
    proxy.rule("to_client", rb"CAPABILITY", without("MOVE"), nth=None)   # at every match

Every rule counts every unit it matches; of several whose turn it is, the first that was added acts.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from deploy.demo.tls import DemoCertificate, server_context
from webmail.protocols.net import Endpoint

Direction: TypeAlias = Literal["to_client", "to_server"]
Action: TypeAlias = Callable[["Pipe", bytes], object]
PATIENCE = 20.0
T = TypeVar("T")
_LITERAL = re.compile(rb"\{(\d{1,9})\+?\}\r\n\Z")
_STATUS = re.compile(rb"\S+ (?:OK|NO|BAD|BYE|PREAUTH) ", re.IGNORECASE)


class Broken(Exception):
    """A rule, or one of the two ends, has ended this connection."""


# --- what a rule may do ----------------------------------------------------------------------------------------------


def cut(after: int = 0, *, reset: bool = False) -> Action:
    """Pass so many bytes on, counted from the start of the unit and beyond its end, then hang up on both sides.

    With ``reset`` the client gets a RST instead of an orderly end.
    """
    return lambda pipe, unit: pipe.cut_after(after, unit, reset=reset)


def half_close() -> Action:
    """The unit still passes; then this direction ends while the other lives on."""

    def act(pipe: Pipe, unit: bytes) -> None:
        pipe.send(unit)
        pipe.halved = True
        pipe.target.finish(socket.SHUT_WR)
        raise Broken

    return act


def delay(seconds: float) -> Action:
    """The unit, and all behind it, comes so much later. The other direction is not held up."""

    def act(pipe: Pipe, unit: bytes) -> None:
        pipe.wait(seconds)
        pipe.send(unit)

    return act


def silence() -> Action:
    """From here on nothing passes in this direction, and nobody hangs up: a network that lost its way."""
    return lambda pipe, unit: pipe.wait(None)


def drop() -> Action:
    """The unit never arrives."""
    return lambda pipe, unit: None


def replace(new: bytes | Callable[[bytes], bytes], *, part: bytes | None = None) -> Action:
    """Other bytes arrive: ``new``, or what it makes of the unit; with ``part`` only what this pattern finds."""

    def act(pipe: Pipe, unit: bytes) -> None:
        if part is not None:
            pipe.send(re.sub(part, new if isinstance(new, bytes) else lambda found: new(found[0]), unit))
        else:
            pipe.send(new if isinstance(new, bytes) else new(unit))

    return act


def inject(*, before: bytes = b"", after: bytes = b"") -> Action:
    """Bytes that nobody sent stand around the unit."""
    return lambda pipe, unit: pipe.send(before + unit + after)


def duplicate() -> Action:
    """The unit arrives twice."""
    return lambda pipe, unit: pipe.send(unit + unit)


def split(size: int = 1, *, pause: float = 0.0) -> Action:
    """The unit arrives in pieces of so many bytes, each a segment of its own; with a pause it is throttled."""

    def act(pipe: Pipe, unit: bytes) -> None:
        for start in range(0, len(unit), size):
            pipe.send(unit[start : start + size])
            pipe.wait(pause)

    return act


def call(function: Callable[[], object]) -> Action:
    """Something happens elsewhere before the unit passes: another client acts just now."""

    def act(pipe: Pipe, unit: bytes) -> None:
        function()
        pipe.send(unit)

    return act


def without(*capabilities: str) -> Action:
    """For units that name capabilities: these are not among them."""
    words = b"|".join(re.escape(word.encode()) for word in capabilities)
    return replace(b"", part=rb"(?i) (?:" + words + rb")(?=[ \]\r])")


# --- the proxy -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Rule:
    """``seen`` counts the units that matched, ``hits`` those on which it acted."""

    direction: Direction
    pattern: re.Pattern[bytes]
    action: Action
    nth: int | None
    seen: int = 0
    hits: int = 0

    def due(self, direction: Direction, unit: bytes) -> bool:
        """Whether this unit is the one; counts it if it matches."""
        if direction != self.direction or not self.pattern.search(unit):
            return False
        self.seen += 1
        return self.nth in (None, self.seen)


class _Side:
    """One socket that one thread reads and another writes; TLS allows only one of them at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.resetting = self._over = False
        self._lock = threading.Lock()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)

    def receive(self) -> bytes:
        """What came, b"" at the end."""
        try:
            return self._when_ready(lambda: self.sock.recv(65536), reading=True)
        except (OSError, ValueError):
            return b""

    def send(self, data: bytes) -> None:
        """All of it. Raises Broken."""
        try:
            while data:
                rest = data
                data = data[self._when_ready(lambda: self.sock.send(rest), reading=False) :]  # noqa: B023  called at once
        except (OSError, ValueError):
            raise Broken from None

    def _when_ready(self, operation: Callable[[], T], *, reading: bool) -> T:
        while True:
            try:
                with self._lock:
                    if self._over:  # a TLS socket that meets its end would still send an alert
                        raise OSError
                    return operation()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                select.select([self.sock] if reading else [], [] if reading else [self.sock], [])

    def finish(self, how: int = socket.SHUT_RDWR) -> None:
        """End the TCP stream under TLS, without TLS's goodbye, as a broken line does; wakes whoever waits."""
        self._over = how == socket.SHUT_RDWR
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RD if self.resetting else how)
        except OSError:
            pass

    def close(self) -> None:
        """Both directions have ended."""
        if self.resetting:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Pipe:
    """One direction of one connection, as the actions see it."""

    def __init__(self, proxy: FaultProxy, direction: Direction, source: _Side, target: _Side) -> None:
        self.proxy, self.direction, self.source, self.target = proxy, direction, source, target
        self.broken = threading.Event()
        self.halved = False
        self._left: int | None = None  # bytes that still pass before the cut
        self._reset = False

    def send(self, data: bytes) -> None:
        """Pass bytes on. Raises Broken."""
        if self._left is None:
            self.target.send(data)
            return
        self.target.send(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self.target.resetting = self._reset
            raise Broken

    def cut_after(self, count: int, unit: bytes, *, reset: bool) -> None:
        """Pass the unit on, and hang up once so many bytes have passed."""
        self._left, self._reset = count, reset
        self.send(unit)

    def wait(self, seconds: float | None) -> None:
        """Hold this direction up; None for ever. Raises Broken when the connection ends meanwhile."""
        if self.broken.wait(seconds):
            raise Broken

    def run(self) -> None:
        """Pump until an end hangs up or a rule says so."""
        rest, literals = b"", self.proxy.literals
        try:
            while data := self.source.receive():
                units, rest = _units(rest + data, whole=literals and self.direction == "to_client", literals=literals)
                passing = b""
                for unit in units:
                    self.proxy.note(self.direction, unit)
                    rule = self.proxy.rule_for(self.direction, unit)
                    if rule is None:
                        passing += unit
                        continue
                    self._pass(passing)
                    passing = b""
                    rule.action(self, unit)
                self._pass(passing)
            self._pass(rest)
        except Broken:
            pass

    def _pass(self, data: bytes) -> None:
        if data:
            self.send(data)


def _units(data: bytes, *, whole: bool, literals: bool) -> tuple[list[bytes], bytes]:
    """Splits into units; the second value is the beginning of one that has not come to its end.

    ``whole``: a line that announces a literal, the literal and what follows are one unit; else each is one.
    """
    units, start, position = [], 0, 0
    while (end := data.find(b"\r\n", position)) >= 0:
        position = end + 2
        line = data[start:position]
        found = _LITERAL.search(line[-16:]) if literals and not _STATUS.match(line[:64]) else None
        if found is None:
            units.append(line)
            start = position
            continue
        if not whole:
            units.append(line)
            start = position
        if position + int(found[1]) > len(data):
            break
        position += int(found[1])
        if not whole:
            units.append(data[start:position])
            start = position
    return units, data[start:]


class FaultProxy:
    """The running proxy. ``commands`` are the lines clients said, in order; ``connections`` how many came."""

    def __init__(self, server: Endpoint, certificate: DemoCertificate, *, literals: bool = True) -> None:
        self.literals = literals
        self.commands: list[bytes] = []
        self.connections = 0
        self._server = server
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._context = server_context(certificate.cert, certificate.key)
        self._client_context = ssl.create_default_context(cadata=server.ca_pem)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[_Side] = set()
        self.endpoint = Endpoint(
            "localhost", self._listener.getsockname()[1], "tls", allow_private=True, ca_pem=certificate.ca_pem
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def rule(self, direction: Direction, pattern: bytes, action: Action, *, nth: int | None = 1) -> Rule:
        """Add a rule; ``nth`` counts matches over all connections from now on, None stands for every one."""
        made = Rule(direction, re.compile(pattern, re.DOTALL), action, nth)
        with self._lock:
            self._rules.append(made)
        return made

    def clear(self) -> None:
        """No rules any more."""
        with self._lock:
            self._rules.clear()

    def hang_up(self) -> None:
        """Cut every connection that is open now."""
        with self._lock:
            sides = list(self._open)
        for side in sides:
            side.finish()

    def stop(self) -> None:
        """Cut everything and listen no more."""
        self._listener.close()
        self.hang_up()

    def said(self, pattern: bytes) -> list[bytes]:
        """The clients' lines in which the pattern is found, in order."""
        return [line for line in self.commands if re.search(pattern, line)]

    def note(self, direction: Direction, unit: bytes) -> None:
        """Keep what a client said."""
        if direction == "to_server":
            self.commands.append(unit.removesuffix(b"\r\n"))

    def rule_for(self, direction: Direction, unit: bytes) -> Rule | None:
        """The rule that acts on this unit."""
        with self._lock:
            due = [rule for rule in self._rules if rule.due(direction, unit)]
            if not due:
                return None
            due[0].hits += 1
            return due[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self.connections += 1
        try:
            sock.settimeout(PATIENCE)
            client = _Side(self._context.wrap_socket(sock, server_side=True))
        except OSError:
            sock.close()
            return
        try:
            server = _Side(self._dial())
        except OSError:
            client.close()
            return
        pipes = (Pipe(self, "to_client", server, client), Pipe(self, "to_server", client, server))
        with self._lock:
            self._open |= {client, server}
        threads = [threading.Thread(target=self._pump, args=(pipe, pipes), daemon=True) for pipe in pipes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    @staticmethod
    def _pump(pipe: Pipe, pipes: tuple[Pipe, ...]) -> None:
        pipe.run()
        if pipe.halved:
            return
        for each in pipes:
            each.broken.set()
            each.source.finish()

    def _dial(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._server.port), timeout=PATIENCE)
        if self._server.security != "tls":
            return sock
        return self._client_context.wrap_socket(sock, server_hostname=self._server.host)


@contextmanager
def fault_proxy(server: Endpoint, certificate: DemoCertificate, *, literals: bool = True) -> Iterator[FaultProxy]:
    """A proxy before the server; ``literals`` is for IMAP. ``security`` of the server: "tls", else plain."""
    proxy = FaultProxy(server, certificate, literals=literals)
    try:
        yield proxy
    finally:
        proxy.stop()
