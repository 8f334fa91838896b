"""Links that are not what they seem: their text, or what stands before an ``@``, names another site than their own."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from webmail.mime.domains import ascii_domain, site
from webmail.mime.lookalike import is_disguised
from webmail.mime.text import visible
from webmail.render.urls import web_host
from webmail.render.values import Link
from webmail.render.wordlist import words

_NAMED = re.compile(r"(?:[^\s/@]{0,200}@)?((?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62})(?![\w@.-])", re.IGNORECASE)
_SCHEME = re.compile(r"https?:[/\\\s]*|(?=www\.)", re.IGNORECASE)
# Endings of files that are no top-level domains.
_FILES = words(
    "pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt csv json xml html htm php asp aspx js jsx ts tsx css yml yaml"
    " toml jpg jpeg png gif webp svg mp3 mp4 exe dmg iso ics eml"
)
_DECORATION = re.compile(r"[^\w@#]+")  # quotes, bullets, arrows before the address; a tag is none
_AFTER = re.compile(r"(?<![^\w/])[^\w/]+\Z")
_DOTS = str.maketrans(dict.fromkeys("\u3002\ua4f8\u0701\u0702\u0660\u06f0", "."))  # U+3002 is one to browsers (UTS 46)
_USER = re.compile(r"https?:[/\\]{2}([^/\\?#@:]{1,200})(?::[^/\\?#@]{0,200})?@", re.IGNORECASE)
MOST = 50


class Deception(NamedTuple):
    """``claimed`` is the site that the link names, ``host`` the one it leads to, both in ASCII form (IDNA).

    ``claimed`` is "" for a host whose own letters are the disguise (mixed scripts, or those that imitate Latin).
    """

    link: Link
    claimed: str
    host: str


def deceptions(links: Iterable[Link]) -> tuple[Deception, ...]:
    """The links that should carry a warning, in order, each pair of sites once; at most 50."""
    found: dict[tuple[str, str], Deception] = {}
    for link in links:
        host = ascii_domain(web_host(link.href))
        if not host or len(found) >= MOST:
            continue
        names = (*map(named_host, (*link.seen, link.text)), _before_at(link.href))
        claimed = next((name for name in names if name and site(name) != site(host)), "")
        if claimed:
            found.setdefault((claimed, host), Deception(link, claimed, host))
        elif "xn--" in host and is_disguised(host):
            found.setdefault(("", host), Deception(link, "", host))
    return tuple(found.values())


def _before_at(href: str) -> str:
    """The host that the user name in ``https://bank.example@evil.test/`` pretends to be; "" for none."""
    match = _USER.match(href)
    return named_host(unquote(match[1])) if match else ""


def named_host(text: str) -> str:
    """The host that a link's text claims when all of it is an address, or it begins with one's scheme; "" for words."""
    text = _as_read(text)
    scheme = _SCHEME.match(text)
    if scheme is None and " " in text:
        return ""
    match = _NAMED.match(text, scheme.end() if scheme else 0)
    if match is None or (scheme is None and match[1].lower().rpartition(".")[2] in _FILES):
        return ""
    return ascii_domain(match[1].lower())


def _as_read(text: str) -> str:
    """The text without what nobody sees in it (invisible characters) or takes for a part of the address."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", visible(text)).translate(_DOTS)
    text = _AFTER.sub("", text.strip())
    decoration = _DECORATION.match(text)
    return text[decoration.end() :] if decoration else text
