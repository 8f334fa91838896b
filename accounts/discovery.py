"""Where a person's mail servers probably are, from the address alone: a table and the conventional names.

Invariants: pure, no look-ups; every guess is TLS or STARTTLS; a guess is shown before it is used, and a credential
never goes to a server that was only guessed. Facts in the table are the providers' published settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

MailProtocol: TypeAlias = Literal["imap", "pop3", "smtp"]
Security: TypeAlias = Literal["tls", "starttls"]


@dataclass(frozen=True, slots=True)
class ServerGuess:
    """One server to try. `source` is "provider" for a published setting, "convention" for a name made up by rule."""

    protocol: MailProtocol
    host: str
    port: int
    security: Security
    source: Literal["provider", "convention"]


@dataclass(frozen=True, slots=True)
class _Provider:
    domains: tuple[str, ...]
    imap: str
    smtp: str
    pop: str = ""
    smtp_port: int = 465


_PROVIDERS = (
    _Provider(("gmail.com", "googlemail.com"), "imap.gmail.com", "smtp.gmail.com", "pop.gmail.com"),
    _Provider(
        ("outlook.com", "hotmail.com", "live.com", "msn.com"),
        "outlook.office365.com",
        "smtp-mail.outlook.com",
        "outlook.office365.com",
        587,
    ),
    _Provider(
        ("yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "ymail.com", "rocketmail.com"),
        "imap.mail.yahoo.com",
        "smtp.mail.yahoo.com",
        "pop.mail.yahoo.com",
    ),
    _Provider(("aol.com",), "imap.aol.com", "smtp.aol.com", "pop.aol.com"),
    _Provider(("icloud.com", "me.com", "mac.com"), "imap.mail.me.com", "smtp.mail.me.com", smtp_port=587),
    _Provider(("fastmail.com", "fastmail.fm"), "imap.fastmail.com", "smtp.fastmail.com", "pop.fastmail.com"),
    _Provider(("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), "imap.gmx.net", "mail.gmx.net", "pop.gmx.net"),
    _Provider(("gmx.com", "gmx.co.uk", "gmx.us"), "imap.gmx.com", "mail.gmx.com", "pop.gmx.com"),
    _Provider(("web.de",), "imap.web.de", "smtp.web.de", "pop3.web.de", 587),
    _Provider(("mail.com",), "imap.mail.com", "smtp.mail.com", "pop.mail.com"),
    _Provider(
        ("t-online.de", "magenta.de"), "secureimap.t-online.de", "securesmtp.t-online.de", "securepop.t-online.de"
    ),
    _Provider(("freenet.de",), "mx.freenet.de", "mx.freenet.de", "mx.freenet.de"),
    _Provider(("posteo.de", "posteo.net"), "posteo.de", "posteo.de", "posteo.de"),
    _Provider(("mailbox.org",), "imap.mailbox.org", "smtp.mailbox.org", "pop3.mailbox.org"),
    _Provider(("zoho.com", "zohomail.com"), "imap.zoho.com", "smtp.zoho.com", "pop.zoho.com"),
    _Provider(("yandex.com", "yandex.ru", "ya.ru"), "imap.yandex.com", "smtp.yandex.com", "pop.yandex.com"),
    _Provider(("mail.ru", "bk.ru", "inbox.ru", "list.ru"), "imap.mail.ru", "smtp.mail.ru", "pop.mail.ru"),
    _Provider(("orange.fr", "wanadoo.fr"), "imap.orange.fr", "smtp.orange.fr", "pop.orange.fr"),
    _Provider(("free.fr",), "imap.free.fr", "smtp.free.fr", "pop.free.fr"),
    _Provider(("laposte.net",), "imap.laposte.net", "smtp.laposte.net", "pop.laposte.net"),
    _Provider(("163.com",), "imap.163.com", "smtp.163.com", "pop.163.com"),
    _Provider(("126.com",), "imap.126.com", "smtp.126.com", "pop.126.com"),
    _Provider(("qq.com", "foxmail.com"), "imap.qq.com", "smtp.qq.com", "pop.qq.com"),
    _Provider(("purelymail.com",), "imap.purelymail.com", "smtp.purelymail.com", "pop3.purelymail.com"),
)
_BY_DOMAIN = {domain: provider for provider in _PROVIDERS for domain in provider.domains}


def is_public(domain: str) -> bool:
    """Whether a known provider gives addresses in this domain to everybody."""
    return domain in _BY_DOMAIN


# (protocol, first label, port, security): implicit TLS first, RFC 8314 section 3
_CONVENTIONS: tuple[tuple[MailProtocol, str, int, Security], ...] = (
    ("imap", "imap", 993, "tls"),
    ("imap", "mail", 993, "tls"),
    ("smtp", "smtp", 465, "tls"),
    ("smtp", "smtp", 587, "starttls"),
    ("smtp", "mail", 465, "tls"),
    ("smtp", "mail", 587, "starttls"),
    ("pop3", "pop", 995, "tls"),
    ("pop3", "mail", 995, "tls"),
)


def candidates(address: str) -> list[ServerGuess]:
    """Servers to try for an address, the likelier first within each protocol; [] for what is no address.

    A known provider's published servers are the whole answer for its domains. Never raises.
    """
    try:
        domain = _ascii(address.strip().rpartition("@")[2]) if "@" in address else ""
    except ValueError:
        return []
    if "." not in domain:
        return []
    if (provider := _BY_DOMAIN.get(domain)) is not None:
        return _published(provider)
    return [
        ServerGuess(protocol, f"{label}.{domain}", port, security, "convention")
        for protocol, label, port, security in _CONVENTIONS
    ]


def _published(provider: _Provider) -> list[ServerGuess]:
    security: Security = "starttls" if provider.smtp_port == 587 else "tls"
    guesses = [
        ServerGuess("imap", provider.imap, 993, "tls", "provider"),
        ServerGuess("smtp", provider.smtp, provider.smtp_port, security, "provider"),
    ]
    return [*guesses, ServerGuess("pop3", provider.pop, 995, "tls", "provider")] if provider.pop else guesses


# What these providers write into Authentication-Results (RFC 8601), by the end of the hosts that mail is read from.
_SERVICES = {
    ".gmail.com": frozenset({"mx.google.com"}),
    ".googlemail.com": frozenset({"mx.google.com"}),
    ".mail.me.com": frozenset({".icloud.com"}),
    ".fastmail.com": frozenset({".messagingengine.com"}),
}


def authentication_services(host: str) -> frozenset[str]:
    """The authserv-ids of a known provider from the host that its mail is read from; a leading dot: all hosts below."""
    return next((names for end, names in _SERVICES.items() if host.lower().endswith(end)), frozenset())


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def _ascii(domain: str) -> str:
    """The domain as lower-case A-labels (RFC 5890); raises ValueError when it is none."""
    try:
        name = domain.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("not a domain") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("not a domain")
    return name
