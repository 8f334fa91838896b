"""A POP3 client that keeps message bytes as the server sent them.

Invariants: a credential is sent under verified TLS only; a body that ends without its terminator is an error, never a
message; `retrieve` deletes nothing, and the server forgets every `delete` unless `quit` returned; after an error of
the connection or of the protocol the session is closed. The writer's own errors pass through unchanged.
RFC 1939, 2449 (CAPA, response codes), 2595 (STLS), 3206 (SYS/, AUTH), 5034 (AUTH). APOP is not spoken: it needs the
server to keep passwords in clear and proves nothing under TLS.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from webmail.protocols.dots import Unstuffer
from webmail.protocols.errors import (
    AuthenticationFailed,
    CommandFailed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    classify_reply,
)
from webmail.protocols.net import Credential, Endpoint, Resolver, dial, system_resolver
from webmail.protocols.stream import LineStream

LARGEST_MESSAGE = 512 * 1024 * 1024
LARGEST_TOP = 1024 * 1024
MOST_ENTRIES = 500_000
LONGEST_UIDL = 255
SIZE_TOLERANCE = 0.98  # LIST sizes of some servers are estimates
LOCKED_RETRY = 60.0

_LOCKED = re.compile(r"(?:mail ?drop|mailbox|already)[a-z ]{0,30}(?:lock|in use|busy|open)", re.IGNORECASE)
_SCAN_ROW = re.compile(rb"\s*(\d{1,10})\s+(\d{1,12})(?:\s|$)")
_UIDL_ROW = re.compile(rb"\s*(\d{1,10})\s+([\x21-\x7e]{1,%d})\s*" % LONGEST_UIDL)


class Writer(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class PopEntry:
    """One message of this session. `number` means nothing in another; `uidl` is None where the server gave none."""

    number: int
    uidl: str | None
    size: int


class Session:
    """A logged-in session. Commands raise MailServerError: CommandFailed leaves it usable, the others close it."""

    def __init__(self, stream: LineStream, capabilities: dict[str, tuple[str, ...]]) -> None:
        self._stream = stream
        self.capabilities = capabilities
        self.ended: Callable[[], object] | None = None  # called once, when the connection is given up

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def login_delay(self) -> int | None:
        """Seconds the server wants between two logins (RFC 2449 section 6.5), if it says."""
        words = self.capabilities.get("LOGIN-DELAY", ())
        return int(words[0]) if words and re.fullmatch(r"\d{1,6}", words[0]) else None

    def stat(self) -> tuple[int, int]:
        """(messages, octets) of the maildrop."""
        row = _SCAN_ROW.match(_command(self._stream, "STAT"))
        if row is None:
            self.close()
            raise ProtocolViolation("STAT without numbers")
        return int(row[1]), int(row[2])

    def listing(self) -> list[PopEntry]:
        """Every message, ascending. A server without UIDL, or a row of it out of form, gives `uidl=None`."""
        sizes = self._sizes()
        uidls = self._uidls()
        return [PopEntry(number, uidls.get(number), size) for number, size in sorted(sizes.items())]

    def top(self, number: int, lines: int) -> bytes:
        """The header and so many lines of the body; no more than 1 MiB of it is kept."""
        _command(self._stream, f"TOP {_positive(number)} {max(int(lines), 0)}")
        kept = bytearray()
        with closing(self._body(LARGEST_MESSAGE)) as pieces:
            for piece in pieces:
                kept += piece[: LARGEST_TOP - len(kept)]
        return bytes(kept)

    def retrieve(
        self, number: int, writer: Writer, *, max_bytes: int | None = None, expected_size: int | None = None
    ) -> int:
        """Stream the message to `writer`, bytes as they are, lines ending in CRLF; returns how many were written.

        `expected_size` is the LIST size. Raises CommandFailed (code TOOBIG) before asking when that exceeds
        `max_bytes` (default 512 MiB). On any error what was written is not a message.
        """
        limit = LARGEST_MESSAGE if max_bytes is None else max_bytes
        if expected_size is not None and expected_size > limit:
            raise CommandFailed("the message is larger than the limit", code="TOOBIG", permanent=True)
        _command(self._stream, f"RETR {_positive(number)}")
        written = 0
        with closing(self._body(limit)) as pieces:
            for piece in pieces:
                writer.write(piece)
                written += len(piece)
        if expected_size is not None and written < expected_size * SIZE_TOLERANCE:
            self._prove_in_step()
        return written

    def delete(self, number: int) -> None:
        """Mark for deletion; it happens when `quit` succeeds."""
        _command(self._stream, f"DELE {_positive(number)}")

    def reset(self) -> None:
        """Forget every mark for deletion."""
        _command(self._stream, "RSET")

    def quit(self) -> None:
        """Commit the deletions and hang up. Unless this returns, nothing is known to be deleted."""
        try:
            _command(self._stream, "QUIT")
        finally:
            self.close()

    def close(self) -> None:
        """Hang up without committing. Never raises."""
        self._stream.close()
        ended, self.ended = self.ended, None
        if ended is not None:
            ended()

    def _prove_in_step(self) -> None:
        """A short body: was the size an estimate, or does the server not stuff dots and is still talking?"""
        _send(self._stream, b"NOOP")
        _reply(self._stream)

    def _body(self, limit: int) -> Generator[bytes, None, None]:
        unstuffer, total, whole = Unstuffer(), 0, False
        try:
            while unstuffer.rest is None:
                piece = unstuffer.feed(self._stream.read_chunk())
                total += len(piece)
                if total > limit:
                    raise ProtocolViolation("the message is larger than announced", code="TOOBIG")
                yield piece
            whole = True
        finally:
            if not whole:  # nobody takes the rest: what follows would be read as replies, and nothing may be deleted
                self.close()
        self._stream.unread(unstuffer.rest)

    def _sizes(self) -> dict[int, int]:
        sizes: dict[int, int] = {}
        _command(self._stream, "LIST")
        for line in _lines(self._stream):
            row = _SCAN_ROW.match(line)
            if row is None or int(row[1]) in sizes:
                self.close()
                raise ProtocolViolation("a LIST row out of form")
            sizes[int(row[1])] = int(row[2])
        return sizes

    def _uidls(self) -> dict[int, str]:
        try:
            _command(self._stream, "UIDL")
        except CommandFailed:
            if "UIDL" in self.capabilities:
                raise
            return {}
        rows = (_UIDL_ROW.fullmatch(line) for line in _lines(self._stream))
        return {int(row[1]): row[2].decode("ascii") for row in rows if row is not None}


def _positive(number: int) -> int:
    if int(number) < 1:
        raise ValueError("message numbers start at 1")
    return int(number)


def _reply(stream: LineStream, credential: Credential | None = None) -> tuple[bytes, bytes]:
    """(indicator, text) of a reply: +OK, -ERR or + (a SASL challenge). Text is redacted when a credential is given."""
    line = stream.read_line()
    indicator, _, text = line.partition(b" ")
    indicator = indicator.upper()
    if indicator not in (b"+OK", b"-ERR", b"+"):
        stream.close()
        raise ProtocolViolation("a reply that is neither +OK nor -ERR")
    return indicator, credential.redact(text).encode() if credential else text


def _refusal(text: bytes, *, login: bool = False) -> MailServerError:
    error = classify_reply(text, login=login)
    if not error.response_code and _LOCKED.search(error.server_line):
        return Throttled(error.server_line, retry_after=LOCKED_RETRY, code="IN-USE")
    return error


def _send(stream: LineStream, line: bytes) -> None:
    if not stream.idle:
        stream.close()
        raise ProtocolViolation("the server spoke out of turn")
    if b"\r" in line or b"\n" in line or b"\0" in line:
        raise ValueError("a command is one line")
    stream.restart_clock()
    stream.send(line + b"\r\n")


def _command(stream: LineStream, command: str) -> bytes:
    """The text after +OK. Raises what -ERR stands for."""
    _send(stream, command.encode())
    indicator, text = _reply(stream)
    if indicator == b"-ERR":
        raise _refusal(text)
    if indicator == b"+":
        stream.close()
        raise ProtocolViolation("a challenge nobody asked for")
    return text


def _lines(stream: LineStream) -> Iterator[bytes]:
    for _ in range(MOST_ENTRIES + 1):
        line = stream.read_line()
        if line == b".":
            return
        yield line[1:] if line.startswith(b"..") else line
    stream.close()
    raise ProtocolViolation("a listing without end")


def _capabilities(stream: LineStream) -> dict[str, tuple[str, ...]]:
    try:
        _command(stream, "CAPA")
    except CommandFailed:
        return {}
    rows = [line.decode("ascii", "replace").upper().split() for line in _lines(stream)]
    return {row[0]: tuple(row[1:]) for row in rows if row}


def _authenticate(stream: LineStream, credential: Credential, mechanism: str) -> None:
    """SASL with one client message, sent after the server's empty challenge: tokens exceed the command's limit."""
    _send(stream, b"AUTH " + mechanism.encode())
    indicator, text = _reply(stream, credential)
    if indicator == b"+":
        _send(stream, base64.b64encode(credential.initial_response()))
        indicator, text = _reply(stream, credential)
    if indicator == b"+":  # XOAUTH2 explains a refusal in a second challenge, and refuses after an empty answer
        _send(stream, b"")
        indicator, refusal = _reply(stream, credential)
        text = refusal + b" " + credential.redact(_decoded(text)).encode()
    if indicator != b"+OK":
        raise _refusal(text, login=True)


def _decoded(challenge: bytes) -> bytes:
    try:
        return base64.b64decode(challenge, validate=True)
    except ValueError:
        return b""


def _user_pass(stream: LineStream, credential: Credential) -> None:
    for line in (f"USER {credential.username}", f"PASS {credential.secret.reveal()}"):
        _send(stream, line.encode())
        indicator, text = _reply(stream, credential)
        if indicator != b"+OK":
            raise _refusal(text, login=True)


def _auth_login(stream: LineStream, credential: Credential) -> None:
    """AUTH LOGIN: name and password, each after a challenge whose words mean nothing."""
    for line in (b"AUTH LOGIN", credential.username.encode(), credential.secret.reveal().encode()):
        _send(stream, line if line == b"AUTH LOGIN" else base64.b64encode(line))
        indicator, text = _reply(stream, credential)
        if indicator == b"-ERR":
            raise _refusal(text, login=True)
    if indicator != b"+OK":
        stream.close()
        raise ProtocolViolation("a challenge too many")


def _log_in(stream: LineStream, credential: Credential, capabilities: dict[str, tuple[str, ...]]) -> None:
    """By the strongest way the server names; USER and PASS where it names none."""
    offered = capabilities.get("SASL", ()) if capabilities else None
    if credential.mechanism == "oauth":
        if offered is not None and "XOAUTH2" not in offered:
            raise AuthenticationFailed("the server does not offer XOAUTH2")
        _authenticate(stream, credential, "XOAUTH2")
    elif offered and "PLAIN" in offered:
        _authenticate(stream, credential, "PLAIN")
    elif offered and "LOGIN" in offered and "USER" not in capabilities:
        _auth_login(stream, credential)
    else:
        _user_pass(stream, credential)


def _start_tls(stream: LineStream) -> None:
    """STLS straight after the greeting: what a server claims in the clear decides nothing."""
    try:
        _command(stream, "STLS")
    except (CommandFailed, AuthenticationFailed) as refusal:  # in the clear nobody refuses a password: none was sent
        raise TlsFailed(refusal.server_line or "STLS is not offered") from None
    stream.start_tls()


def connect(
    endpoint: Endpoint, credential: Credential, *, patience: float = 60.0, resolver: Resolver = system_resolver
) -> Session:
    """A logged-in session. `patience` is the seconds one command may take (more only while bytes keep coming).

    Raises HostNotAllowed, Unreachable, TlsFailed, AuthenticationFailed, Throttled, ConnectionLost, CommandFailed,
    ProtocolViolation.
    """
    stream = LineStream(dial(endpoint, resolver=resolver), endpoint, patience=patience)
    try:
        indicator, text = _reply(stream)
        if indicator != b"+OK":
            raise _refusal(text)
        if endpoint.security == "starttls":
            _start_tls(stream)
        capabilities = _capabilities(stream)
        _log_in(stream, credential, capabilities)
    except BaseException:
        stream.close()
        raise
    return Session(stream, capabilities)
