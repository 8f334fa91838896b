"""Selectors of mail, made to match inside the message only (Selectors Level 4).

``html``, ``body`` and ``:root`` mean the paper the message lies on, a wrapper of class ``m-body``; ids carry the same
``m-`` prefix that the sanitizer gives to id attributes. A selector with anything unusual in it is dropped.
"""

import re
from collections.abc import Iterator
from typing import Any

import tinycss2

from webmail.render import css_plain
from webmail.render.wordlist import words

MAX_SELECTORS = 200
PAPER = ":where(.m-body)"
_FORBIDDEN = re.compile(r"[<\\{}@;\x00-\x08\x0b\x0e-\x1f\x7f]")
_PSEUDO = words(
    "link visited hover active focus first-child last-child only-child first-of-type last-of-type only-of-type empty "
    "first-letter first-line"
)
_PSEUDO_FUNCTIONS = frozenset({"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type", "not", "is", "where"})
_ROOTS = frozenset({"html", "body"})
_ROOT = re.compile(r"(?<![\w.#:-])(?:html|body)(?![\w-])", re.IGNORECASE)
_DOUBLED = re.compile(re.escape(PAPER) + r"\s*[> ]\s*(?=" + re.escape(PAPER) + ")")
_ID = re.compile(r"#(?!m-)")


def clean_prelude(prelude: str) -> str:
    """As ``clean_selectors``, of text; the parser is asked only about what is not plain."""
    plain = css_plain.selectors(prelude)
    if plain is None:
        return clean_selectors(tinycss2.parse_component_value_list(prelude))
    return ",".join(_drop_leading_roots(_ID.sub("#m-", _ROOT.sub(PAPER, one))) for one in plain[:MAX_SELECTORS])


def clean_selectors(prelude: list[Any]) -> str:
    """The selectors of a rule's prelude that may stay, joined by commas; "" when none may."""
    kept = []
    for number, tokens in enumerate(_split(prelude)):
        text = _selector(tokens) if number < MAX_SELECTORS else None
        if text:
            kept.append(text)
    return ",".join(kept)


def _split(prelude: list[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            yield part
            part = []
        elif token.type != "comment":
            part.append(token)
    yield part


def _selector(tokens: list[Any]) -> str | None:
    pieces: list[str] = []
    place, size = 0, len(tokens)
    while place < size:
        piece, used = _piece(tokens, place)
        if piece is None:
            return None
        pieces.append(piece)
        place += used
    text = _drop_leading_roots("".join(pieces).strip())
    return None if not text or _FORBIDDEN.search(text) else text


def _piece(tokens: list[Any], place: int) -> tuple[str | None, int]:
    """One simple selector or combinator beginning at ``place``, and how many tokens it took."""
    token = tokens[place]
    kind = token.type
    if kind == "whitespace":
        return " ", 1
    if kind == "ident":
        before = tokens[place - 1] if place else None
        follows_dot = before is not None and before.type == "literal" and before.value == "."
        return (PAPER if not follows_dot and token.lower_value in _ROOTS else tinycss2.serialize([token])), 1
    if kind == "hash":
        return (_prefixed(token.value) if token.is_identifier else None), 1
    if kind == "[] block":
        return _attribute(token), 1
    if kind == "literal" and token.value == ":":
        return _pseudo(tokens, place)
    return (token.value if kind == "literal" and token.value in (".", "*", ">", "+", "~") else None), 1


def _prefixed(name: str) -> str | None:
    if re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII) is None:
        return None
    return "#" + (name if name.startswith("m-") else "m-" + name)


def _attribute(token: Any) -> str | None:
    names = [inner.lower_value for inner in token.content if inner.type == "ident"]
    # Attributes that the sanitizer takes away or rewrites would match something else than their author meant.
    if not names or names[0] in ("id", "name") or any(inner.type == "error" for inner in token.content):
        return None
    return str(tinycss2.serialize([token]))


def _pseudo(tokens: list[Any], place: int) -> tuple[str | None, int]:
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    if following is None:
        return None, 1
    if following.type == "ident" and following.lower_value == "root":
        return PAPER, 2
    if following.type == "ident" and following.lower_value in _PSEUDO:
        return ":" + following.lower_value, 2
    if following.type == "function" and following.lower_name in _PSEUDO_FUNCTIONS:
        return _pseudo_function(following), 2
    return None, 1


def _pseudo_function(token: Any) -> str | None:
    if token.lower_name.startswith("nth-"):
        inner = str(tinycss2.serialize(token.arguments)).replace("/**/", "").strip()
        return f":{token.lower_name}({inner})" if re.fullmatch(r"[-+\dnevod ]{1,30}", inner, re.IGNORECASE) else None
    inner = clean_selectors(token.arguments)
    return f":{token.lower_name}({inner})" if inner else None


def _drop_leading_roots(text: str) -> str:
    """``html body p`` names the paper twice; once is what can match."""
    return _DOUBLED.sub("", text)
