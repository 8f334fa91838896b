"""From an endpoint and a credential to a logged-in `Wire`. The one module that touches IMAPClient's private names.

Invariants: the socket is dialled and vetted by `net`; no credential is sent before verified TLS; PREAUTH is refused,
since it leaves no way to STARTTLS; what the server said before TLS is forgotten; a refused login leaves no trace of
the secret in an exception, a log line or the library's own memory of commands.
RFC 9051 sections 6.2 and 11.1, RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), RFC 2971 (ID), RFC 5161 (ENABLE).
"""

from __future__ import annotations

import imaplib
import json
import re
import socket
from collections.abc import Callable
from typing import Any, cast

import imapclient

from webmail.protocols.errors import (
    CommandFailed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
    classify,
    classify_reply,
)
from webmail.protocols.imap_wire.channel import Channel
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.net import Credential, Endpoint, dial

CONNECT_TIMEOUT = 15.0
CLIENT_NAME = "Mailroom"
_BARE_COMPLETION = re.compile(rb"(\S+ (?:OK|NO|BAD))\r?\n\Z")


class _Connection(imaplib.IMAP4):
    """imaplib's command layer over our channel, for as long as the login takes."""

    def __init__(self, channel: Channel, endpoint: Endpoint) -> None:
        self._channel = channel
        self._endpoint = endpoint
        super().__init__(endpoint.host, endpoint.port)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        return self._channel.read(size)

    def readline(self) -> bytes:
        # imaplib knows no tagged line without text; some servers send just that.
        return _BARE_COMPLETION.sub(rb"\1 \r\n", self._channel.read_line())

    def send(self, data: Any) -> None:
        self._channel.send(bytes(data))

    def shutdown(self) -> None:
        self._channel.close()

    def secure(self) -> None:
        """STARTTLS, forgetting all that was said in the clear."""
        if "STARTTLS" not in self.capabilities:
            raise TlsFailed("the server offers no STARTTLS")
        word, _ = self._simple_command("STARTTLS")
        if word != "OK":
            raise TlsFailed("the server refused STARTTLS")
        self._channel.start_tls(self._endpoint)
        self.untagged_responses.clear()
        self._tls_established = True
        self._get_capabilities()


class _Client(imapclient.IMAPClient):  # type: ignore[misc]  # IMAPClient ships no types
    """IMAPClient for the login only: our socket under it, its log silenced since it would see what we send."""

    def __init__(self, channel: Channel, endpoint: Endpoint) -> None:
        self._channel, self._endpoint = channel, endpoint
        super().__init__(endpoint.host, endpoint.port, ssl=endpoint.security == "tls", timeout=None)
        self._imap._mesg = _say_nothing

    def _create_IMAP4(self) -> _Connection:  # noqa: N802  IMAPClient's name
        return _Connection(self._channel, self._endpoint)

    def _set_read_timeout(self) -> None:
        """The channel keeps the time."""

    @property
    def connection(self) -> _Connection:
        return cast(_Connection, self._imap)

    def forget_untagged(self) -> None:
        """Only what is said from here on counts: capabilities differ before and after the login."""
        self._imap.untagged_responses.clear()
        self._cached_capabilities = None


def _say_nothing(*_: object) -> None:
    """Stands in for imaplib's log."""


class _Bearer:
    """SASL for tokens. A second challenge is the server's refusal: kept as words, answered with next to nothing."""

    def __init__(self, first: bytes, dummy: bytes) -> None:
        self._replies = [first, dummy]
        self.refusal = ""

    def __call__(self, challenge: bytes) -> bytes | None:
        if challenge:
            self.refusal = _bearer_refusal(challenge)
        return self._replies.pop(0) if self._replies else None


