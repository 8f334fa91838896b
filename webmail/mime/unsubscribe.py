"""How to leave a mailing list, as its mail says (RFC 2369 section 3.2, RFC 8058).

Total and bounded. What comes out is one address of each kind, the first that may be used at all.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from webmail.mime.text import safe_line

MAX_URLS = 10
_MAX_URL = 2_000
_MAX_BODY = 2_000
_BRACKETED: Final = re.compile(r"<([^<>]{1,4000})>")
_BLANKS: Final = re.compile(r"\s+")
_PLAIN: Final = re.compile(r"[!-\[\]-~]+")  # printable ASCII without the backslash that browsers read as a slash
_ADDRESS: Final = re.compile(r"[^\s@,:;<>\"()]{1,200}@[^\s@,:;<>\"()?/&=%]{1,250}")
_PUBLIC: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,20}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\.?")
_INSIDE: Final = ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "private", "home.arpa")
_ONE_CLICK: Final = "list-unsubscribe=one-click"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mailto address as far as a composer follows it: these fields and no others (criterion S16)."""

    to: str
    subject: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """``web`` is an absolute https URL or "", ``host`` its host in lower case."""

    web: str = ""
    host: str = ""
    letter: Letter | None = None


def ways_out(value: str) -> Ways:
    """What an unfolded List-Unsubscribe value offers. Never raises."""
    web, host, letter = "", "", None
    for found in _BRACKETED.findall(value[: MAX_URLS * _MAX_URL])[:MAX_URLS]:
        url = _BLANKS.sub("", found)[: _MAX_URL + 1]
        if len(url) > _MAX_URL or not _PLAIN.fullmatch(url):
            continue
        if not web and (host := _web_host(url)):
            web = url
        elif letter is None and url[:7].lower() == "mailto:":
            letter = _letter(url[7:])
    return Ways(web, host if web else "", letter)


def asks_one_click(value: str) -> bool:
    """Whether a List-Unsubscribe-Post value is the one that RFC 8058 section 3.1 knows."""
    return value.strip().lower() == _ONE_CLICK


def _web_host(url: str) -> str:
    """The host of an https URL on the usual port and without a name of its own; "" for everything else.

    So are numbers and the names of networks that are somebody's own (RFC 6761, RFC 6762, RFC 8375): the mail, not its
    reader, chose what is opened there.
    """
    try:
        parts = urlsplit(url)
        usual = parts.scheme.lower() == "https" and parts.port in (None, 443) and "@" not in parts.netloc
        host = (parts.hostname or "").lower() if usual else ""
    except ValueError:
        return ""
    inside = any(f".{host.rstrip('.')}".endswith(f".{name}") for name in _INSIDE)
    return host if _PUBLIC.fullmatch(host) and not inside else ""


def _letter(rest: str) -> Letter | None:
    """RFC 6068, of which one recipient, subject and body count."""
    address, _, query = rest.partition("?")
    try:
        fields = {name.lower(): value for name, value in reversed(parse_qsl(query, max_num_fields=20))}
    except ValueError:
        fields = {}
    to = unquote(address)
    if not _ADDRESS.fullmatch(to) or not to.isprintable():
        return None
    body = "\n".join(safe_line(line) for line in fields.get("body", "")[:_MAX_BODY].splitlines())
    return Letter(to, safe_line(fields.get("subject", "")[:500]), body)
