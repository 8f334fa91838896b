"""Addresses of mail as links (RFC 6068). Only whom, subject and text count: no other field, no file (criterion S16)."""

from dataclasses import dataclass
from urllib.parse import unquote

from webmail.mime.text import safe_line

_LONGEST = 20_000
_MOST_FIELDS = 50


@dataclass(frozen=True, slots=True)
class MailTo:
    """Lists of addresses and the subject are single lines, the text has lines."""

    to: str = ""
    cc: str = ""
    subject: str = ""
    body: str = ""


def read_mailto(url: str) -> MailTo:
    """What the link asks for; nothing of what is no mailto link. Never raises."""
    url = url[:_LONGEST].strip()
    if url[:7].lower() != "mailto:":
        return MailTo()
    address, _, query = url[7:].partition("?")
    found: dict[str, list[str]] = {"to": [_line(unquote(address))]}
    for field in query.split("&")[:_MOST_FIELDS]:
        name, _, value = field.partition("=")
        found.setdefault(name.lower(), []).append(unquote(value))  # a plus is a plus here
    lists = {name: ", ".join(filter(None, map(_line, found.get(name, [])))) for name in ("to", "cc")}
    subject = _line((found.get("subject") or [""])[0])
    text = "\n".join(found.get("body", [])).replace("\r\n", "\n").replace("\r", "\n")
    return MailTo(lists["to"], lists["cc"], subject, "\n".join(safe_line(line) for line in text.split("\n")))


def _line(text: str) -> str:
    return " ".join(safe_line(text[:2_000]).split())
