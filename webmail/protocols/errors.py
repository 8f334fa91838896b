"""What can go wrong with a mail server, as one small tree.

Invariants: nothing a library raises leaves this package; `server_line` is printable, one line, at most 500
characters and never holds a credential; an exception whose text we did not write (it may quote a password or a
message) is replaced, not quoted. Response codes: RFC 9051 section 7.1, RFC 5530 (IMAP), RFC 2449 and 3206 (POP3).
"""

from __future__ import annotations

import errno
import imaplib
import re
import socket
import ssl
from typing import ClassVar

from imapclient.exceptions import CapabilityError, LoginError, ProtocolError

SERVER_LINE_LIMIT = 500


def printable(line: str | bytes, *, limit: int = SERVER_LINE_LIMIT) -> str:
    """The line as printable text: no controls, no direction marks, no line ends, at most `limit` characters."""
    text = line[: limit * 8].decode("utf-8", "replace") if isinstance(line, bytes) else line[: limit * 8]
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:limit]


class MailServerError(Exception):
    """A mail server could not be reached, or did not do what was asked.

    `kind` is the class's stable word, and so is `code`, except that a CommandFailed's `code` is the server's own
    response code where it gave one. `response_code` is that code for every class, "" where there was none.
    `retry_after` is in seconds, None when the server named no time.
    """

    kind: ClassVar[str] = "refused"

    def __init__(self, server_line: str | bytes = "", *, retry_after: float | None = None, code: str = "") -> None:
        self.server_line = printable(server_line)
        self.retry_after = retry_after
        self.response_code = printable(code, limit=64)
        self.code = self.kind
        super().__init__(self.server_line)

    def __str__(self) -> str:
        return f"{self.code}: {self.server_line}" if self.server_line else self.code


class HostNotAllowed(MailServerError, ValueError):
    """The host, address or port is one we do not connect to."""

    kind = "host-not-allowed"


class Unreachable(MailServerError):
    """No connection: the name is unknown, or nobody answered in time."""

    kind = "unreachable"


class TlsFailed(MailServerError):
    """No verified TLS: bad certificate, failed handshake, or STARTTLS not offered."""

    kind = "tls"


class AuthenticationFailed(MailServerError):
    """The server refused the user name, the password or the token."""

    kind = "auth"


class Throttled(MailServerError):
    """The server asks us to come back later."""

    kind = "throttled"


class TooManyConnections(Throttled):
    """The server's limit of connections for this account or, ``at_greeting``, for our address is reached."""

    at_greeting: bool = False  # it was said before anybody had logged in


class ConnectionLost(MailServerError):
    """An open connection broke or timed out. It is dead and never used again."""

    kind = "lost"


class CommandFailed(MailServerError):
    """The server answered a command with NO, BAD or -ERR; `code` is such as OVERQUOTA or NONEXISTENT."""

    kind = "refused"

    def __init__(
        self,
        server_line: str | bytes = "",
        *,
        retry_after: float | None = None,
        code: str = "",
        permanent: bool = False,
    ) -> None:
        super().__init__(server_line, retry_after=retry_after, code=code)
        self.code = self.response_code or self.kind
        self.permanent = permanent


class ProtocolViolation(MailServerError):
    """The server said something the protocol does not allow, or more than our limits."""

    kind = "protocol"


