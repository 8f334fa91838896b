"""The submission face (RFC 6409): mail of the demo's people to the demo's people, delivered at once.

Nothing leaves the machine: every recipient outside the demo's domains is refused.
"""

import logging
import re
import time
from email.utils import formatdate

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.demo.imap.signing_in import verify
from deploy.demo.people import AUTHSERV_ID, DEMO_DOMAINS
from deploy.demo.store import NewMessage, Store

SIZE_LIMIT = 35_000_000
# a field of that name which claims to be ours can only be forged (RFC 8601 section 5)
FORGED = re.compile(
    rb"^Authentication-Results:\s*" + re.escape(AUTHSERV_ID.encode()) + rb"\b[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


class Submission:
    """The answers that aiosmtpd asks for; the library calls these by name."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def handle_MAIL(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        signed_in = _signed_in(session)
        if not signed_in:
            return "530 5.7.0 Please sign in first"
        if address.lower() != signed_in:
            return "553 5.7.1 That sender address is not yours"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender accepted"

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.rpartition("@")[2].lower() not in DEMO_DOMAINS:
            return "550 5.7.1 This demo delivers only to its own people; nothing leaves this machine"
        if self.store.find_account(address) is None:
            return "550 5.1.1 Nobody of that name lives here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient accepted"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        sender = envelope.mail_from or ""
        for recipient in dict.fromkeys(address.lower() for address in envelope.rcpt_tos):
            deliver(self.store, raw, sender=sender, recipient=recipient)
        return "250 2.0.0 Delivered"


def deliver(store: Store, raw: bytes, *, sender: str, recipient: str, when: int | None = None) -> int:
    """File a message in the INBOX of a demo address with the fields a delivery agent adds; returns its UID.

    Raises LookupError when nobody has that address.
    """
    account = store.find_account(recipient)
    box = None if account is None else store.find_mailbox(account, "INBOX")
    if box is None:
        raise LookupError("nobody in the demo has that address")
    moment = int(time.time()) if when is None else when
    trace = delivery_trace(sender=sender, recipient=recipient, when=moment)
    body = re.sub(rb"\r?\n", b"\r\n", raw)
    header, separator, rest = body.partition(b"\r\n\r\n")
    header = FORGED.sub(b"", header + b"\r\n").removesuffix(b"\r\n")
    (uid,) = store.append(box.id, [NewMessage(trace + header + separator + rest, (), moment)])
    return uid


def delivery_trace(*, sender: str, recipient: str, when: int, passed: bool = True) -> bytes:
    """Return-Path, Received and Authentication-Results (RFC 5321 section 4.4, RFC 8601) as bytes with CRLF.

    Longer than ASCII addresses are written as UTF-8 (RFC 6532).
    """
    domain = sender.rpartition("@")[2] or "unknown.example"
    host = AUTHSERV_ID if domain in DEMO_DOMAINS else f"mx.{domain}"
    result = "pass" if passed else "fail"
    dkim = f"dkim=pass header.d={domain}" if passed else "dkim=none"
    lines = (
        f"Return-Path: <{sender}>",
        f"Received: from {host} by {AUTHSERV_ID} with ESMTPS",
        f"\tfor <{recipient}>; {formatdate(when)}",
        f"Authentication-Results: {AUTHSERV_ID};",
        f"\tspf={result} smtp.mailfrom={domain};",
        f"\t{dkim};",
        f"\tdmarc={result} header.from={domain}",
        "",
    )
    return "\r\n".join(lines).encode()


def _signed_in(session: Session) -> str:
    data = session.auth_data
    return data.login.decode("utf-8", "replace").lower() if isinstance(data, LoginPassword) else ""


def submission_protocol(store: Store) -> SMTP:
    """One connection's protocol, for loop.create_server with implicit TLS (RFC 8314)."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        account = verify(store, data.login.decode("utf-8", "replace"), data.password.decode("utf-8", "replace"))
        if account is None:
            return AuthResult(success=False, handled=False, message="535 5.7.8 The address or the password is wrong")
        return AuthResult(success=True, auth_data=data)

    # the library warns about AUTH without STARTTLS; here TLS is there before its first word, and handle_MAIL insists
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    return SMTP(
        Submission(store),
        hostname=AUTHSERV_ID,
        ident="Mailroom demo",
        data_size_limit=SIZE_LIMIT,
        enable_SMTPUTF8=True,
        auth_require_tls=False,
        authenticator=check,
    )
