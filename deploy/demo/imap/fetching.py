"""What FETCH answers for one message (RFC 3501 sections 6.4.5 and 7.4.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.demo.imap.wire import Bad, Token, atom, format_date_time
from deploy.demo.store import Row, Store
from deploy.demo.structure import body_structure
from deploy.demo.wiremime import FOLD, Node, parse_message

MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
SIMPLE = {
    "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "MODSEQ",
    "RFC822", "RFC822.HEADER", "RFC822.TEXT",
}  # fmt: skip
SECTION = re.compile(
    r"BODY(?P<peek>\.PEEK)?\[(?P<path>(?:\d+\.?)*)(?P<text>[^\]]*)\](?:<(?P<from>\d+)\.(?P<count>\d+)>)?", re.IGNORECASE
)
FIELDS = re.compile(r"HEADER\.FIELDS(?P<without>\.NOT)? \((?P<names>[^)]*)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing asked for; with `section` a piece of the body, else `name` alone says it."""

    name: str
    section: str = ""
    path: tuple[int, ...] = ()
    text: str = ""
    partial: tuple[int, int] | None = None
    marks_seen: bool = False


def parse_items(token: Token) -> list[Item]:
    """The items of a FETCH command, macros unfolded; raises Bad."""
    asked = [atom(item) for item in token] if isinstance(token, list) else [atom(token)]
    return [_item(single) for name in asked for single in MACROS.get(name.upper(), (name,))]


def _item(name: str) -> Item:
    if name.upper() in SIMPLE:
        return Item(name.upper(), marks_seen=name.upper() in {"RFC822", "RFC822.TEXT"})
    found = SECTION.fullmatch(name)
    if found is None:
        raise Bad("I do not know such a FETCH item")
    section = found["path"] + found["text"]
    text = found["text"].upper()
    if text not in {"", "HEADER", "TEXT", "MIME"} and not FIELDS.fullmatch(found["text"]):
        raise Bad("I do not know such a section")
    partial = (int(found["from"]), int(found["count"])) if found["from"] else None
    path = tuple(int(number) for number in found["path"].split(".") if number)
    return Item("BODY[]", section, path, found["text"], partial, marks_seen=not found["peek"])


def describe(store: Store, row: Row, items: Sequence[Item]) -> bytes:
    """The inside of one FETCH response."""
    return b" ".join(_value(store, row, item) for item in items)


def _value(store: Store, row: Row, item: Item) -> bytes:
    match item.name:
        case "BODY[]":
            return _section(store, row, item)
        case "UID":
            return b"UID %d" % row.uid
        case "FLAGS":
            return b"FLAGS (" + " ".join(row.flags).encode() + b")"
        case "INTERNALDATE":
            return b'INTERNALDATE "' + format_date_time(row.internaldate) + b'"'
        case "RFC822.SIZE":
            return b"RFC822.SIZE %d" % row.size
        case "MODSEQ":
            return b"MODSEQ (%d)" % row.modseq
        case "ENVELOPE":
            return b"ENVELOPE " + store.envelope(row.content)
        case "BODYSTRUCTURE":
            return b"BODYSTRUCTURE " + store.structure(row.content)
        case "BODY":
            return b"BODY " + body_structure(parse_message(store.raw(row.content)), extended=False)
        case "RFC822.HEADER":
            return b"RFC822.HEADER " + _literal(store.header(row.content))
        case "RFC822.TEXT":
            return b"RFC822.TEXT " + _literal(parse_message(store.raw(row.content)).body_bytes)
        case _:
            return b"RFC822 " + _literal(store.raw(row.content))


def _literal(content: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(content), content)


def _section(store: Store, row: Row, item: Item) -> bytes:
    content = section_bytes(store, row.content, item)
    name = f"BODY[{item.section}]"
    if item.partial is not None:
        start, count = item.partial
        name += f"<{start}>"
        content = None if content is None else content[start : start + count]
    return name.encode() + b" " + (b"NIL" if content is None else _literal(content))


def section_bytes(store: Store, content: int, item: Item) -> bytes | None:
    """The bytes a section names, None when the message has no such part."""
    text = item.text.upper()
    if not item.path:
        if not text:
            return store.raw(content)
        if text == "HEADER":
            return store.header(content)
        if text.startswith("HEADER."):
            return pick_fields(store.header(content), item.text)
        return parse_message(store.raw(content)).body_bytes if text == "TEXT" else None
    node = find_part(parse_message(store.raw(content)), item.path)
    if node is None:
        return None
    if text in {"", "MIME"}:
        return node.header_bytes if text else node.body_bytes
    if node.message is None:
        return None
    if text.startswith("HEADER."):
        return pick_fields(node.message.header_bytes, item.text)
    return node.message.header_bytes if text == "HEADER" else node.message.body_bytes


def find_part(root: Node, path: Sequence[int]) -> Node | None:
    """The part of that number; the body of a message that is not multipart is its part 1."""
    node, whole = root, True
    for number in path:
        if node.message is not None and not whole:
            node, whole = node.message, True
        if node.children:
            if not 1 <= number <= len(node.children):
                return None
            node = node.children[number - 1]
        elif not whole or number != 1:
            return None
        whole = False
    return node


def pick_fields(header: bytes, asked: str) -> bytes:
    """The named fields of a header in their own order and folding, and the empty line behind them."""
    found = FIELDS.fullmatch(asked)
    assert found is not None
    names = {name.strip('"').lower().encode() for name in found["names"].split()}
    without = bool(found["without"])
    lines = re.split(rb"(?<=\n)(?![ \t])", header)
    kept = [line for line in lines if line.strip() and (_field_name(line) in names) != without]
    return b"".join(kept) + b"\r\n"


def _field_name(line: bytes) -> bytes:
    return FOLD.sub(b"", line).partition(b":")[0].strip().lower()