# at the start of the text, or where a library put its own words before; "[Gmail]/Bin" is a mailbox
_RESPONSE_CODE = re.compile(r"(?:^|[:'] ?)\[([A-Za-z][A-Za-z0-9/.-]{0,40})(?: [^\]]*)?\](?=[\s']|$)")
_BACKOFF_MS = re.compile(r"backoff time:?\s*(\d{1,9})", re.IGNORECASE)
_CONNECTIONS = re.compile(
    r"(?:too many|maximum number of|limit of|exceeded)[a-z ]{0,40}(?:connections|sessions|logins)", re.IGNORECASE
)
_SLOW_DOWN = re.compile(
    r"throttl|rate[ -]?limit|too many (?:[a-z]+ ){0,2}(?:attempts|requests|commands)|server (?:is )?busy|"
    r"bandwidth limit|server unavailable",
    re.IGNORECASE,
)
_AUTH_CODES = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "AUTH"})
_LATER_CODES = {"IN-USE": 60.0, "LOGIN-DELAY": 300.0, "SYS/TEMP": None, "THROTTLED": None}
_LATER_AT_LOGIN = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT"})
_PERMANENT_CODES = frozenset(
    {"NONEXISTENT", "ALREADYEXISTS", "NOPERM", "CANNOT", "OVERQUOTA", "CLIENTBUG", "TOOBIG", "BADCHARSET", "SYS/PERM"}
)
LONGEST_BACKOFF = 24 * 3600.0


def classify_reply(line: str | bytes, *, login: bool = False) -> MailServerError:
    """The error that a server's refusal (the text after NO, BAD, BYE or -ERR) stands for.

    `login` says the refused command presented a credential: a refusal without a code then means the credential.
    Never raises.
    """
    text = printable(line)
    found = _RESPONSE_CODE.search(text)
    code = found.group(1).upper() if found else ""
    backoff = _BACKOFF_MS.search(text)
    retry_after = min(int(backoff.group(1)) / 1000, LONGEST_BACKOFF) if backoff else None
    if _CONNECTIONS.search(text):
        return TooManyConnections(text, retry_after=retry_after, code=code)
    if code in _AUTH_CODES:
        return AuthenticationFailed(text, code=code)
    if code in _LATER_CODES:
        return Throttled(text, retry_after=retry_after or _LATER_CODES[code], code=code)
    if retry_after is not None or _SLOW_DOWN.search(text) or (login and code in _LATER_AT_LOGIN):
        return Throttled(text, retry_after=retry_after, code=code)
    if login and code != "SYS/PERM":
        return AuthenticationFailed(text, code=code)
    return CommandFailed(text, code=code, permanent=code in _PERMANENT_CODES)


_NO_WAY_THERE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EHOSTDOWN})


def _classify_os_error(exc: OSError) -> MailServerError:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return TlsFailed(exc.verify_message)
    if isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
        return ConnectionLost()
    if isinstance(exc, ssl.SSLError):
        return TlsFailed((getattr(exc, "reason", None) or "").replace("_", " ").lower())
    if isinstance(exc, (socket.gaierror, ConnectionRefusedError)) or exc.errno in _NO_WAY_THERE:
        return Unreachable()
    return ConnectionLost()


def _classify_imap_error(exc: imaplib.IMAP4.error) -> MailServerError:
    words = exc.args[0] if exc.args and isinstance(exc.args[0], (str, bytes)) else ""
    if isinstance(exc, imaplib.IMAP4.readonly):
        return CommandFailed("the mailbox is read-only", code="READ-ONLY", permanent=True)
    if isinstance(exc, imaplib.IMAP4.abort):
        answer = classify_reply(words)
        return answer if isinstance(answer, Throttled) else ConnectionLost(words)
    if isinstance(exc, LoginError):
        return classify_reply(words, login=True)
    if isinstance(exc, CapabilityError):
        return CommandFailed(words, code="CAPABILITY", permanent=True)
    if isinstance(exc, ProtocolError):
        return ProtocolViolation()  # its text quotes the data it could not read, which may be somebody's mail
    return classify_reply(words)


def classify(exc: BaseException) -> MailServerError:
    """The error of our tree for anything a library or the system raised. Never raises.

    What is not known (TypeError, UnicodeError, MemoryError...) becomes a ProtocolViolation without text: such
    exceptions quote what they choked on, which can be a password or a message. The connection is then unusable.
    """
    if isinstance(exc, MailServerError):
        return exc
    if isinstance(exc, imaplib.IMAP4.error):
        return _classify_imap_error(exc)
    if isinstance(exc, OSError):
        return _classify_os_error(exc)
    if isinstance(exc, EOFError):
        return ConnectionLost()
    return ProtocolViolation()
