"""HTTP for WebDAV (RFC 4918): one request after another over a connection that is kept, to servers people named.

Invariants: https alone, certificates always verified, every host and each hop of a redirect vetted and dialled through
`net`; the password goes to the host it was given for, or to one of the same site, and to no other; what comes back is
bounded in octets and the whole of an answer in seconds, however slowly it drips; neither the password nor anything
that holds it is in an error. RFC 9110, RFC 7617 (Basic).
"""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self
from urllib.parse import urljoin, urlsplit

from webmail.mime.domains import site
from webmail.protocols import dav_xml
from webmail.protocols.egress import CONNECT_TIMEOUT, Channel, in_time
from webmail.protocols.errors import (
    AuthenticationFailed,
    CommandFailed,
    ConnectionLost,
    HostNotAllowed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    Unreachable,
    classify,
    printable,
)
from webmail.protocols.net import Credential, Endpoint, Resolver, dial, system_resolver

PORTS = frozenset({443, 2080, 5232, 8443, 8843})  # where such servers are found; any where an administrator named one
PATIENCE = 60.0  # seconds for a request and its answer
MOST_REDIRECTS = 5
LONGEST_WAIT = 24 * 3600
LARGEST_REFUSAL = 65_536  # octets that are read of an answer that refuses
AGENT = "Mailroom (CardDAV)"
_SABRE = "http://sabredav.org/ns message"  # the words most servers put into their refusals
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PLAIN_URL = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,2000}")


class NotThere(CommandFailed):
    """404 or 410: nothing has this address."""


class Changed(CommandFailed):
    """412: it is not as we knew it, so nothing was done."""


class TooLarge(ProtocolViolation):
    """The answer has more octets than were allowed."""


class NoBasic(MailServerError):
    """The server wants people to sign in by something else than a password in the request."""

    kind: ClassVar[str] = "no-basic"


class LeadsElsewhere(HostNotAllowed):
    """An address on another site was given; ``server_line`` is its host. The password was not sent there."""

    kind: ClassVar[str] = "elsewhere"


