"""Message submission, command by command, so that the caller knows at each moment what may have happened.

Invariants: `on_phase(DATA_SENT)` has returned before the byte that ends the data can leave, so an error that is not
OutcomeUnknown means the message was not taken and may be tried again; the server sees one DATA whose lines end in
CRLF and whose dots are stuffed, whatever the stored bytes hold; credentials go out under verified TLS only; no
address reaches the wire that could end its own command.
RFC 5321, 2920 (PIPELINING), 6409 (submission), 8314 (TLS), 3207 (STARTTLS), 4954 (AUTH), 1870 (SIZE), 6152
(8BITMIME), 6531 (SMTPUTF8), 3461 (DSN), 2034 and 3463 (enhanced codes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, TypeAlias

from webmail.protocols.dots import stuffed_pieces
from webmail.protocols.errors import MailServerError
from webmail.protocols.net import Credential, Endpoint, Resolver, ascii_domain, system_resolver
from webmail.protocols.smtp_talk import (
    COMMAND_PATIENCE,
    OUR_REFUSAL,
    Conversation,
    OutcomeUnknown,
    Phase,
    Reply,
    SubmissionFailed,
    open_conversation,
)

__all__ = [
    "OutcomeUnknown",
    "Phase",
    "RecipientOutcome",
    "ReportsWanted",
    "Session",
    "Submission",
    "SubmissionFailed",
    "connect",
    "reaches_nobody",
    "submit",
]

REPLY_PATIENCE = 600.0  # after the dot, RFC 5321 section 4.5.3.2.6
MOST_ENVELOPE_ID = 100

Status: TypeAlias = Literal["accepted", "temporary", "permanent"]


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What became of one recipient. `code` is the reply code, 0 when we refused the address before asking."""

    address: str
    status: Status
    code: int
    reply: str


@dataclass(frozen=True, slots=True)
class ReportsWanted:
    """What servers are asked to report (RFC 3461): failures and delays, with `delivered` that it arrived as well.

    `envelope_id` comes back in each report; at most 100 ASCII characters, "" for none.
    """

    envelope_id: str = ""
    delivered: bool = False

    def __post_init__(self) -> None:
        if not (self.envelope_id.isascii() and len(self.envelope_id) <= MOST_ENVELOPE_ID):
            raise ValueError("an envelope id is at most 100 ASCII characters")


@dataclass(frozen=True, slots=True)
class Submission:
    """One outcome per recipient, in their order. `final_code` is 0 when nobody was accepted and nothing was sent.

    `size_limit` is what the server takes, in octets, None where it does not say; `reports` whether it was asked to
    report.
    """

    outcomes: tuple[RecipientOutcome, ...]
    final_code: int
    final_reply: str
    queued_id_text: str
    size_limit: int | None = None
    reports: bool = False


_LOCAL_PART = re.compile(r"[^\x00-\x20\x7f-\xa0()<>\[\]\\,;:\"@\ud800-\udfff]{1,64}")


def _wire_address(address: str) -> str:
    """The address as it goes into MAIL and RCPT, its domain in A-labels. Raises ValueError for no such address."""
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local) or not local.isprintable() or len(local.encode()) > 64:
        raise ValueError("not an address that can be sent to")
    return f"{local}@{ascii_domain(domain)}"


@dataclass(slots=True)
class _Envelope:
    sender: str
    recipients: dict[str, str]  # address as given -> as sent
    order: tuple[str, ...]
    outcomes: dict[str, RecipientOutcome] = field(default_factory=dict)
    wanted: ReportsWanted | None = None
    size_limit: int | None = None

    @property
    def international(self) -> bool:
        return not all(address.isascii() for address in (self.sender, *self.recipients.values()))

    def refuse(self, address: str, words: str) -> None:
        self.recipients.pop(address, None)
        self.outcomes[address] = RecipientOutcome(address, "permanent", OUR_REFUSAL, words)

    def submission(self, final: Reply | None = None) -> Submission:
        outcomes = tuple(self.outcomes[address] for address in self.order)
        code, line, queued = (final.code, final.line, _queued_id(final)) if final else (OUR_REFUSAL, "", "")
        return Submission(outcomes, code, line, queued, self.size_limit, self.wanted is not None)


def _envelope(envelope_from: str, recipients: Sequence[str]) -> _Envelope:
    try:
        envelope = _Envelope(
            _wire_address(envelope_from) if envelope_from else "", {}, tuple(dict.fromkeys(recipients))
        )
    except ValueError:
        raise SubmissionFailed("the sender's address is not valid", permanent=True) from None
    for address in envelope.order:
        try:
            envelope.recipients[address] = _wire_address(address)
        except ValueError:
            envelope.refuse(address, "the address is not valid")
    return envelope


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in text)


