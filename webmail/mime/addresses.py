"""Address lists of RFC 5322 section 3.4, read the way a reply would use them (security S45).

Invariants: structure is found in the raw text first and encoded words are decoded only afterwards, inside names, so no
name can become an address; what is shown as `addr_spec` is what a reply goes to; never raises; linear in its input.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from typing import Final

from webmail.mime.text import clean_line
from webmail.mime.words import decode_words

MAX_ADDRESSES = 2_000
_MAX_NAME = 1_000
_MAX_SPEC = 1_000
_MAX_TOKENS = 60_000
_SHORT = 200  # characters of a field that is worth remembering
_NO_WARNINGS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. `name` and `addr_spec` are clean text; `addr_spec` is "" when no reply is possible.

    Warning codes: address-in-name, bidi, zero-width, control, padding, several-addresses, encoded-address, no-address,
    no-domain, invalid-address.
    """

    name: str
    addr_spec: str
    warnings: frozenset[str] = _NO_WARNINGS


_SPEC: Final = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]++@[A-Za-z0-9.-]++"
_SIMPLE: Final = re.compile(
    rf'\s*+(?:"([^"\\@]*+)"\s*+<({_SPEC})>|([^"\\@(),<>:;\[\]]*+)<({_SPEC})>|({_SPEC}))\s*+(?:,|\Z)'
)


def parse_addresses(value: str) -> tuple[Address, ...]:
    """The mailboxes of an address list field, unfolded but not decoded; at most `MAX_ADDRESSES`."""
    return _remembered(value) if len(value) <= _SHORT else _parse(value)


def _parse(value: str) -> tuple[Address, ...]:
    if value.isascii() and value.isprintable() and "=?" not in value:
        simple = _parse_simple(value)
        if simple is not None:
            return simple
    return tuple(_parse_tolerant(value))


_remembered: Final = lru_cache(maxsize=4096)(_parse)  # the same few people stand in most messages of an account


def _parse_simple(value: str) -> tuple[Address, ...] | None:
    """The everyday forms; None as soon as anything needs thought."""
    found: list[Address] = []
    position, end = 0, len(value)
    while position < end and len(found) < MAX_ADDRESSES:
        item = _SIMPLE.match(value, position)
        if item is None:
            return None
        quoted, quoted_spec, plain, plain_spec, bare = item.groups()
        name = (quoted or plain or "").strip()
        if "  " in name or name[:1] == "'" or len(name) > _MAX_NAME or item.end() - position > _MAX_SPEC:
            return None
        found.append(Address(name, quoted_spec or plain_spec or bare))
        position = item.end()
    return tuple(found)


# --- the tolerant parser ---------------------------------------------------------------------------------------------

_REST: Final = r"""
    | (?P<word> =\?[^?\s<>"@]{0,60}\?[bBqQ]\?[^?<>"@]*+\?= )  # an encoded word is one unit, whatever blanks it holds
    | (?P<angle> <[^<>]*+> )
    | (?P<literal> \[[^\[\]\s,<>"]*+\] )                      # a domain literal may hold colons
    | (?P<special> [,;:()<>"\\] )
    | (?P<blank> \s+ )
    | (?P<text> = | [^\s,;:()<>"\\=\[]+ | \[ )
"""
_TOKEN: Final = re.compile(r'(?P<quoted> "(?:[^"\\]|\\.)*+" )' + _REST, re.VERBOSE | re.DOTALL)
_TOKEN_UNQUOTED: Final = re.compile(_REST.replace("|", "", 1), re.VERBOSE | re.DOTALL)
_PAREN: Final = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ROUTE: Final = re.compile(r"@[^:]*:")
_COMMENT: Final = re.compile(r"\([^()]*\)")
_LOOKALIKE_AT: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})

_Token = tuple[str, str]  # kind: quoted, word, angle, text, blank, comment


@dataclass(slots=True)
class _Item:
    tokens: list[_Token] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def _tokens(value: str) -> Iterator[_Token]:
    """Tokens of `value`. After one unbalanced quote or parenthesis all later ones are plain text: this stays linear."""
    pattern, comments_balanced = _TOKEN, True
    position = 0
    while position < len(value):
        token = pattern.match(value, position)
        if token is None:  # unreachable by construction; a byte is skipped rather than a loop risked
            position += 1
            continue
        kind, text, position = str(token.lastgroup), token[0], token.end()
        if kind == "special" and text == '"':
            pattern = _TOKEN_UNQUOTED
            continue
        if kind == "special" and text == "(" and comments_balanced:
            end = _comment_end(value, position)
            if end:
                yield "comment", value[position : end - 1]
                position = end
            else:
                comments_balanced = False
            continue
        yield ("text" if kind == "literal" else kind), text


def _comment_end(value: str, start: int) -> int:
    depth = 1
    for paren in _PAREN.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(paren[0], 0)
        if depth == 0:
            return paren.end()
    return 0


