"""The SMTP conversation up to the first MAIL: replies, EHLO, STARTTLS, AUTH, and what a refusal means.

Invariants: each command has its reply, in order; features learnt in the clear are forgotten under TLS; a credential
goes out under verified TLS only, and its echo never comes back in an error. RFC 5321 section 4.2, 2920, 3207, 4954,
2034.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from webmail.protocols.errors import (
    AuthenticationFailed,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
    classify_reply,
    printable,
)
from webmail.protocols.net import Credential, Endpoint, Resolver, dial
from webmail.protocols.stream import LineStream

COMMAND_PATIENCE = 120.0
PARTING_PATIENCE = 5.0
COMMAND_LIMIT = 510
MOST_REPLY_LINES = 200
AT_ONCE = 50  # commands sent before their replies are read: few enough that neither side waits for the other to read
LINE_LIMIT = 16 * 1024
DAY = 24 * 3600.0
OUR_REFUSAL = 0  # the reply code of an outcome we decided without asking the server


class Phase(enum.IntEnum):
    """How far a submission came. The caller stores each before the next step is taken."""

    CONNECTED = 1  # greeted, under TLS, logged in
    ENVELOPE = 2  # the sender and at least one recipient are accepted
    DATA_SENT = 3  # everything is sent but the end of the data; from here the outcome may be unknown
    REPLIED = 4  # the server took the message


class SubmissionFailed(MailServerError):
    """The server (or we, `smtp_code` 0) refused the message as a whole. It was not sent.

    `phase` is the last one reached, None before CONNECTED. `permanent` says that trying again is of no use.
    """

    def __init__(
        self,
        server_line: str = "",
        *,
        phase: Phase | None = None,
        permanent: bool = False,
        smtp_code: int = OUR_REFUSAL,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(server_line, retry_after=retry_after, code=code)
        self.phase = phase
        self.permanent = permanent
        self.smtp_code = smtp_code


class OutcomeUnknown(MailServerError):
    """The connection died after the end of the data may have left: the message may or may not have been taken."""

    kind = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; `lines` are as the server sent them, so only `text` and `line` are fit to be shown."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return printable(" ".join(self.lines))

    @property
    def enhanced(self) -> str:
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found.group(1) if found else ""

    @property
    def line(self) -> str:
        return f"{self.code} {self.text}".rstrip()


@dataclass(slots=True)
class Conversation:
    """One connection to a submission server, what it offers, and how far the submission came."""

    stream: LineStream
    patience: float
    phase: Phase | None = None
    features: dict[str, str] = field(default_factory=dict)

    def command(self, line: str, *, patience: float | None = None) -> Reply:
        """Send one line and read its reply. Raises ConnectionLost, ProtocolViolation."""
        self._send(line, patience=patience)
        return self.reply()

    def _send(self, *lines: str, patience: float | None = None) -> None:
        if any(re.search(r"[\r\n\0]", line) for line in lines):
            raise ValueError("a command is one line")
        if not self.stream.idle:
            self.stream.close()
            raise ProtocolViolation("the server spoke out of turn")
        self.stream.restart_clock(patience)
        self.stream.send(b"".join(line.encode() + b"\r\n" for line in lines))

    def commands(self, lines: Sequence[str]) -> Iterator[Reply]:
        """The reply to each command, in their order; where the server lets us (RFC 2920), many go out at once.

        Whoever stops reading leaves replies behind, and the conversation is over.
        """
        if "PIPELINING" not in self.features:
            yield from map(self.command, lines)
            return
        for start in range(0, len(lines), AT_ONCE):
            together = lines[start : start + AT_ONCE]
            self._send(*together)
            for _ in together:
                self.stream.restart_clock()
                yield self.reply()

    def reply(self) -> Reply:
        """The next reply, all its lines."""
        lines: list[str] = []
        for _ in range(MOST_REPLY_LINES):
            raw = self.stream.read_line()
            found = re.match(rb"([2-5]\d\d)(?:([ -])|$)", raw)
            if found is None:
                break
            lines.append(raw[4:].decode("utf-8", "replace"))
            if found[2] != b"-":
                return Reply(int(found[1]), tuple(lines))
        self.stream.close()
        raise ProtocolViolation("a reply out of form")

    def refused(self, reply: Reply) -> MailServerError:
        """The error for a reply that refuses the transaction as a whole."""
        if reply.code == 530:
            return AuthenticationFailed(reply.line, code=reply.enhanced)
        daily = reply.enhanced == "5.4.5"  # a daily quota: tomorrow it works
        return SubmissionFailed(
            reply.line,
            phase=self.phase,
            permanent=reply.code >= 500 and not daily,
            smtp_code=reply.code,
            retry_after=DAY if daily else None,
            code=reply.enhanced,
        )

    def reach(self, phase: Phase, on_phase: Callable[[Phase], None]) -> None:
        """A phase is reached once the caller has stored it."""
        on_phase(phase)
        self.phase = phase

    def part(self, *commands: str) -> None:
        """Take leave. Whatever happens now changes nothing."""
        try:
            for command in commands:
                self.command(command, patience=PARTING_PATIENCE)
        except MailServerError:
            pass


def _greet(talk: Conversation, helo_name: str) -> None:
    reply = talk.command(f"EHLO {helo_name}")
    if reply.code != 250:
        raise _not_now(reply)
    talk.features = {}
    for line in reply.lines[1:]:
        keyword, _, value = line.strip().upper().replace("AUTH=", "AUTH ", 1).partition(" ")
        known = talk.features.get(keyword, "")
        talk.features[keyword] = f"{known} {value}".strip()


def _not_now(reply: Reply) -> MailServerError:
    """A refusal before the message was looked at: of the connection, the greeting."""
    if reply.code == 421 or 400 <= reply.code < 500:
        words = classify_reply(reply.line)
        error = TooManyConnections if isinstance(words, TooManyConnections) else Throttled
        return error(reply.line, retry_after=words.retry_after, code=reply.enhanced)
    return SubmissionFailed(reply.line, smtp_code=reply.code, code=reply.enhanced)


def _start_tls(talk: Conversation, helo_name: str) -> None:
    if "STARTTLS" not in talk.features:
        raise TlsFailed("STARTTLS is not offered")
    reply = talk.command("STARTTLS")
    if reply.code != 220:
        raise TlsFailed(reply.line)
    talk.stream.start_tls()
    _greet(talk, helo_name)


def _log_in(talk: Conversation, credential: Credential) -> None:
    offered = talk.features.get("AUTH", "").split()
    if credential.mechanism == "oauth":
        if "XOAUTH2" not in offered:
            raise AuthenticationFailed("the server does not offer XOAUTH2")
        reply = _sasl(talk, credential, "XOAUTH2")
    elif "PLAIN" in offered:
        reply = _sasl(talk, credential, "PLAIN")
    elif "LOGIN" in offered:
        reply = _auth_login(talk, credential)
    else:
        raise AuthenticationFailed("the server offers no way to log in that we speak")
    if reply.code == 235:
        return
    line = credential.redact(f"{reply.code} {' '.join(reply.lines)}")
    if reply.code < 500:
        raise Throttled(line, code=reply.enhanced)
    raise AuthenticationFailed(line, code=reply.enhanced)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _sasl(talk: Conversation, credential: Credential, mechanism: str) -> Reply:
    response = _base64(credential.initial_response())
    short = len(mechanism) + len(response) + 6 <= COMMAND_LIMIT
    reply = talk.command(f"AUTH {mechanism} {response}" if short else f"AUTH {mechanism}")
    if reply.code == 334 and not short:
        reply = talk.command(response)
    if reply.code == 334:  # XOAUTH2 explains a refusal in a challenge, and refuses after an empty answer
        refusal = talk.command("")
        return Reply(refusal.code, (*refusal.lines, _decoded("".join(reply.lines))))
    return reply


def _decoded(challenge: str) -> str:
    try:
        return base64.b64decode(challenge, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""


def _auth_login(talk: Conversation, credential: Credential) -> Reply:
    reply = talk.command("AUTH LOGIN")
    for answer in (credential.username, credential.secret.reveal()):
        if reply.code != 334:
            break
        reply = talk.command(_base64(answer.encode()))
    return reply


def open_conversation(
    endpoint: Endpoint, credential: Credential | None, *, helo_name: str, patience: float, resolver: Resolver
) -> Conversation:
    """Connected, greeted, under TLS and logged in. Raises what `smtp.submit` raises before CONNECTED."""
    stream = LineStream(dial(endpoint, resolver=resolver), endpoint, patience=patience, line_limit=LINE_LIMIT)
    talk = Conversation(stream, patience)
    try:
        greeting = talk.reply()
        if greeting.code != 220:
            raise _not_now(greeting)
        _greet(talk, helo_name)
        if endpoint.security == "starttls":
            _start_tls(talk, helo_name)
        if credential is not None:
            _log_in(talk, credential)
    except BaseException:
        stream.close()
        raise
    return talk
