"""Media queries that mail may ask (Media Queries Level 4): by width and resolution only.

The frame's height follows its content, so a query about height could make a message flicker; one about the colour
scheme would mix with the paper that the reader chose.
"""

import re

MAX_QUERY = 300
_FEATURE = re.compile(
    r"\(\s*(?:(?:min-|max-)?(?:device-)?width\s*:\s*[\d.]+(?:px|em|rem)?"
    r"|(?:-webkit-)?(?:min-|max-)?(?:device-pixel-ratio|resolution)\s*:\s*[\d.]+(?:/\d+)?(?:dpi|dppx|dpcm|x)?)\s*\)"
)
_WORD = re.compile(r"(?:only|not|and|all|screen|print)\b")
_SEPARATOR = re.compile(r"[\s,]+")


def clean_media(query: str) -> str:
    """The query with its spaces made single, or "" when it asks anything else."""
    query = re.sub(r"/\*.*?\*/", " ", query[: MAX_QUERY + 1], flags=re.DOTALL).strip().lower()
    if not query or len(query) > MAX_QUERY:
        return ""
    place = 0
    while place < len(query):
        piece = _FEATURE.match(query, place) or _WORD.match(query, place) or _SEPARATOR.match(query, place)
        if piece is None:
            return ""
        place = piece.end()
    return " ".join(query.split())
