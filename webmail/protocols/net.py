"""The one way out: resolve once, vet every address, dial the vetted literal, verify TLS.

Invariants: the name is resolved exactly once and the socket goes to an address that was vetted, so a name that
changes its mind between two look-ups gains nothing; certificates are always verified, and nothing here can turn that
off; without `allow_private` (set only for servers an administrator named) only public unicast addresses and the ports
of the purpose, mail unless said otherwise, are reachable. Address blocks: RFC 6890 and the IANA special-purpose
registries; NAT64: RFC 6052; TLS: RFC 8314; STARTTLS injection: RFC 9051 section 11.1.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NoReturn, TypeAlias

from webmail.protocols.errors import HostNotAllowed, TlsFailed, Unreachable, classify

Security: TypeAlias = Literal["tls", "starttls"]
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAIL_PORTS = frozenset({110, 143, 465, 587, 993, 995})
CONNECT_TIMEOUT = 15.0
READ_TIMEOUT = 60.0
MOST_ADDRESSES_TRIED = 4
LONGEST_HOST = 253

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Blocks that some Python releases call global. The tunnels (Teredo, 6to4) end at whatever IPv4 host they embed.
_REFUSED: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(block)
    for block in (
        *("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "2001::/32", "2002::/16", "3fff::/20"),
        "168.63.129.16/32",  # what every machine of one large host asks for its secrets, at an address called public
    )
)
_own_networks: tuple[_Network, ...] = ()


class Secret:
    """A password or token that does not print, format or pickle. `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")


@dataclass(frozen=True, slots=True)
class Credential:
    """Who logs in, and with what. Raises ValueError (without the value) on CR, LF, NUL or ^A in either."""

    username: str
    secret: Secret
    mechanism: Literal["password", "oauth"] = "password"

    def __post_init__(self) -> None:
        for what, text in (("user name", self.username), ("password", self.secret.reveal())):
            if re.search(r"[\r\n\0\x01\ud800-\udfff]", text):
                raise ValueError(f"the {what} contains a character no mail server accepts")

    def initial_response(self) -> bytes:
        """The SASL client's first message: PLAIN (RFC 4616) for a password, XOAUTH2 for a token; not yet base64."""
        user, secret = self.username.encode(), self.secret.reveal().encode()
        if self.mechanism == "oauth":
            return b"user=" + user + b"\x01auth=Bearer " + secret + b"\x01\x01"
        return b"\0" + user + b"\0" + secret

    def redact(self, line: str | bytes) -> str:
        """The server's line with the secret blotted out, raw or in any base64 form we send: some servers echo it."""
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        secret = self.secret.reveal()
        for form in (
            secret,
            base64.b64encode(secret.encode()).decode(),
            base64.b64encode(self.initial_response()).decode(),
        ):
            text = text.replace(form, "***") if form else text
        return text


def ascii_domain(name: str) -> str:
    """The domain as lower-case A-labels (RFC 5890) without a final dot. Raises ValueError when it is none."""
    if len(name) > LONGEST_HOST:
        raise ValueError("not a domain")
    try:
        ascii_name = name.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("not a domain") from None
    if len(ascii_name) > LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in ascii_name.split(".")):
        raise ValueError("not a domain")
    return ascii_name


def _normal_host(host: str) -> str:
    """The host as A-labels or an address literal. Raises HostNotAllowed."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    try:
        return ascii_domain(bare)
    except ValueError:
        raise HostNotAllowed("not a host name") from None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server to talk to. `host` is kept as A-labels; raises HostNotAllowed (a ValueError) for no such host or port.

    `allow_private` is for servers an administrator named: private addresses and any port pass.
    `ca_pem` holds certificates to trust besides the system's.
    """

    host: str
    port: int
    security: Security
    allow_private: bool = False
    ca_pem: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _normal_host(self.host))
        if not 0 < self.port < 65536:
            raise HostNotAllowed("not a port number")
        if self.security not in ("tls", "starttls"):
            raise ValueError("security is tls or starttls")


def forbid_networks(networks: Iterable[str]) -> None:
    """Networks refused besides the built-in ones: the installation's own public addresses. Called once at start."""
    global _own_networks  # noqa: PLW0603  one setting of the process, replaced whole
    _own_networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)


def vet_address(ip: str | _Address) -> bool:
    """Whether the address is public unicast and not one of ours. IPv4 inside IPv6 is judged as IPv4. Never raises."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return vet_address(address.ipv4_mapped)
        if address in _NAT64:
            return vet_address(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL_IPV6:
            return False
    if any(address in network for network in (*_REFUSED, *_own_networks)):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses of a name in the system's order of preference. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def resolve_and_vet(
    host: str,
    port: int,
    *,
    allow_private: bool,
    resolver: Resolver = system_resolver,
    ports: frozenset[int] = MAIL_PORTS,
) -> tuple[str, ...]:
    """The addresses of the host, looked up once, all of them vetted: one bad address refuses the name.

    Raises HostNotAllowed, Unreachable (no such name).
    """
    if not allow_private and port not in ports:
        raise HostNotAllowed("not a port to connect to")
    try:
        addresses = tuple(resolver(host, port))
    except (OSError, UnicodeError):
        raise Unreachable("the name could not be looked up") from None
    if not addresses:
        raise Unreachable("the name could not be looked up")
    if not allow_private and not all(vet_address(address) for address in addresses):
        raise HostNotAllowed("the address is not public")
    return addresses


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _check_peer(sock: socket.socket, *, allow_private: bool) -> None:
    """After the connect: the peer is what we vetted, and is not this machine by its own public address."""
    peer, own = str(sock.getpeername()[0]), str(sock.getsockname()[0])
    if not allow_private and (peer == own or not vet_address(peer)):
        raise HostNotAllowed("the address is not public")


def _connect(addresses: Sequence[str], endpoint: Endpoint, timeout: float) -> socket.socket:
    deadline = time.monotonic() + timeout
    tried = addresses[:MOST_ADDRESSES_TRIED]
    for turn, address in enumerate(tried):
        share = (deadline - time.monotonic()) / (len(tried) - turn)
        try:
            sock = socket.create_connection((address, endpoint.port), timeout=max(share, 0.1))
        except OSError:
            continue
        try:
            _check_peer(sock, allow_private=endpoint.allow_private)
            _keep_alive(sock)
            sock.settimeout(timeout)
        except BaseException:
            sock.close()
            raise
        return sock
    # One sentence for refused, filtered and silent: the answer must not map somebody's network.
    raise Unreachable("no answer")


@lru_cache(maxsize=64)
def _context(ca_pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise TlsFailed("the added certificate authority is not valid PEM") from None
    return context


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """A context that verifies chain and host name, TLS 1.2 or newer; shared, not to be changed. Raises TlsFailed."""
    return _context(endpoint.ca_pem)


def start_tls(sock: socket.socket, endpoint: Endpoint) -> ssl.SSLSocket:
    """The socket under verified TLS. The caller throws away what it had read and learnt before.

    Raises TlsFailed, ConnectionLost, and Unreachable for a server that keeps silent; the socket is then closed.
    """
    try:
        return tls_context(endpoint).wrap_socket(sock, server_hostname=endpoint.host)
    except TimeoutError:
        sock.close()
        raise Unreachable("no TLS handshake in time") from None
    except (OSError, ValueError) as exc:
        sock.close()
        raise classify(exc) from None


def dial(
    endpoint: Endpoint,
    *,
    connect_timeout: float = CONNECT_TIMEOUT,
    read_timeout: float = READ_TIMEOUT,
    resolver: Resolver = system_resolver,
    ports: frozenset[int] = MAIL_PORTS,
) -> socket.socket:
    """A connected socket; an ssl.SSLSocket when the endpoint's security is "tls", else plain, for STARTTLS.

    Timeouts in seconds; the connect timeout covers all addresses together, and then the handshake once more.
    Raises HostNotAllowed, Unreachable, TlsFailed, ConnectionLost.
    """
    addresses = resolve_and_vet(
        endpoint.host, endpoint.port, allow_private=endpoint.allow_private, resolver=resolver, ports=ports
    )
    sock = _connect(addresses, endpoint, connect_timeout)
    if endpoint.security == "tls":
        sock = start_tls(sock, endpoint)
    sock.settimeout(read_timeout)
    return sock
