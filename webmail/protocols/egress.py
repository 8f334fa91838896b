"""The way out to web servers that mail names: one GET at a time, to public addresses alone, or one POST
that a person wants.

Invariants: every hop of a redirect is judged like the first (scheme, port, host, each address) and dialled through
`net`, to the vetted literal; nothing of the person goes along: one fixed User-Agent, no Referer, no cookies, no
language; what comes back is bounded in octets, and the whole of it, redirects and name look-ups included, in seconds,
however slowly it drips. Nothing of the URL is in an error's text. RFC 9110; RFC 6761 for the names that exist nowhere.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from webmail.protocols.errors import (
    ConnectionLost,
    HostNotAllowed,
    MailServerError,
    ProtocolViolation,
    Unreachable,
    classify,
)
from webmail.protocols.net import Endpoint, Resolver, dial, system_resolver

USER_AGENT = "Mozilla/5.0 (compatible; MailroomImageProxy)"
POST_AGENT = "Mozilla/5.0 (compatible; Mailroom)"
PORTS = frozenset({80, 443})
MOST_REDIRECTS = 3
CONNECT_TIMEOUT = 5.0
PATIENCE = 10.0  # seconds for the whole
RESERVED = frozenset({"test", "example"})  # top-level names that nobody can own
LOOPBACK = "127.0.0.1"

Detours = Mapping[str, int]
NO_DETOURS: Detours = MappingProxyType({})

_PLAIN_URL = re.compile(r"[^\x00-\x20\\\x7f]+")
_REDIRECTS = (301, 302, 303, 307, 308)


class Target(NamedTuple):
    """Where one request goes: `path` with its query, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host field: with a port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def get(
    url: str,
    *,
    accept: str,
    largest: int,
    patience: float = PATIENCE,
    detours: Detours = NO_DETOURS,
    resolver: Resolver = system_resolver,
) -> bytes:
    """The body of a 200 answer, at most ``largest`` octets, after at most three redirects.

    ``detours`` sends names below a reserved top-level name to a port of this machine, in plain HTTP: for the demo and
    for tests, whose pictures exist nowhere else. Raises HostNotAllowed, Unreachable (of the URL's own host alone),
    TlsFailed, ConnectionLost, ProtocolViolation (another status, too large, too many redirects, not HTTP).
    """
    ends = time.monotonic() + patience
    for hop in range(MOST_REDIRECTS + 1):
        target = parse(url)
        try:
            found = _ask(target, accept, largest, ends, _detoured(target, detours), in_time(resolver, ends))
        except Unreachable:
            if hop:  # said of the server that was asked, it would be wrong
                raise ConnectionLost("a redirect leads nowhere") from None
            raise
        except MailServerError:
            raise
        except Exception as exc:  # http.client's errors quote what the server sent
            raise classify(exc) from None
        if isinstance(found, bytes):
            return found
        url = _joined(url, found.location)
    raise ProtocolViolation("too many redirects")


def post(
    url: str,
    form: bytes,
    *,
    patience: float = PATIENCE,
    detours: Detours = NO_DETOURS,
    resolver: Resolver = system_resolver,
) -> int | None:
    """The status that one POST of an encoded form over https is answered with; None when no answer could be read.

    Redirects are not followed and what the answer holds is not read (RFC 8058 section 3.2). Raises HostNotAllowed,
    Unreachable, TlsFailed, ConnectionLost only while nothing has been handed over.
    """
    ends = time.monotonic() + patience
    target = parse(url)
    if target.scheme != "https":
        raise HostNotAllowed("not https")
    try:
        sock = _dialled(target, ends, _detoured(target, detours), in_time(resolver, ends))
    except MailServerError:
        raise
    except Exception as exc:
        raise classify(exc) from None
    fields = (
        ("Host", target.authority),
        ("User-Agent", POST_AGENT),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(form))),
        ("Connection", "close"),
    )
    try:
        return _exchange(sock, target, "POST", fields, ends, form).status
    except Exception:  # whatever became of it, it may have arrived
        return None
    finally:
        sock.close()


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise HostNotAllowed("not a URL") from None


