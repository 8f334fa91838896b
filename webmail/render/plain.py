"""The words of an HTML text, for previews, for search, and for when the HTML itself cannot be shown."""

import html
import re

from webmail.render.wordlist import words

_TOKEN = re.compile(r"<(?:(?P<close>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+)[^>]*+>|[!?/][^>]*+>)")
_HIDDEN = words("script style title noscript template xmp iframe textarea select object svg math")
_BLOCKS = words(
    "address article aside blockquote br center dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main ol "
    "p pre section table tr ul"
)
_SPACES = re.compile(r"[ \t\n\f\r]+")
_GAPS = re.compile(r" *\n *")
_MANY_SPACES = re.compile(r" {2,}")
_MANY_LINES = re.compile(r"\n{3,}")


def html_to_text(source: str) -> str:
    """Plain text of HTML: blocks become lines, scripts and styles vanish, entities are decoded. Never raises."""
    pieces: list[str] = []
    place = 0
    last_end = source.rfind(">")
    while 0 <= (start := source.find("<", place)) < last_end:
        pieces.append(_SPACES.sub(" ", source[place:start]))
        place, piece = _skip(source, start)
        pieces.append(piece)
    pieces.append(_SPACES.sub(" ", source[place:]))
    # Spaces first: a long run of them costs the search for gaps its length squared.
    text = _MANY_SPACES.sub(" ", html.unescape("".join(pieces)).replace("\xa0", " "))
    return _MANY_LINES.sub("\n\n", _GAPS.sub("\n", text)).strip()


def _skip(source: str, start: int) -> tuple[int, str]:
    """Where the text goes on after the markup at ``start``, and what stands in its place."""
    if source.startswith("<!--", start):
        end = source.find("-->", start + 2)
        return (end + 3 if end >= 0 else len(source)), ""
    match = _TOKEN.match(source, start)
    if match is None:
        return start + 1, "<"
    name = (match["name"] or "").lower()
    if name in _HIDDEN and not match["close"]:
        end_tag = re.compile(f"</{name}", re.IGNORECASE).search(source, match.end())
        return (end_tag.start() if end_tag else len(source)), ""
    return match.end(), "\n" if name in _BLOCKS else " " if name in ("td", "th") else ""
