"""Web and mail addresses in plain text, made into links in one linear pass (RFC 3986, RFC 6068).

Nothing here backtracks further than the length of one host label or local part.
"""

import re
from html import escape

from webmail.render.urls import clean_mailto, web_host
from webmail.render.values import Link

MAX_URL = 4_000
MAX_LINKS = 2_000

_END = r"\s<>\"\\^`{|}\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff。，、；：！？（）【】「」『』《》"
_CANDIDATE = re.compile(rf"(?<![\w@])(?:https?://|mailto:|www\.(?=\w))[^{_END}]+|@", re.IGNORECASE)
_DOMAIN = re.compile(r"\w[\w-]{0,62}(?:\.\w[\w-]{0,62}){1,8}")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&*+/=?^_{|}~-")
_PAIRS = {")": "(", "]": "["}


def linkify(text: str, links: list[Link]) -> str:
    """``text`` escaped for HTML, its addresses wrapped in links that are also appended to ``links``."""
    pieces: list[str] = []
    place = 0
    for match in _CANDIDATE.finditer(text):
        if match.start() < place or len(links) >= MAX_LINKS:
            continue
        start, end, href = _mail(text, match.start(), place) if match[0] == "@" else _url(match)
        if href:
            pieces.append(escape(text[place:start]))
            pieces.append(_anchor(href, text[start:end], links))
            place = end
    pieces.append(escape(text[place:]))
    return "".join(pieces)


def _anchor(href: str, text: str, links: list[Link]) -> str:
    links.append(Link(text[:300], href))
    return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">{escape(text)}</a>'


def _url(match: re.Match[str]) -> tuple[int, int, str]:
    if len(match[0]) > MAX_URL:
        return match.start(), match.end(), ""
    url = _trim(match[0])
    href = url
    if url[:4].lower() == "www.":
        href = "https://" + url
    elif url[:7].lower() == "mailto:":
        return match.start(), match.start() + len(url), (clean_mailto(url) or "") if "@" in url else ""
    return match.start(), match.start() + len(url), href if web_host(href) else ""


def _trim(url: str) -> str:
    """Without the punctuation of the sentence around it; brackets stay when they were opened inside."""
    surplus = {close: url.count(close) - url.count(opening) for close, opening in _PAIRS.items()}
    end = len(url)
    while end:
        last = url[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in ".,;:!?'*_…":
            break
        end -= 1
    return url[:end]


def _mail(text: str, at: int, floor: int) -> tuple[int, int, str]:
    """The bare address around the ``@`` at ``at``, beginning no earlier than ``floor``."""
    start = at
    while start > max(floor, at - 64) and text[start - 1] in _LOCAL:
        start -= 1
    while start < at and text[start] in ".!#$%&*+/=?^{|}~-":
        start += 1
    domain = _DOMAIN.match(text, at + 1)
    if domain is None or start == at or text[at - 1] == ".":
        return at, at, ""
    end = at + 1 + len(domain[0].rstrip("-_."))
    return start, end, "mailto:" + text[start:end].replace("%", "%25").replace("?", "%3F").replace("&", "%26")
