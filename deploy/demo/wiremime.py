"""Where the parts of a MIME message lie in its bytes (RFC 2045, 2046), for FETCH sections and BODYSTRUCTURE.

Nothing is decoded and nothing raises: what cannot be understood is a leaf of text/plain.
"""

import re
from dataclasses import dataclass, field

HEADER_END = re.compile(rb"\r?\n\r?\n")
FOLD = re.compile(rb"\r?\n(?=[ \t])")
PARAMETER = re.compile(rb';\s*([^=\s;"]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^;\s]*))', re.DOTALL)
MAX_DEPTH = 20


@dataclass(slots=True)
class Node:
    """One part: `start` of its header, `body` and `end` as offsets in `raw`; `message` is what message/rfc822 holds."""

    raw: bytes
    start: int
    body: int
    end: int
    headers: list[tuple[bytes, bytes]]
    media: tuple[bytes, bytes] = (b"text", b"plain")
    params: list[tuple[bytes, bytes]] = field(default_factory=list)
    children: list["Node"] = field(default_factory=list)
    message: "Node | None" = None

    @property
    def header_bytes(self) -> bytes:
        return self.raw[self.start : self.body]

    @property
    def body_bytes(self) -> bytes:
        return self.raw[self.body : self.end]

    def header(self, name: bytes) -> bytes | None:
        """The unfolded value of the first field of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


def parse_message(raw: bytes) -> Node:
    return _parse(raw, 0, len(raw), default=(b"text", b"plain"), depth=0)


def split_parameters(value: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The word before the first ';' and the parameters behind it, names in lower case."""
    word, _, _ = value.partition(b";")
    params = [
        (name.lower(), re.sub(rb"\\(.)", rb"\1", quoted) if quoted else bare)
        for name, quoted, bare in PARAMETER.findall(value)
    ]
    return word.strip(), params


def header_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Raw header lines to (lower-case name, unfolded value) in order."""
    fields = []
    for line in FOLD.sub(b"", block).splitlines():
        name, colon, value = line.partition(b":")
        if colon and name.strip():
            fields.append((name.strip().lower(), value.strip()))
    return fields


def _parse(raw: bytes, start: int, end: int, *, default: tuple[bytes, bytes], depth: int) -> Node:
    if raw[start : start + 2] == b"\r\n":
        body = start + 2
    else:
        blank = HEADER_END.search(raw, start, end)
        body = blank.end() if blank else end
    node = Node(raw, start, body, end, header_fields(raw[start:body]), media=default)
    declared = node.header(b"content-type")
    if declared is not None:
        word, node.params = split_parameters(declared)
        main, slash, sub = word.lower().partition(b"/")
        if slash and main and sub:
            node.media = (main, sub)
    if depth >= MAX_DEPTH:
        return node
    if node.media[0] == b"multipart":
        inner = (b"message", b"rfc822") if node.media[1] == b"digest" else (b"text", b"plain")
        boundary = dict(node.params).get(b"boundary", b"")
        node.children = [_parse(raw, a, b, default=inner, depth=depth + 1) for a, b in _spans(node, boundary)]
        if not node.children:
            node.media, node.params = (b"text", b"plain"), []
    elif node.media == (b"message", b"rfc822"):
        node.message = _parse(raw, body, end, default=(b"text", b"plain"), depth=depth + 1)
    return node


def _spans(node: Node, boundary: bytes) -> list[tuple[int, int]]:
    """The byte ranges between the delimiter lines (RFC 2046 section 5.1.1), the line end before one left out."""
    if not boundary:
        return []
    delimiter = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    for found in delimiter.finditer(node.raw[: node.end], max(node.body - 2, 0)):
        if found.start() < node.body - 2:
            continue
        if opened is not None:
            spans.append((opened, max(found.start(), opened)))
        opened = _line_end(node.raw, found.end())
        if found.group(1):
            return spans
    if opened is not None:
        spans.append((opened, node.end))
    return spans


def _line_end(raw: bytes, at: int) -> int:
    if raw[at : at + 2] == b"\r\n":
        return at + 2
    return at + 1 if raw[at : at + 1] == b"\n" else at