def _bearer_refusal(challenge: bytes) -> str:
    try:
        status = json.loads(challenge[:4096]).get("status", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f"the server answered {status}" if isinstance(status, (str, int)) else ""


def log_in(endpoint: Endpoint, credential: Credential, *, deadline: float, sock: socket.socket | None = None) -> Wire:
    """Connect, secure, authenticate, learn the capabilities, send ID, enable what we use.

    `deadline` is the seconds any one command may take. `sock` stands in for the dialled socket.
    Raises MailServerError; nothing is left open then.
    """
    channel = Channel(sock or dial(endpoint, connect_timeout=CONNECT_TIMEOUT), patience=deadline)
    try:
        client = _greet(channel, endpoint)
        channel.restart_clock(deadline)
        _authenticate(client, credential)
        wire = Wire(channel, patience=deadline)
        wire.capabilities = frozenset(word.decode("ascii", "replace") for word in _capabilities(client))
        _introduce(wire)
    except BaseException:
        channel.close()
        raise
    return wire


def _greet(channel: Channel, endpoint: Endpoint) -> _Client:
    try:
        client = _Client(channel, endpoint)
        if client.connection.state != "NONAUTH":
            raise ProtocolViolation("the server let us in before TLS and password")
        if endpoint.security == "starttls":
            client.connection.secure()
    except MailServerError:
        raise
    except imaplib.IMAP4.error as exc:
        refusal = _greeting_error(exc)
        if isinstance(refusal, TooManyConnections):
            refusal.at_greeting = True
        raise refusal from None
    except Exception as exc:
        raise classify(exc) from None
    return client


def _greeting_error(exc: imaplib.IMAP4.error) -> MailServerError:
    """A greeting of BYE arrives as the raw line, in bytes; its words matter, as in "too many connections"."""
    words = exc.args[0] if exc.args else b""
    if isinstance(words, bytes) and words[:5].upper() == b"* BYE":
        answer = classify_reply(words[5:])
        return Throttled(words[5:]) if type(answer) is CommandFailed else answer
    return classify(exc)


def _authenticate(client: _Client, credential: Credential) -> None:
    """Through imaplib, not IMAPClient's logins: those report a hang-up during the login as a wrong password."""
    client.forget_untagged()
    bearer: _Bearer | None = None
    try:
        if credential.mechanism == "oauth":
            bearer, mechanism = _bearer(client.connection, credential)
            client.connection.authenticate(mechanism, bearer)
        else:
            _password_login(client.connection, credential)
    except MailServerError:
        raise
    except imaplib.IMAP4.abort as exc:
        raise _redacted(classify(exc), credential) from None
    except imaplib.IMAP4.error as exc:
        words = exc.args[0] if exc.args and isinstance(exc.args[0], (str, bytes)) else ""
        found = classify_reply(words, login=True)
        raise _redacted(found, credential, instead=bearer.refusal if bearer else "") from None
    except Exception as exc:
        raise classify(exc) from None


def _redacted(found: MailServerError, credential: Credential, *, instead: str = "") -> MailServerError:
    """The error rebuilt without the secret: a server may echo what it was sent."""
    words = instead or credential.redact(found.server_line)
    return type(found)(words, retry_after=found.retry_after, code=found.response_code)


def _bearer(connection: _Connection, credential: Credential) -> tuple[_Bearer, str]:
    if "AUTH=OAUTHBEARER" in connection.capabilities:
        user = credential.username.replace("=", "=3D").replace(",", "=2C")
        first = f"n,a={user},\x01auth=Bearer {credential.secret.reveal()}\x01\x01"
        return _Bearer(first.encode(), b"\x01"), "OAUTHBEARER"
    return _Bearer(credential.initial_response(), b""), "XOAUTH2"


def _password_login(connection: _Connection, credential: Credential) -> None:
    """PLAIN where offered; LOGIN where not and the letters allow; LOGIN's SASL twin as the last resort."""
    secret = credential.secret.reveal()
    offered = frozenset(connection.capabilities)
    ascii_only = credential.username.isascii() and secret.isascii()
    if "AUTH=PLAIN" not in offered and "LOGINDISABLED" not in offered and ascii_only:
        # imaplib quotes the password but not the user name
        connection.login(_quoted(credential.username), secret)
    elif "AUTH=PLAIN" not in offered and "AUTH=LOGIN" in offered:
        connection.authenticate("LOGIN", _one_by_one(credential.username.encode(), secret.encode()))
    else:
        connection.authenticate("PLAIN", _one_by_one(credential.initial_response()))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _one_by_one(*replies: bytes) -> Callable[[bytes], bytes | None]:
    """A SASL client that says its lines in turn and then gives up (`*`), whatever the server asks."""
    left = list(replies)
    return lambda challenge: left.pop(0) if left else None


def _capabilities(client: _Client) -> tuple[bytes, ...]:
    try:
        return tuple(client.capabilities())
    except MailServerError:
        raise
    except Exception as exc:
        raise classify(exc) from None


def _introduce(wire: Wire) -> None:
    """ID, which some servers demand before SELECT, and ENABLE of what this adapter can read, never more.

    What could not be enabled is struck from the capabilities.
    """
    offered = wire.capabilities
    if "ID" in offered:
        _accepted(wire, b"ID", b'("name" "%s")' % CLIENT_NAME.encode())
    usable = "ENABLE" in offered and "QRESYNC" in offered and _accepted(wire, b"ENABLE", b"QRESYNC")
    if not usable:
        wire.capabilities = offered - {"QRESYNC"}
        if "ENABLE" in offered and "CONDSTORE" in offered:
            _accepted(wire, b"ENABLE", b"CONDSTORE")
    elif "CONDSTORE" not in offered:
        wire.capabilities = offered | {"CONDSTORE"}  # RFC 7162 section 3.2.3: the one implies the other


def _accepted(wire: Wire, *words: bytes) -> bool:
    try:
        wire.finish(*words)
    except CommandFailed:
        return False
    return True
