"""CSS of strangers, cut down to what cannot load, move out of its place, or hide the interface.

Invariants: a property, function or at-rule that is not listed here does not come out (CSS Syntax Level 3, parsed by
tinycss2); what comes out contains neither ``<`` nor ``\\``, so it can stand inside a style element; nothing raises.
"""

import re
from collections.abc import Iterator, Set
from functools import lru_cache
from typing import Any

import tinycss2

from webmail.render import css_plain
from webmail.render.css_media import clean_media
from webmail.render.css_properties import NEVER_NEGATIVE, PROPERTIES
from webmail.render.css_selectors import clean_prelude, clean_selectors
from webmail.render.wordlist import words

MAX_STYLESHEET = 300_000
MAX_DECLARATIONS = 20_000
MAX_NESTING = 40

_FUNCTIONS = words(
    "rgb rgba hsl hsla hwb lab lch oklab oklch calc min max clamp minmax repeat fit-content linear-gradient "
    "radial-gradient conic-gradient repeating-linear-gradient repeating-radial-gradient"
)
_ARITHMETIC = frozenset({"calc", "min", "max", "clamp"})
# The frame is as high as its content: a length measured by the frame's height would make it grow for ever.
_HEIGHT_UNITS = re.compile(r"(?:[dsl]?v(?:h|b|min|max)|cq(?:h|b|min|max))\Z", re.IGNORECASE)
_PLAIN_STRING = re.compile(r"[\w .,'&-]*\Z")
_FORBIDDEN = re.compile(r"[<\\\x00-\x08\x0b\x0e-\x1f\x7f{}@]")
_BRACKETS = re.compile(r"[\[({]|[\])}]")


def clean_declarations(css: str, *, properties: Set[str] = PROPERTIES) -> str:
    """The declarations of a style attribute that may stay, as one line; "" when none may or it cannot be read."""
    if len(css) > MAX_STYLESHEET:
        return ""
    pieces = css_plain.declarations(css)
    if pieces is not None:
        kept = (_piece(piece, properties) for piece in pieces[:MAX_DECLARATIONS])
        return ";".join(declaration for declaration in kept if declaration)
    return "" if _nested_too_deep(css) else _parsed_declarations(css, properties)


def _piece(piece: str, properties: Set[str]) -> str:
    """One declaration; the parser is asked only about what is not plain and has a property that may stay."""
    if not piece or piece.isspace():
        return ""
    plain = css_plain.declaration(piece)
    if plain is not None and (plain.value or plain.name not in properties):
        return _text(plain.name, plain.value, plain.important) if plain.name in properties else ""
    return (_remembered if len(piece) <= 200 else _parsed_declarations)(piece, properties)


@lru_cache(maxsize=2_000)  # the same few fonts and colours stand all over a mail
def _remembered(piece: str, properties: Set[str]) -> str:
    return _parsed_declarations(piece, properties)


def forget() -> None:
    """Empties what is remembered from one mail to the next, for measuring."""
    _remembered.cache_clear()


def _parsed_declarations(css: str, properties: Set[str]) -> str:
    try:
        nodes = tinycss2.parse_blocks_contents(css, skip_comments=True, skip_whitespace=True)
        return _declarations(nodes, properties=properties)
    except (RecursionError, ValueError):
        return ""


def clean_stylesheet(css: str) -> str:
    """The rules of a style element that may stay. At most 300 KB are read; "" when it cannot be read."""
    css = css[:MAX_STYLESHEET]
    if _nested_too_deep(css):
        return ""
    statements = css_plain.statements(css)
    if statements is not None:
        return "\n".join(_plain_rules(statements))
    try:
        return "\n".join(_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), depth=0))
    except (RecursionError, ValueError):
        return ""


def _plain_rules(statements: list[css_plain.Statement]) -> Iterator[str]:
    for at, prelude, body in statements:
        if not at:
            selectors = clean_prelude(prelude)
            kept = clean_declarations(body) if selectors else ""
            if kept:
                yield f"{selectors}{{{kept}}}"
        elif at == "media" and body and (media := clean_media(prelude)):
            inner = "\n".join(_plain_rules(css_plain.statements(body) or []))
            if inner:
                yield f"@media {media}{{{inner}}}"


def _nested_too_deep(css: str) -> bool:
    depth = 0
    for bracket in _BRACKETS.finditer(css):
        depth = depth + 1 if bracket[0] in "[({" else max(depth - 1, 0)
        if depth > MAX_NESTING:
            return True
    return False


def _rules(nodes: list[Any], *, depth: int) -> Iterator[str]:
    for node in nodes:
        if node.type == "qualified-rule":
            selectors = clean_selectors(node.prelude)
            body = _declarations(_contents(node)) if selectors else ""
            if body:
                yield f"{selectors}{{{body}}}"
        elif node.type == "at-rule" and node.lower_at_keyword == "media" and node.content is not None and depth < 3:
            media = clean_media(tinycss2.serialize(node.prelude))
            inner = "\n".join(_rules(_rule_list(node), depth=depth + 1)) if media else ""
            if inner:
                yield f"@media {media}{{{inner}}}"


def _rule_list(node: Any) -> list[Any]:
    return list(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True))


def _contents(node: Any) -> list[Any]:
    return list(tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True))


def _declarations(nodes: list[Any], *, properties: Set[str] = PROPERTIES) -> str:
    kept = []
    for node in nodes[:MAX_DECLARATIONS]:
        if node.type == "declaration" and node.lower_name in properties:
            value = _value(node.lower_name, node.value)
            if value:
                kept.append(_text(node.lower_name, value, node.important))
    return ";".join(kept)


def _text(name: str, value: str, important: bool) -> str:
    return f"{name}:{value}{'!important' if important else ''}"


def _value(name: str, tokens: list[Any]) -> str:
    """The serialized value, or "" when any part of it is not on the list."""
    if not all(_allowed(token, name=name) for token in tokens):
        return ""
    text = str(tinycss2.serialize([token for token in tokens if token.type != "comment"])).strip()
    return "" if _FORBIDDEN.search(text) else text


def _allowed(token: Any, *, name: str) -> bool:
    kind = token.type
    if kind in ("whitespace", "comment", "ident", "hash"):
        return True
    if kind in ("number", "percentage", "dimension"):
        return _allowed_number(token, name=name)
    if kind == "literal":
        return token.value in (",", "/", "+", "-", "*")
    if kind == "string":
        return name in ("font", "font-family", "quotes") and _PLAIN_STRING.match(token.value) is not None
    if kind == "function":
        return _allowed_function(token, name=name)
    return kind == "() block" and all(_allowed(inner, name=name) for inner in token.content)


def _allowed_number(token: Any, *, name: str) -> bool:
    if token.value < 0 and name in NEVER_NEGATIVE:
        return False
    return not (token.type == "dimension" and _HEIGHT_UNITS.match(token.unit))


def _allowed_function(token: Any, *, name: str) -> bool:
    if token.lower_name not in _FUNCTIONS or (token.lower_name in _ARITHMETIC and name in NEVER_NEGATIVE):
        return False
    return all(_allowed(inner, name=name) for inner in token.arguments)
