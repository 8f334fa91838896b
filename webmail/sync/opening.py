"""What is packed inside parts of a message: winmail.dat, opaque signatures, files in the middle of plain text. Pure.

Invariants: only what is small enough is opened, and at most a few of one message; what is found has paths that no IMAP
section has ("2.T1", "1.S2", "1.U1") and comes with its octets, since no server can be asked for it; what cannot be
opened stays the attachment that it is.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from webmail.mime.cms import signed_content
from webmail.mime.embedded import find_embedded
from webmail.mime.parse import content_text, encoded_bytes, parse_message, part_bytes
from webmail.mime.part import Part
from webmail.mime.security import is_signed_data
from webmail.mime.structure import choose_body
from webmail.mime.tnef import is_tnef, open_tnef
from webmail.mime.transfer import decode_transfer

LARGEST = 24 * 2**20  # octets of a package, as encoded
_MOST = 3  # packages of one message
_INSIDE = re.compile(r"\.[TSU]\d+\Z")


class Read(Protocol):
    """A part's encoded octets, ``most`` of them at most."""

    def __call__(self, part: Part, most: int = ..., /) -> bytes: ...


@dataclass(slots=True)
class Inside:
    """``parts`` are leaves like any other, ``octets`` their decoded content by path; ``opened`` are the packages."""

    parts: list[Part] = field(default_factory=list)
    octets: dict[str, bytes] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    signed: bool = False
    html: str = ""
    text: str = ""

    def add(self, part: Part, data: bytes) -> None:
        self.parts.append(part)
        self.octets[part.path] = data


def is_inside(path: str) -> bool:
    """Whether the path names something that lies in another part."""
    return _INSIDE.search(path) is not None


def packages(parts: Iterable[Part]) -> list[Part]:
    """Those of the leaves that are opened when their message is read."""
    return [part for part in parts if part.size <= LARGEST and (_is_tnef(part) or is_signed_data(part))][:_MOST]


def _is_tnef(part: Part) -> bool:
    return is_tnef(part.media_type, part.filename)


def open_packages(parts: Iterable[Part], read: Read) -> Inside:
    """Everything inside the packages among these leaves. Raises what ``read`` raises."""
    inside = Inside()
    for part in packages(parts):
        data = decode_transfer(read(part, LARGEST), part.encoding)
        opens = _open_tnef if _is_tnef(part) else _open_cms
        if opens(inside, part, data):
            inside.opened.add(part.path)
    return inside


def _open_tnef(inside: Inside, package: Part, data: bytes) -> bool:
    found = open_tnef(data)
    if found is None:
        return False
    for number, file in enumerate(found.files, 1):
        part = Part(
            path=f"{package.path}.T{number}",
            media_type=file.media_type,
            size=len(file.data),
            disposition="attachment",
            filename=file.filename,
            content_id=file.content_id,
        )
        inside.add(part, file.data)
    inside.html, inside.text = inside.html or found.html, inside.text or found.text
    return bool(found.files or found.html or found.text)


def _open_cms(inside: Inside, package: Part, data: bytes) -> bool:
    raw = signed_content(data)
    if raw is None:
        return False
    root = parse_message(raw).root
    choice = choose_body(root)
    inside.signed = True
    if choice.html is not None:
        inside.html = inside.html or content_text(encoded_bytes(raw, choice.html), choice.html)
    shown = [part for part in (choice.text, *choice.more) if part is not None]
    inside.text = inside.text or "\n\n".join(content_text(encoded_bytes(raw, part), part) for part in shown)
    leaves = [*choice.attachments, *(part for part in choice.inline.values() if part not in choice.attachments)]
    for number, part in enumerate(leaves, 1):
        content = part_bytes(raw, part)
        inside.add(_moved(part, f"{package.path}.S{number}", len(content)), content)
    return True


def _moved(part: Part, path: str, size: int) -> Part:
    """A leaf that stands outside of its tree, its content decoded."""
    name = part.shown_name
    return replace(part, path=path, size=size, encoding="", children=(), start=-1, end=-1, source=None, filename=name)


def embedded_files(text: Part, encoded: bytes) -> Iterator[tuple[Part, bytes]]:
    """The uuencoded and yEnc files in a plain text that a server sent as a section, decoded."""
    for part in find_embedded(encoded, replace(text, start=0, end=len(encoded), source=None)):
        data = decode_transfer(encoded[part.start : part.end], part.encoding)
        yield _moved(part, part.path, len(data)), data