def parse(url: str) -> Target:
    """The URL as a request. Raises HostNotAllowed for anything but plain http and https on their ports."""
    if not _PLAIN_URL.fullmatch(url := url.replace(" ", "%20")):
        raise HostNotAllowed("not a plain URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise HostNotAllowed("not a URL") from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host or "@" in parts.netloc or "%" in host:
        raise HostNotAllowed("not a URL to fetch")
    if port is None:
        port = 443 if scheme == "https" else 80
    if port not in PORTS:
        raise HostNotAllowed("not a port to connect to")
    query = f"?{parts.query}" if parts.query else ""
    path = quote((parts.path or "/") + query, safe="/%:?#[]@!$&'()*+,;=~|")
    return Target(scheme, Endpoint(host, port, "tls").host, port, path)


class _Elsewhere(NamedTuple):
    location: str


def _ask(
    target: Target, accept: str, largest: int, ends: float, detour: int | None, resolver: Resolver
) -> bytes | _Elsewhere:
    """One request and its answer, the connection closed at the end."""
    sock = _dialled(target, ends, detour, resolver)
    try:
        answer = _exchange(sock, target, "GET", _fields(target, accept), ends)
        if answer.status in _REDIRECTS and (location := answer.getheader("Location")):
            return _Elsewhere(location.encode("latin-1", "replace").decode("utf-8", "replace"))
        if answer.status != 200:
            raise ProtocolViolation(f"the answer is {answer.status}")
        return _body(answer, largest)
    finally:
        sock.close()


def _exchange(
    sock: socket.socket,
    target: Target,
    method: str,
    fields: Sequence[tuple[str, str]],
    ends: float,
    body: bytes | None = None,
) -> http.client.HTTPResponse:
    """The request written and the head of its answer read. Raises what http.client does."""
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = Channel(sock, ends)  # what http.client uses of a socket
    connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    for name, value in fields:
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _fields(target: Target, accept: str) -> tuple[tuple[str, str], ...]:
    """All that is said of whoever asks."""
    return (
        ("Host", target.authority),
        ("User-Agent", USER_AGENT),
        ("Accept", accept),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    )


def _body(answer: http.client.HTTPResponse, largest: int) -> bytes:
    if answer.length is not None and answer.length > largest:
        raise ProtocolViolation("too large")
    parts, size = [], 0
    while part := answer.read1(65_536):
        size += len(part)
        if size > largest:
            raise ProtocolViolation("too large")
        parts.append(part)
    if answer.length:
        raise ConnectionLost("the answer was cut off")
    return b"".join(parts)


def _dialled(target: Target, ends: float, detour: int | None, resolver: Resolver) -> socket.socket:
    left = ends - time.monotonic()
    if left <= 0:
        raise ConnectionLost("no answer in time")
    wait = min(CONNECT_TIMEOUT, left)
    if detour is not None:
        return dial(Endpoint(LOOPBACK, detour, "starttls", allow_private=True), connect_timeout=wait, read_timeout=wait)
    endpoint = Endpoint(target.host, target.port, "tls" if target.scheme == "https" else "starttls")
    return dial(endpoint, connect_timeout=wait, read_timeout=wait, resolver=resolver, ports=PORTS)


def _detoured(target: Target, detours: Detours) -> int | None:
    """The port on this machine that answers for the name; None for every name that can exist."""
    top = target.host.rpartition(".")[2]
    return detours.get(top) if top in RESERVED else None


def in_time(resolver: Resolver, ends: float) -> Resolver:
    """The resolver given up on when time is over: the system's has no end of its own."""

    def resolve(host: str, port: int) -> Sequence[str]:
        found: list[Sequence[str]] = []

        def look_up() -> None:
            try:
                found.append(resolver(host, port))
            except (OSError, UnicodeError):
                found.append(())

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(max(0.0, min(CONNECT_TIMEOUT, ends - time.monotonic())))
        return found[0] if found else ()

    return resolve


class Channel:
    """What http.client needs of a socket, with one end of time for all reads together."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Dripping(self._sock, self._ends))

    def close(self) -> None:
        """The socket is closed by whoever dialled it, after the answer was read."""


class _Dripping(io.RawIOBase):
    """Reads of a server that may send an octet a minute."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a memoryview is what it is given
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ConnectionLost("no answer in time")
        self._sock.settimeout(left)
        try:
            return self._sock.recv_into(buffer)
        except TimeoutError:
            raise ConnectionLost("no answer in time") from None