def size_limit(features: Mapping[str, str]) -> int | None:
    """How large a message may be, in octets, of what EHLO told (RFC 1870); None where there is no fixed limit."""
    told = features.get("SIZE", "")
    return int(told) or None if re.fullmatch(r"[0-9]{1,15}", told) else None


def _check_features(talk: Conversation, envelope: _Envelope, size: int) -> None:
    limit = envelope.size_limit = size_limit(talk.features)
    if limit is not None and limit < size:
        raise SubmissionFailed(
            f"the message has {size} octets, the server takes {limit}", phase=talk.phase, permanent=True, code="5.3.4"
        )
    if "SMTPUTF8" in talk.features:
        return
    words = "the server does not take addresses with letters beyond ASCII"
    if not envelope.sender.isascii():
        raise SubmissionFailed(words, phase=talk.phase, permanent=True, code="5.6.7")
    for address in [given for given, sent in envelope.recipients.items() if not sent.isascii()]:
        envelope.refuse(address, words)


def _mail(talk: Conversation, envelope: _Envelope, size: int) -> str:
    parameters = [f"MAIL FROM:<{envelope.sender}>"]
    if "SIZE" in talk.features:
        parameters.append(f"SIZE={size}")
    if "8BITMIME" in talk.features:
        parameters.append("BODY=8BITMIME")
    if envelope.international:
        parameters.append("SMTPUTF8")
    wanted = envelope.wanted
    if wanted is not None:
        parameters.append(f"RET=HDRS ENVID={_xtext(wanted.envelope_id)}" if wanted.envelope_id else "RET=HDRS")
    return " ".join(parameters)


def _rcpt(sent: str, wanted: ReportsWanted | None) -> str:
    command = f"RCPT TO:<{sent}>"
    if wanted is not None:
        command += " NOTIFY=SUCCESS,FAILURE,DELAY" if wanted.delivered else " NOTIFY=FAILURE,DELAY"
        command += f" ORCPT=rfc822;{_xtext(sent)}" if sent.isascii() else ""
    return command


def _outcome(given: str, reply: Reply) -> RecipientOutcome:
    status: Status = "permanent"
    if 200 <= reply.code < 300:
        status = "accepted"
    elif reply.code < 500 or reply.code == 552:  # 552 here is an old way to say 452, RFC 5321 section 4.5.3.1.10
        status = "temporary"
    return RecipientOutcome(given, status, reply.code, reply.line)


def _send_data(
    talk: Conversation, data: BinaryIO, *, size: int, on_phase: Callable[[Phase], None], reply_patience: float
) -> Reply:
    reply = talk.command("DATA")
    if reply.code != 354:
        raise talk.refused(reply)
    talk.stream.restart_clock(talk.patience)
    for piece in stuffed_pieces(data, size):
        talk.stream.send(piece)
    if talk.stream.poll():  # the server gave up early: without the end of the data nothing is sent
        talk.stream.restart_clock(talk.patience)
        raise talk.refused(talk.reply())
    talk.reach(Phase.DATA_SENT, on_phase)
    try:
        talk.stream.restart_clock(reply_patience)
        talk.stream.send(b"\r\n.\r\n")
        reply = talk.reply()
    except MailServerError as lost:
        raise OutcomeUnknown(lost.server_line) from None
    if reply.code >= 400:
        raise talk.refused(reply)
    if reply.code >= 300:
        raise OutcomeUnknown(reply.line)
    talk.reach(Phase.REPLIED, on_phase)
    return reply


_QUEUED_ID = re.compile(r"(?:queued as|queue id|\bid\b)[ :=]*<?([A-Za-z0-9][\w.@-]{3,120})", re.IGNORECASE)


def _queued_id(reply: Reply) -> str:
    found = _QUEUED_ID.search(reply.text)
    return found.group(1) if found else ""


def _helo(name: str) -> str:
    return name if re.fullmatch(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]", name) else ascii_domain(name)


