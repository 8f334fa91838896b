"""HTML of strangers to HTML that may be shown.

Order, each step once: limits (scan), style elements and body attributes through the CSS filter, nh3 with allow-lists.
Invariants: what nh3 returned is never edited; nothing relative, no scheme but http, https, mailto, tel, cid's and the
proxy's URLs, and pictures carried as data; ``sanitize`` does not raise for any text; cleaning twice
gives the same tree.
"""

import re
from collections.abc import Callable
from html import unescape

import nh3

from webmail.render.attributes import AttributeFilter, has_background
from webmail.render.css import clean_declarations, clean_stylesheet
from webmail.render.css_media import clean_media
from webmail.render.css_selectors import PAPER
from webmail.render.plain import html_to_text
from webmail.render.scan import MAX_LENGTH, Scan, Style, scan
from webmail.render.seen import Sight, as_line
from webmail.render.tags import CONTENT_REMOVED, QUOTE_ATTRIBUTES, QUOTE_TAGS, READ_ATTRIBUTES, READ_TAGS
from webmail.render.text import encodable, plain_to_html
from webmail.render.values import CleanHtml, Link, Policy, Problem, Profile

# Raised whenever the same input may come out differently: stored results of an older version are made again.
SANITIZER_VERSION = 3

MAX_FALLBACK = 200_000
MAX_LINKS = 1_000
MAX_LINK_TEXT = 50_000  # characters of markup: what a reader sees of a link may stand behind much that shows nothing

Judge = Callable[[str, str, str], str | None]  # element, attribute, value: the value that may stay

_LINK = re.compile(r'<a((?: [\w-]+="[^"]*")*)>')
_HREF = re.compile(r' href="([^"]*)"')
_JOINED = re.compile(r"\w\.\w")
_HEX = re.compile(r"(?:[0-9a-f]{3}|[0-9a-f]{6})\Z", re.IGNORECASE)


def sanitize(html: str, *, policy: Policy) -> CleanHtml:
    """Clean one HTML body. Over a limit, or when the parser fails, its plain text is shown and ``problem`` says so.

    Of more than 2 MB of HTML the beginning is shown (``problem`` "cut").
    """
    problem: Problem = ""
    html = encodable(html)
    if len(html) > MAX_LENGTH:
        problem = "cut"
        tag = html.rfind("<", 0, MAX_LENGTH)
        html = html[: tag if tag > 0 else MAX_LENGTH]
    found = scan(html)
    if found.excess:
        return _fallback(html, "too-complex")
    judge = AttributeFilter(policy, pixels=found.pixels)
    cleaned = clean_tree(html, judge, profile=policy.profile)
    if cleaned is None:
        return _fallback(html, "unreadable")
    stylesheet = _stylesheet(found) if policy.profile == "read" else ""
    return CleanHtml(
        html=cleaned,
        stylesheet=stylesheet,
        remote_images=judge.remote_images,
        remote_backgrounds=len(found.backgrounds),
        trackers=judge.trackers,
        blocked_hosts=tuple(judge.hosts),
        problem=problem,
        designed=judge.painted or found.table_depth > 1 or has_background(stylesheet),
        links=links_of(cleaned, stylesheet),
    )


def clean_tree(html: str, judge: Judge, *, profile: Profile, follow: bool = True) -> str | None:
    """The one call of nh3; None when its parser gives up. ``follow`` adds the target and rel of links to be clicked."""
    reading = profile == "read"
    try:
        return nh3.clean(
            html,
            tags=READ_TAGS if reading else QUOTE_TAGS,
            attributes=READ_ATTRIBUTES if reading else QUOTE_ATTRIBUTES,
            clean_content_tags=CONTENT_REMOVED if reading else CONTENT_REMOVED | {"summary"},
            attribute_filter=judge,
            set_tag_attribute_values={"a": {"target": "_blank"}} if follow else None,
            link_rel="noopener noreferrer" if follow else None,
            url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
            url_relative="pass_through",  # the filter above has already refused them; cid URLs may come out relative
            id_prefix="m-",
        )
    except (ValueError, MemoryError, RecursionError):
        return None
    except BaseException as error:
        # A panic in Rust arrives as a BaseException of a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        return None


def links_of(cleaned: str, stylesheet: str = "") -> tuple[Link, ...]:
    """Where the links of a cleaned body lead, with their text, in order; at most 1,000."""
    links = []
    sight: Sight | None = None
    for match in _LINK.finditer(cleaned):
        href = _HREF.search(match[1])
        if href is None:
            continue
        end = cleaned.find("</a>", match.end())
        end = min(end, match.end() + MAX_LINK_TEXT)
        text = as_line(html_to_text(cleaned[match.end() : end]))
        seen: tuple[str, ...] = ()
        if _JOINED.search(text) or ("<" in cleaned[match.end() : end] and ("." in text or not text.isascii())):
            sight = sight or Sight(cleaned, stylesheet)
            seen = sight.texts(match.start(), end)
        links.append(Link(text, unescape(href[1]), seen))
        if len(links) >= MAX_LINKS:
            break
    return tuple(links)


def _fallback(html: str, problem: Problem) -> CleanHtml:
    plain = plain_to_html(html_to_text(html[: 4 * MAX_FALLBACK])[:MAX_FALLBACK])
    return CleanHtml(html=plain.html, problem=problem, links=plain.links)


def _stylesheet(found: Scan) -> str:
    sheets = [_body_rule(found.body), *map(_style, found.styles)]
    return "\n".join(sheet for sheet in sheets if sheet)


def _style(style: Style) -> str:
    media = style.media.strip().lower()
    if media in ("", "all", "screen"):
        return clean_stylesheet(style.css)
    query = clean_media(media)
    rules = clean_stylesheet(style.css) if query else ""
    return f"@media {query}{{{rules}}}" if rules else ""


def _body_rule(attributes: dict[str, str]) -> str:
    """What the attributes of ``<body>`` and ``<html>`` say about the paper, as rules; the parser drops those tags."""
    wanted = [
        ("background-color:", _colour(attributes.get("bgcolor", ""))),
        ("color:", _colour(attributes.get("text", ""))),
        ("direction:", attributes["dir"] if attributes.get("dir", "").lower() in ("rtl", "ltr") else ""),
        ("", attributes.get("style", "")),
    ]
    paper = clean_declarations(";".join(name + value for name, value in wanted if value))
    link = clean_declarations("color:" + _colour(attributes.get("link", "")))
    rules = [f"{PAPER}{{{paper}}}" if paper else "", f"{PAPER} a{{{link}}}" if link else ""]
    return "\n".join(rule for rule in rules if rule)


def _colour(value: str) -> str:
    return "#" + value if _HEX.match(value) else value