@dataclass(frozen=True, slots=True)
class Answer:
    """``url`` is where it came from after redirects; ``etag`` is "" where none was given."""

    status: int
    url: str
    body: bytes
    etag: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def split(url: str) -> _Place:
    """An https address as host, port and path. Raises HostNotAllowed."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise HostNotAllowed("not a URL") from None
    if not _PLAIN_URL.fullmatch(url) or parts.scheme.lower() != "https" or not host or "@" in parts.netloc:
        raise HostNotAllowed("not an https address")
    query = f"?{parts.query}" if parts.query else ""
    return _Place(Endpoint(host, port or 443, "tls").host, port or 443, (parts.path or "/") + query)


class Session:
    """Requests in a person's name. ``endpoint_of`` says how a host and port may be dialled; raises HostNotAllowed."""

    def __init__(
        self,
        endpoint_of: Callable[[str, int], Endpoint],
        credential: Credential,
        *,
        resolver: Resolver = system_resolver,
        patience: float = PATIENCE,
    ) -> None:
        if ":" in credential.username:
            raise AuthenticationFailed
        self._endpoint_of = endpoint_of
        self._credential = credential
        self._resolver = resolver
        self._patience = patience
        self._socket: socket.socket | None = None
        self._origin: tuple[str, int] | None = None
        self._site = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._origin = None

    def ask(
        self, method: str, url: str, *, body: bytes = b"", fields: Mapping[str, str] | None = None, largest: int
    ) -> Answer:
        """The answer to a request, redirects not followed. Raises MailServerError; a refusal is one, see `_refused`.

        LeadsElsewhere for any address outside the site of the session's first one.
        """
        ends = time.monotonic() + self._patience
        place = split(url)
        self._site = self._site or _site(place.host)
        if _site(place.host) != self._site:
            raise LeadsElsewhere(place.host)
        try:
            answer, location = self._exchange(method, place, url, body, fields or {}, largest, ends)
        except MailServerError:
            self.close()
            raise
        except Exception as exc:  # http.client's errors quote what the server sent
            self.close()
            raise classify(exc) from None
        if location or answer.status in _REDIRECTS:
            raise Moved(location)
        if not 200 <= answer.status < 300:
            raise self._refused(answer)
        return answer

    def follow(self, method: str, url: str, *, body: bytes, fields: Mapping[str, str], largest: int) -> Answer:
        """The same through redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            try:
                return self.ask(method, url, body=body, fields=fields, largest=largest)
            except Moved as moved:
                url = _joined(url, moved.location)
        raise ProtocolViolation("too many redirects")

    def _exchange(
        self, method: str, place: _Place, url: str, body: bytes, fields: Mapping[str, str], largest: int, ends: float
    ) -> tuple[Answer, str]:
        kept = self._socket is not None and self._origin == place.origin
        try:
            return self._once(method, place, url, body, fields, largest, ends)
        except (ConnectionError, ssl.SSLError):
            self.close()
            if not kept:
                raise
        # the server had ended a connection that idled; every request of ours may be repeated, its conditions hold
        return self._once(method, place, url, body, fields, largest, ends)

    def _once(
        self, method: str, place: _Place, url: str, body: bytes, fields: Mapping[str, str], largest: int, ends: float
    ) -> tuple[Answer, str]:
        sock = self._dialled(place, ends)
        connection = http.client.HTTPConnection(place.host, place.port)
        connection.sock = Channel(sock, ends)  # what http.client uses of a socket
        connection.putrequest(method, place.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Host", place.authority),
            ("User-Agent", AGENT),
            ("Authorization", self._basic()),
            ("Accept-Encoding", "identity"),
            *fields.items(),
            ("Content-Length", str(len(body))),
        ):
            connection.putheader(name, value)
        sock.settimeout(max(0.1, ends - time.monotonic()))
        connection.endheaders(body)
        response = connection.getresponse()
        good = 200 <= response.status < 300
        whole = _read(response, largest if good else LARGEST_REFUSAL, fails=good)
        finished = response.isclosed() or response.length == 0
        response.close()
        if response.will_close or not finished:
            self.close()
        location = response.getheader("Location", "") if response.status in _REDIRECTS else ""
        etag = printable(response.getheader("ETag", ""))
        after = response.getheader("Retry-After", "")
        if response.status in (429, 503):
            wait = min(int(after), LONGEST_WAIT) if after.isdecimal() and len(after) < 8 else None
            raise Throttled(self._line(response.status, response.reason, whole), retry_after=wait)
        offers = ", ".join(response.headers.get_all("WWW-Authenticate", [])).lower()
        if response.status == 401 and offers and not re.search(r"\bbasic\b", offers):
            raise NoBasic(self._line(response.status, response.reason, whole))
        if not good and response.status not in _REDIRECTS:
            return Answer(response.status, url, self._line(response.status, response.reason, whole).encode()), ""
        return Answer(response.status, url, whole, etag), location.encode("latin-1", "replace").decode(
            "utf-8", "replace"
        )

    def _dialled(self, place: _Place, ends: float) -> socket.socket:
        if self._socket is not None and self._origin == place.origin:
            return self._socket
        self.close()
        wait = min(CONNECT_TIMEOUT, max(0.1, ends - time.monotonic()))
        endpoint = self._endpoint_of(*place.origin)
        self._socket = dial(
            endpoint, connect_timeout=wait, read_timeout=wait, resolver=in_time(self._resolver, ends), ports=PORTS
        )
        self._origin = place.origin
        return self._socket

    def _basic(self) -> str:
        return f"Basic {self._pair()}"

    def _pair(self) -> str:
        return base64.b64encode(f"{self._credential.username}:{self._credential.secret.reveal()}".encode()).decode()

    def _line(self, status: int, reason: str, body: bytes) -> str:
        """What the server said, as people can read it, with the password blotted out."""
        words = f"{status} {reason}".strip()
        try:
            root = dav_xml.parse(body) if body.lstrip()[:1] == b"<" else None
        except ProtocolViolation:
            root = None
        if root is not None and root.name == dav_xml.dav("error"):
            words = f"{words}: {root.said(_SABRE)}".removesuffix(": ")
            if any(child.name == dav_xml.dav("valid-sync-token") for child in root.children):
                words += f" ({TOKEN_LOST})"
        return printable(self._credential.redact(words.replace(self._pair(), "***")))

    def _refused(self, answer: Answer) -> MailServerError:
        status, line = answer.status, answer.body.decode()
        if status == 401:
            return AuthenticationFailed(line)
        if status in (404, 410):
            return NotThere(line, code=str(status), permanent=True)
        if status == 412:
            return Changed(line, code="412")
        if status in (502, 504):
            return Unreachable(line)
        return CommandFailed(line, code=str(status), permanent=status != 500)


TOKEN_LOST = "valid-sync-token"  # noqa: S105  the precondition of RFC 6578 section 3.2


class Moved(ProtocolViolation):
    """The answer is a redirect where none was to be followed."""

    def __init__(self, location: str) -> None:
        super().__init__("the address has moved")
        self.location = location


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise HostNotAllowed("not a URL") from None


def _site(host: str) -> str:
    """What one owner answers for; an address in numbers is one by itself."""
    return host if ":" in host or host.rpartition(".")[2].isdecimal() else site(host)


def _read(response: http.client.HTTPResponse, largest: int, *, fails: bool) -> bytes:
    """The body; of one that is too large only the beginning, unless that fails. Raises TooLarge, ConnectionLost."""
    if response.length is not None and response.length > largest and fails:
        raise TooLarge("too large")
    parts: list[bytes] = []
    size = 0
    while part := response.read1(65_536):
        size += len(part)
        if size > largest:
            if fails:
                raise TooLarge("too large")
            return b"".join(parts)
        parts.append(part)
    if response.length:
        raise ConnectionLost("the answer was cut off")
    return b"".join(parts)