def _parse_tolerant(value: str) -> Iterator[Address]:
    item, group, count, empty = _Item(), "", 0, 0
    for kind, text in chain(islice(_tokens(value), _MAX_TOKENS), [("special", ",")]):
        if kind == "comment":
            item.comments.append(text)
        elif kind != "special":
            item.tokens.append((kind, text))
        elif text == ":" and not any(token[0] == "angle" for token in item.tokens):
            group, item = "".join(token[1] for token in item.tokens), _Item()
        elif text in ",;":
            address = _finish(item, group)
            if address:
                yield address
                count += 1
            else:
                empty += 1
            if count >= MAX_ADDRESSES or empty >= MAX_ADDRESSES:
                return
            item = _Item()
            if text == ";":
                group = ""


def _finish(item: _Item, group: str) -> Address | None:
    angles = [index for index, token in enumerate(item.tokens) if token[0] == "angle"]
    if angles:
        raw_spec = item.tokens[angles[-1]][1][1:-1]
        names = [token for index, token in enumerate(item.tokens) if index != angles[-1]]
        crowd = len(angles) > 1
    else:
        raw_spec, names, crowd = _bare(item.tokens)
    warnings: set[str] = {"several-addresses"} if crowd else set()
    spec = _clean_spec(raw_spec, warnings)
    name = _clean_name(names, warnings) or _clean_name([("quoted", " ".join(item.comments))], warnings)
    if not spec and not name:
        return None
    if names_other_address(name, spec) or names_other_address(group, spec):
        warnings.add("address-in-name")
    return Address(name, spec, frozenset(warnings))


def _bare(tokens: list[_Token]) -> tuple[str, list[_Token], bool]:
    """Without angle brackets: the last word with an `@` is the address, everything else the name."""
    chunks: list[list[_Token]] = [[]]
    for token in tokens:
        if token[0] == "blank":
            chunks.append([])
        else:
            chunks[-1].append(token)
    chunks = [chunk for chunk in chunks if chunk]
    texts = ["".join(text for _, text in chunk) for chunk in chunks]
    if any(text.startswith("@") or text.endswith("@") for text in texts):  # "someone @ example.org"
        return "".join(texts), [], False
    outside = [any(kind == "text" and "@" in text for kind, text in chunk) for chunk in chunks]
    if not any(outside):
        return "", tokens, False
    last = len(outside) - 1 - outside[::-1].index(True)
    rest: list[_Token] = []
    for index, chunk in enumerate(chunks):
        if index != last:
            rest += [*chunk, ("blank", " ")]
    return texts[last], rest, sum(outside) > 1


def _clean_spec(raw: str, warnings: set[str]) -> str:
    spec = raw.strip()
    if not spec.startswith('"'):
        route = _ROUTE.match(spec)
        spec = spec[route.end() :] if route else spec
        spec = "".join(_COMMENT.sub("", spec).split()).removeprefix("mailto:")
        if len(spec) > 2 and spec[0] == spec[-1] == "'":
            spec = spec[1:-1]
    before = len(warnings)
    spec = clean_line(spec, warnings)
    if len(spec) > _MAX_SPEC:
        warnings.add("invalid-address")
        return ""
    if not spec:
        warnings.add("no-address")
    elif "@" not in spec:
        warnings.add("no-domain")
    elif len(warnings) > before or spec.endswith("@") or spec.startswith("@") or _stray_at(spec):
        warnings.add("invalid-address")
    if "=?" in spec:
        warnings.add("encoded-address")
    return spec


def _stray_at(spec: str) -> bool:
    local, _, domain = spec.rpartition("@")
    return "@" in local or " " in domain or '"' in domain


def _clean_name(tokens: list[_Token], warnings: set[str]) -> str:
    pieces = []
    for kind, text in tokens:
        if kind == "quoted":
            pieces.append(_ESCAPED.sub(r"\1", text[1:-1] if text[:1] == '"' else text))
        else:
            pieces.append(text)
    name = clean_line(decode_words("".join(pieces)[: _MAX_NAME * 8]), warnings)
    if len(name) > 2 and name[0] == name[-1] == "'":
        name = name[1:-1].strip()
    return name[:_MAX_NAME]


def names_other_address(name: str, addr_spec: str) -> bool:
    """Whether `name` holds something that reads as an address other than `addr_spec`."""
    name = name.translate(_LOOKALIKE_AT)
    if "@" not in name:
        return False
    spec = addr_spec.casefold()
    for token in name.casefold().replace("<", " ").replace(">", " ").split():
        word = token.strip("\"'()[]{}.,;:")
        local, at, domain = word.partition("@")
        if at and local and domain and word != spec:
            return True
    return False


# --- writing ---------------------------------------------------------------------------------------------------------

_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \-\x80-\U0010ffff]*")


def format_address(address: Address) -> str:
    """`address` as one would type it: `Name <local@domain>`, the name quoted where RFC 5322 asks for it."""
    if not address.name:
        return address.addr_spec
    return f"{format_phrase(address.name)} <{address.addr_spec}>"


def format_phrase(name: str) -> str:
    """A display name as a phrase: atoms as they are, anything else as a quoted string."""
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
