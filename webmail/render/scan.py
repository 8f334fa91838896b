"""One linear look at HTML before the parser sees it: is it small enough, and what should be remembered of it?

Invariants: tags, attributes, comments and raw text are cut as the HTML tokenizer cuts them (WHATWG HTML, 13.2.5), so
that nothing can hide from the counts; where the tree builder could make the tokenizer switch differently (svg, math,
select, template, noscript, escaped scripts) only a small number of tags is let through. Everything collected here
(styles, body attributes, pixels) is a hint that later steps still have to clean.
"""

import html
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from webmail.render.open_elements import OpenElements

MAX_LENGTH = 2_000_000
MAX_ATTRIBUTES = 200
MAX_ODD_TAGS = 8_000
# The parser appends each character that an entity names to the text before it, at a cost that grows with that text.
MAX_ENTITIES = 100_000
MAX_STYLES = 300_000
MAX_BACKGROUNDS = 200
STYLE_COST = 500

_S = r"[ \t\n\f\r]"
_ATTRIBUTE = (
    rf"[ \t\n\f\r/]*+([^ \t\n\f\r/>][^ \t\n\f\r/>=]*+)"
    rf"(?:{_S}*+={_S}*+(?:\"([^\"]*+)\"|'([^']*+)'|(?=>)|([^ \t\n\f\r>\"'][^ \t\n\f\r>]*+)))?+"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_BARE = re.sub(r"(?<!\\)\((?!\?)", "(?:", _ATTRIBUTE)
_TOKEN = re.compile(
    rf"<(?:(?P<close>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+)(?P<attributes>(?:{_BARE})*+)[ \t\n\f\r/]*+>"
    r"|!--(?:-?>|.*?--!?>)|(?!!--)[!?/][^>]*+>)",
    re.DOTALL,
)
_OPENING = re.compile(r"<[a-zA-Z]")
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_ODD = re.compile(r"<(?:svg|math|select|template|noscript|frameset)\b", re.IGNORECASE)

_RAW = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes", "title", "textarea", "plaintext"})


class Style(NamedTuple):
    media: str
    css: str


@dataclass(slots=True)
class Scan:
    """What the look found. ``excess`` says in one word which limit the document breaks; "" when none."""

    excess: str = ""
    styles: list[Style] = field(default_factory=list)
    body: dict[str, str] = field(default_factory=dict)
    pixels: set[str] = field(default_factory=set)
    backgrounds: set[str] = field(default_factory=set)
    table_depth: int = 0
    style_room: int = MAX_STYLES


def scan(source: str) -> Scan:
    """Count and collect; stops at the first limit that is broken. ``source`` is at most MAX_LENGTH characters."""
    found = Scan()
    if _ODD.search(source) and _more_openings_than(source, MAX_ODD_TAGS):
        found.excess = "odd"
    elif source.count("&") - source.count("&#") > MAX_ENTITIES:  # numbered ones cost nothing
        found.excess = "entities"
    else:
        _walk(source, found)
    return found


def read_attributes(text: str) -> dict[str, str]:
    """The attributes of one tag with lower-case names and decoded values; the first of two equal names counts."""
    values: dict[str, str] = {}
    for match in _ATTRIBUTES.finditer(text):
        values.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or match[4] or ""))
    return values


def _more_openings_than(source: str, limit: int) -> bool:
    return any(number >= limit for number, _ in enumerate(_OPENING.finditer(source)))


def _walk(source: str, found: Scan) -> None:
    load = OpenElements()
    start = _MARKUP.search(source)
    while start is not None:
        match = _TOKEN.match(source, start.start())
        if match is None:  # a tag or comment that the text ends in; the tokenizer drops all of it
            return
        end = match.end()
        if name := (match["name"] or "").lower():
            if match["close"]:
                load.end(name)
            else:
                load.start(name, end - match.start())
                found.excess = load.excess() or _attribute_excess(match["attributes"])
                if found.excess:
                    return
                end = _collect(source, name, match, found, load)
        start = None if found.excess else _MARKUP.search(source, end)


def _attribute_excess(text: str) -> str:
    if len(text) <= 2 * MAX_ATTRIBUTES:
        return ""
    return "attributes" if any(number >= MAX_ATTRIBUTES for number, _ in enumerate(_ATTRIBUTES.finditer(text))) else ""


def _collect(source: str, name: str, match: re.Match[str], found: Scan, load: OpenElements) -> int:
    """Remember what the tag is worth remembering for, and return where its content, if raw, ends."""
    if name in _RAW:
        end = _raw_end(source, name, match.end())
        if (
            name == "script"
            and source.find("<!--", match.end(), end) >= 0
            and _more_openings_than(source, MAX_ODD_TAGS)
        ):
            found.excess = "odd"  # a script with a comment in it may end elsewhere than here
        if name == "style" and end > match.end() and found.style_room > 0:
            _note_urls(source[match.end() : end][:MAX_STYLES], found)
            media = read_attributes(match["attributes"]).get("media", "")
            found.styles.append(Style(media, source[match.end() : end][: found.style_room]))
            found.style_room -= end - match.end() + STYLE_COST
        return end
    if _MAY_HAVE_GROUND.search(match["attributes"]):
        _note_grounds(read_attributes(match["attributes"]), found)
    if name == "table":
        found.table_depth = max(found.table_depth, load.tables)
    elif name == "img":
        _note_pixel(read_attributes(match["attributes"]), found)
    elif name in ("body", "html"):
        found.body = {**read_attributes(match["attributes"]), **found.body}
    return match.end()


def _raw_end(source: str, name: str, start: int) -> int:
    if name == "plaintext":
        return len(source)
    match = re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE).search(source, start)
    return match.start() if match else len(source)


_TINY = re.compile(r"\s*[01](?:\.0+)?(?:px)?\s*\Z")
_HIDDEN = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0\s*(?:;|$))", re.IGNORECASE
)
_TINY_STYLE = re.compile(r"(?:^|;)\s*(width|height)\s*:\s*[01](?:\.0+)?px\b", re.IGNORECASE)


def _note_pixel(attributes: dict[str, str], found: Scan) -> None:
    style = attributes.get("style", "")[:500]
    tiny = {name for name in ("width", "height") if _TINY.match(attributes.get(name, ""))}
    tiny |= {name.lower() for name in _TINY_STYLE.findall(style)}
    if len(tiny) == 2 or _HIDDEN.search(style):
        found.pixels.add(attributes.get("src", "").strip())


_MAY_HAVE_GROUND = re.compile(r"background[ \t\n\f\r]*+=|url\(", re.IGNORECASE)
_URL = re.compile(r"url\([\s\"']*+((?:https?:)?//[^\s\"')]++)", re.IGNORECASE)
_WEB = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)


def _note_grounds(attributes: dict[str, str], found: Scan) -> None:
    """Pictures of other servers that stand behind text. They are never loaded; how many there were is said."""
    _note_urls(attributes.get("style", ""), found)
    ground = attributes.get("background", "")
    if _WEB.match(ground) and len(found.backgrounds) < MAX_BACKGROUNDS:
        found.backgrounds.add(ground.strip())


def _note_urls(css: str, found: Scan) -> None:
    for url in _URL.finditer(css):
        if len(found.backgrounds) >= MAX_BACKGROUNDS:
            return
        found.backgrounds.add(url[1])
