"""BODYSTRUCTURE to a part tree (RFC 3501 section 7.4.2), forgiving what Exchange, Domino and GMX send.

Invariants: nothing raises; tokens, parts and depth are capped, and nothing recurses deeper than the cap. None means
"unusable": the caller fetches the message and parses it itself.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from webmail.mime.charset import decode_text
from webmail.mime.filenames import safe_filename
from webmail.mime.params import decode_parameters
from webmail.mime.part import NESTED_MESSAGES, NESTING, PARTS, Part, body_path, child_path, clean_content_id
from webmail.mime.text import safe_line
from webmail.mime.words import decode_words

_MAX_BYTES = 512 * 1024
_MAX_PARENS = NESTING * 3
_TOKEN: Final = re.compile(rb'\s*+(?:([()])|"((?:[^"\\]|\\.)*+)"|\{(\d{1,9})\+?\}\r?\n|([^\s()"]+))', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)

_Node: TypeAlias = "bytes | list[_Node] | None"


class _Unusable(Exception):
    """The structure cannot be made sense of."""


def parse_bodystructure(raw: bytes) -> Part | None:
    """The part tree of a BODYSTRUCTURE value (its outer parentheses included), or None when it is broken."""
    if len(raw) > _MAX_BYTES:
        return None
    try:
        tree = _read(raw)
        if not isinstance(tree, list):
            return None
        return _Builder().body(tree, message="", depth=1, messages=0)
    except (_Unusable, RecursionError, MemoryError, LookupError, ValueError, TypeError):
        return None


def _read(raw: bytes) -> _Node:
    """The first parenthesised list of `raw`, iteratively."""
    root: list[_Node] = []
    stack = [root]
    position = 0
    while token := _TOKEN.match(raw, position):
        position = token.end()
        paren, quoted, literal, atom = token.groups()
        if paren == b"(":
            child: list[_Node] = []
            stack[-1].append(child)
            stack.append(child)
            if len(stack) > _MAX_PARENS:
                raise _Unusable
        elif paren:
            stack.pop()
            if len(stack) == 1:
                return root[0]
            if not stack:
                raise _Unusable
        elif quoted is not None:
            stack[-1].append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif literal is not None:
            length = int(literal)
            stack[-1].append(raw[position : position + length])
            position += length
        else:
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
    raise _Unusable


def _text(node: _Node) -> str:
    if not isinstance(node, bytes):
        return ""
    return node.decode("ascii") if node.isascii() else decode_text(node, None)


def _line(node: _Node) -> str:
    return safe_line(decode_words(_text(node)[:8_000]))


def _at(fields: list[_Node], index: int) -> _Node:
    return fields[index] if 0 <= index < len(fields) else None


def _params(node: _Node) -> dict[str, str]:
    if not isinstance(node, list) or not node:
        return {}
    values = [_text(item) for item in node]
    return decode_parameters(zip(values[::2], values[1::2], strict=False))


def _disposition(node: _Node) -> tuple[str, dict[str, str]]:
    if isinstance(node, bytes):  # a server that forgot the list
        return _text(node).strip().lower(), {}
    if not isinstance(node, list) or not node:
        return "", {}
    return _text(node[0]).strip().lower(), _params(_at(node, 1))


class _Builder:
    """Counts parts while the tree is built."""

    def __init__(self) -> None:
        self.parts = 0

    def body(self, node: list[_Node], *, message: str, depth: int, messages: int) -> Part:
        multipart = _is_multipart(node)
        return self.part(node, path=body_path(message, multipart=multipart), depth=depth, messages=messages)

    def part(self, node: list[_Node], *, path: str, depth: int, messages: int) -> Part:
        self.parts += 1
        if self.parts > PARTS or depth > NESTING:
            raise _Unusable
        if _is_multipart(node):
            return self.multipart(node, path=path, depth=depth, messages=messages)
        return self.leaf(node, path=path, depth=depth, messages=messages)

    def multipart(self, node: list[_Node], *, path: str, depth: int, messages: int) -> Part:
        count = 0
        while isinstance(_at(node, count), list):
            count += 1
        skipped = count or 1  # "(NIL "mixed" …)": a multipart without parts
        children = tuple(
            self.part(child, path=child_path(path, number), depth=depth + 1, messages=messages)
            for number, child in enumerate(_lists(node[:count]), start=1)
        )
        params = _params(_at(node, skipped + 1))
        disposition, _ = _disposition(_at(node, skipped + 2))
        return Part(
            path=path,
            media_type=f"multipart/{_text(_at(node, skipped)).lower() or 'mixed'}",
            params=params,
            disposition=disposition,
            children=children,
        )

    def leaf(self, node: list[_Node], *, path: str, depth: int, messages: int) -> Part:
        kind, subtype = _text(_at(node, 0)).strip().lower(), _text(_at(node, 1)).strip().lower()
        if not kind[:1].isalpha() or len(node) < 2:
            raise _Unusable
        media_type = f"{kind}/{subtype or 'octet-stream'}"[:200]
        size = _at(node, 6)
        inner, subject = _at(node, 8), ""
        children: tuple[Part, ...] = ()
        extension = 7
        if media_type in ("message/rfc822", "message/global") and isinstance(inner, list):
            extension = 10
            envelope = _at(node, 7)
            subject = _line(_at(envelope, 1)) if isinstance(envelope, list) else ""
            if messages < NESTED_MESSAGES and inner:
                children = (self.body(inner, message=path, depth=depth + 1, messages=messages + 1),)
        elif kind == "text" and isinstance(_at(node, 7), bytes):
            extension = 8
        params = _params(_at(node, 2))
        disposition, more = _disposition(_at(node, extension + 1))
        return Part(
            path=path,
            media_type=safe_line(media_type),
            params=params,
            charset=params.get("charset", ""),
            encoding=_text(_at(node, 5)).strip().lower(),
            size=int(size) if isinstance(size, bytes) and size.isdigit() and len(size) < 16 else 0,
            disposition=safe_line(disposition),
            filename=safe_filename(more.get("filename") or params.get("name") or ""),
            content_id=clean_content_id(_text(_at(node, 3))),
            content_location=_line(_at(node, extension + 3)),
            description=_line(_at(node, 4)),
            subject=subject,
            children=children,
        )


def _is_multipart(node: list[_Node]) -> bool:
    first, second = _at(node, 0), _at(node, 1)
    return isinstance(first, list) or (first is None and isinstance(second, bytes))


def _lists(nodes: Iterable[_Node]) -> Iterator[list[_Node]]:
    return (node for node in nodes if isinstance(node, list))
