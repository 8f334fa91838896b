"""Ordinary CSS cut into rules and declarations without a parser: nearly all of what newsletters write.

Invariants: whatever is not plainly of the forms below (an escape, a string with an odd end, brackets across brackets, a
comment between two tokens) gives None and goes to tinycss2; what comes out is what tinycss2 and the lists of ``css``
would have let through, character for character, which a test compares. Every repetition is possessive, so that no
pattern takes more than linear time.
"""

import re
import sys
from typing import NamedTuple

# Before 3.11.5, `re` gives up matches of possessive repetitions whose inside backtracks (python/cpython#106052): there
# everything goes to tinycss2.
TRUSTED = sys.version_info >= (3, 11, 5)

_STRING = r"\"[^\"\\\n\r\f\0]*+\"|'[^'\\\n\r\f\0]*+'"
_SLASH = r"/(?!\*)"
# In brackets: nothing that ends a declaration, and one more level for the rgba() of a gradient.
_INNER = r"[^;\"'()\[\]{}\\@<>/\0]"
_ROUND = rf"\((?:{_INNER}++|{_STRING}|{_SLASH}|\((?:{_INNER}++|{_SLASH})*+\))*+\)"
_SQUARE = rf"\[(?:{_INNER}++|{_STRING})*+\]"
_DECLARATION = rf"(?:[^;\"'()\[\]{{}}\\@<>/\0]++|{_SLASH}|{_STRING}|{_ROUND})*+"
_PRELUDE = rf"(?:[^;\"'()\[\]{{}}\\@</\0]++|{_STRING}|{_ROUND}|{_SQUARE})++"
_BODY = rf"{_DECLARATION}(?:;{_DECLARATION})*+"
_W = r"[ \t\n\r\f]"  # what CSS takes for space; \s and strip() know more
_SPACE = " \t\n\r\f"
_RULE = rf"{_W}*+{_PRELUDE}\{{{_BODY}\}}"

_UNUSUAL = re.compile(r"[\"'()\[\]{}\\@<>/\0]")
_DECLARATIONS = re.compile(rf"{_BODY}\Z")
_EACH_DECLARATION = re.compile(rf"({_DECLARATION})(?:;|\Z)")
_STATEMENT = re.compile(
    rf"{_W}*+(?:(?P<prelude>{_PRELUDE})\{{(?P<body>{_BODY})\}}"
    rf"|@(?P<at>[a-zA-Z-]++)(?P<query>(?:{_PRELUDE})?)"
    rf"(?:;|\{{(?:(?P<rules>(?:{_RULE})*+{_W}*+)|{_BODY})\}}))"
)
# Each alternative begins with a letter, by which the search finds its places.
_COMMENT = re.compile(
    rf"{_STRING}|u[rR][lL]\([^\"'()\\]*+\)|U[rR][lL]\([^\"'()\\]*+\)|/(?P<comment>\*(?:[^*]|\*(?!/))*+(?P<end>\*/)?)"
)
_CONTINUES = re.compile(r"[\w-]|[^\x00-\x7f]")  # before "url(": the end of another name
_APART = frozenset(" \t\n\r\f{};")

_S = r"[ \t\n]"
_NUMBER = r"\+?(?:\d++(?:\.\d++)?|\.\d++)(?:px|em|rem|pt|%|ex|ch|cm|mm|in|pc|vw)?"
_WORD = rf"(?:-?[a-z_][\w-]*+|\#[\da-f]{{3,8}}|{_NUMBER})(?=[ \t\n,/!]|\Z)"
_PLAIN = re.compile(
    rf"{_S}*+(?P<name>[a-z-][\w-]*+){_S}*+:{_S}*+"
    rf"(?P<value>{_WORD}(?:(?:{_S}*+[,/]{_S}*+|{_S}++(?![,/!]|\Z)){_WORD})*+)"
    rf"{_S}*+(?P<important>!{_S}*+important{_S}*+)?\Z",
    re.ASCII | re.IGNORECASE,
)
_NAMED = re.compile(r"[ \t\n]*+([a-z][a-z-]*+)[ \t\n]*+:", re.ASCII | re.IGNORECASE)

_SIMPLE = r"(?:\*|[a-zA-Z][\w-]*+)?(?:[.#][a-zA-Z_][\w-]*+)*+(?::(?:hover|link|visited|active|focus)(?![\w(-]))?"
_SELECTORS = re.compile(
    rf"{_W}*+(?=[\w*.#:]){_SIMPLE}(?:(?:{_W}*+[>,]{_W}*+|{_W}++)(?=[\w*.#:]){_SIMPLE})*+{_W}*+\Z", re.ASCII
)


class Statement(NamedTuple):
    """A rule's selectors and declarations; with ``at``, lower-case, its prelude and the rules in its block."""

    at: str
    prelude: str
    body: str


def statements(css: str) -> list[Statement] | None:
    """The statements of a style element in order, at-rules with anything but rules inside them without body."""
    text = _without_comments(css) if TRUSTED else None
    if text is None:
        return None
    found = []
    place, size = 0, len(text.rstrip(_SPACE))
    while place < size:
        match = _STATEMENT.match(text, place)
        if match is None:
            return None
        at = (match["at"] or "").lower()
        found.append(Statement(at, match["query" if at else "prelude"], match["rules" if at else "body"] or ""))
        place = match.end()
    return found


def _without_comments(css: str) -> str | None:
    """CSS without comments and the shell of an HTML comment; None where a comment stands between two tokens."""
    text = css.strip(_SPACE).removeprefix("<!--").removesuffix("-->")
    if "/*" in text:
        between = False  # whether one stands where it parts what would else be one token

        def blank(match: re.Match[str]) -> str:
            nonlocal between
            start, end = match.span()
            before, after = text[start - 1 : start], text[end : end + 1]
            if match["comment"] is None:
                between = between or (match[0][0] in "uU" and _CONTINUES.match(before) is not None)
                return match[0]
            # One that never ends hides the rest; it is taken whole, or each of its fellows would be looked through.
            between = (
                between or match["end"] is None or not (before in _APART or after in _APART or not before or not after)
            )
            return " "

        text = _COMMENT.sub(blank, text)
        if between:
            return None
    return None if "<!--" in text or "-->" in text else text


def declarations(css: str) -> list[str] | None:
    """The pieces between semicolons, where a semicolon is one."""
    if not TRUSTED:
        return None
    if not _UNUSUAL.search(css):
        return css.split(";")
    return _EACH_DECLARATION.findall(css) if _DECLARATIONS.match(css) else None


class Plain(NamedTuple):
    """A declaration of words, colours and lengths not below nothing. ``value`` is "" where only the name was read."""

    name: str
    value: str
    important: bool


def declaration(piece: str) -> Plain | None:
    if not TRUSTED:
        return None
    match = _PLAIN.match(piece)
    if match is None:
        named = _NAMED.match(piece)
        return Plain(named[1].lower(), "", False) if named else None
    return Plain(match["name"].lower(), match["value"], match["important"] is not None)


def selectors(prelude: str) -> list[str] | None:
    """Element names, classes, ids and the states of links, between commas; spaces made single."""
    if not TRUSTED or not _SELECTORS.match(prelude):
        return None
    return [" ".join(one.split()) for one in prelude.split(",")]
