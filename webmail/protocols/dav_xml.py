"""XML of WebDAV servers (RFC 4918), read into small values.

Invariants: a document type is refused where it begins, so that there are no entities to multiply, and nothing is ever
fetched that a document names; elements, depth and attributes are bounded, octets by whoever read them. The parser is
expat without any of the layers that would resolve something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from webmail.protocols.errors import ProtocolViolation

DAV = "DAV:"
CARDDAV = "urn:ietf:params:xml:ns:carddav"
MOST_ELEMENTS = 400_000
DEEPEST = 40


@dataclass(slots=True)
class Element:
    """``name`` is "namespace local"; attributes are of no use to us and are not kept."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> Element | None:
        """The first child of that name, of which the first of the next, ..."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here is not None else None
        return here

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def said(self, *path: str) -> str:
        """The text of what `find` finds, stripped; "" without it."""
        found = self.find(*path)
        return found.text.strip() if found is not None else ""


def dav(local: str) -> str:
    return f"{DAV} {local}"


def card(local: str) -> str:
    return f"{CARDDAV} {local}"


def parse(octets: bytes) -> Element:
    """The root. Raises ProtocolViolation for what is no XML, has a document type, or is too large to be an answer."""
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, LookupError, ValueError):
        raise ProtocolViolation("the answer is not XML") from None
    if builder.root is None:
        raise ProtocolViolation("the answer is not XML")
    return builder.root


def _refuse(*_: object) -> NoReturn:
    raise ProtocolViolation("the answer has a document type")


class _Builder:
    """Text is gathered in pieces and joined once, since an element may come in very many."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise ProtocolViolation("the answer is too large")
        element = Element(name)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def data(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)