class Session:
    """A logged-in conversation that takes messages one after the other, by one thread at a time.

    Invariant: it is `usable` only between messages of which the server has told the end; after an error it is over.
    """

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._between = True
        self.taken = 0  # messages so far

    @property
    def began(self) -> bool:
        """Whether the server took the envelope of the last message."""
        return (self._talk.phase or Phase.CONNECTED) >= Phase.ENVELOPE

    @property
    def usable(self) -> bool:
        """Whether it may take another message: it is between two, and the server neither spoke nor hung up."""
        try:
            return self._between and not self._talk.stream.poll()
        except MailServerError:
            return False

    def submit(
        self,
        *,
        envelope_from: str,
        recipients: Sequence[str],
        data: BinaryIO,
        size: int,
        on_phase: Callable[[Phase], None],
        wanted: ReportsWanted | None = None,
        reply_patience: float = REPLY_PATIENCE,
    ) -> Submission:
        """One message in one transaction, as `smtp.submit`; raises what that raises after CONNECTED."""
        self._between, self._talk.phase = False, None
        envelope = _envelope(envelope_from, recipients)
        talk = self._talk
        talk.reach(Phase.CONNECTED, on_phase)
        _check_features(talk, envelope, size)
        envelope.wanted = wanted if "DSN" in talk.features else None
        if not _offer(talk, envelope, size):
            talk.part("RSET")
            self._between = True
            return envelope.submission()
        talk.reach(Phase.ENVELOPE, on_phase)
        reply = _send_data(talk, data, size=size, on_phase=on_phase, reply_patience=reply_patience)
        self._between, self.taken = True, self.taken + 1
        return envelope.submission(reply)

    def close(self) -> None:
        """Take leave where the server listens, and hang up. Never raises; may be called again."""
        if self._between:
            self._talk.part("QUIT")
        self._between = False
        self._talk.stream.close()


def connect(
    endpoint: Endpoint,
    credential: Credential | None,
    *,
    helo_name: str,
    command_patience: float = COMMAND_PATIENCE,
    resolver: Resolver = system_resolver,
) -> Session:
    """Greeted, under TLS and logged in; `credential` None for no login.

    Raises SubmissionFailed, HostNotAllowed, Unreachable, TlsFailed, AuthenticationFailed, Throttled, ConnectionLost,
    ProtocolViolation; ValueError for a bad `helo_name`.
    """
    helo_name = _helo(helo_name)
    return Session(
        open_conversation(endpoint, credential, helo_name=helo_name, patience=command_patience, resolver=resolver)
    )


def reaches_nobody(envelope_from: str, recipients: Sequence[str]) -> Submission | None:
    """What becomes of a message of whose recipients no server needs to be asked; None where one does."""
    envelope = _envelope(envelope_from, recipients)
    return None if envelope.recipients else envelope.submission()


def submit(
    endpoint: Endpoint,
    credential: Credential | None,
    *,
    envelope_from: str,
    recipients: Sequence[str],
    data: BinaryIO,
    size: int,
    on_phase: Callable[[Phase], None],
    helo_name: str,
    wanted: ReportsWanted | None = None,
    command_patience: float = COMMAND_PATIENCE,
    reply_patience: float = REPLY_PATIENCE,
    resolver: Resolver = system_resolver,
) -> Submission:
    """Submit one message over a connection of its own; `size` is the exact octets of `data`.

    `on_phase` is called when a phase is reached and must have stored it when it returns; what it raises ends the
    submission (before the end of the data: unsent) and passes through, like an error of `data`. An empty
    `envelope_from` is the null sender. When nobody was accepted, nothing was sent and `final_code` is 0. Reports are
    asked for where the server gives them.
    Raises OutcomeUnknown (may have been sent) or, always unsent, what `connect` raises; ValueError for a bad `size`.
    """
    helo_name = _helo(helo_name)
    nobody = reaches_nobody(envelope_from, recipients)
    if nobody is not None:
        return nobody
    session = connect(endpoint, credential, helo_name=helo_name, command_patience=command_patience, resolver=resolver)
    try:
        return session.submit(
            envelope_from=envelope_from,
            recipients=recipients,
            data=data,
            size=size,
            on_phase=on_phase,
            wanted=wanted,
            reply_patience=reply_patience,
        )
    finally:
        session.close()


def _offer(talk: Conversation, envelope: _Envelope, size: int) -> bool:
    """MAIL and RCPT; whether anybody was accepted."""
    if not envelope.recipients:
        return False
    commands = [_mail(talk, envelope, size), *(_rcpt(sent, envelope.wanted) for sent in envelope.recipients.values())]
    replies = talk.commands(commands)
    reply = next(replies)
    if not 200 <= reply.code < 300:
        raise talk.refused(reply)
    for given, reply in zip(envelope.recipients, replies, strict=True):
        if reply.code == 421:
            raise talk.refused(reply)
        envelope.outcomes[given] = _outcome(given, reply)
    return any(outcome.status == "accepted" for outcome in envelope.outcomes.values())
