"""Address books as files: vCards written (RFC 6350, in the 3.0 that all programs read), and files of many taken apart.

Invariants: CRLF, no line over 75 octets (RFC 2426 section 2.6), no value can begin another property. Pure and bounded.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from webmail.mime.contact_cards import Card, read_cards

LARGEST_FILE: Final = 10 * 1024 * 1024
MOST_CARDS: Final = 10_000
_LINE = 75
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact as a file holds it."""

    uid: str
    name: str
    organisation: str = ""
    role: str = ""
    mails: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    notes: str = ""
    groups: tuple[str, ...] = ()


def write_cards(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One card after another."""
    for entry in entries:
        yield b"".join(_folded(line) for line in _lines(entry))


def split_cards(octets: bytes) -> Iterator[Card]:
    """The cards of a file, each read by itself, so that a broken one costs no other. Never raises."""
    text = octets[:LARGEST_FILE].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    block: list[bytes] | None = None
    count = 0
    for line in text.split(b"\n"):
        word = line.strip().upper()
        if word == b"BEGIN:VCARD":
            block = []
        if block is None:
            continue
        block.append(line)
        if word == b"END:VCARD":
            found = read_cards(b"\n".join(block))
            block = None
            yield from found[:1]
            count += 1
            if count >= MOST_CARDS:
                return


def _lines(entry: Entry) -> Iterator[str]:
    yield "BEGIN:VCARD"
    yield "VERSION:3.0"
    yield f"UID:{_text(entry.uid)}"
    yield f"FN:{_text(entry.name or (entry.mails[0] if entry.mails else entry.organisation))}"
    given, _, family = entry.name.rpartition(" ")
    yield f"N:{_text(family)};{_text(given)};;;"
    if entry.organisation:
        yield f"ORG:{_text(entry.organisation)}"
    if entry.role:
        yield f"TITLE:{_text(entry.role)}"
    yield from (f"EMAIL;TYPE=INTERNET:{_text(mail)}" for mail in entry.mails)
    yield from (f"TEL:{_text(number)}" for number in entry.numbers)
    yield from (f"ADR:;;{_text(address)};;;;" for address in entry.addresses)
    if entry.notes:
        yield f"NOTE:{_text(entry.notes)}"
    if entry.groups:
        yield "CATEGORIES:" + ",".join(_text(group) for group in entry.groups)
    yield "END:VCARD"


def _text(value: str) -> str:
    """A value with what would end it escaped (RFC 6350 section 3.4)."""
    plain = _CONTROLS.sub(" ", value.replace("\r", ""))
    for mark, escaped in (("\\", "\\\\"), ("\n", "\\n"), (",", "\\,"), (";", "\\;")):
        plain = plain.replace(mark, escaped)
    return plain


def _folded(line: str) -> bytes:
    """At most 75 octets a line, never within a character."""
    out: list[bytes] = []
    piece = b""
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _LINE - (1 if out else 0):
            out.append(piece)
            piece = b""
        piece += octets
    out.append(piece)
    return b"\r\n ".join(out) + b"\r\n"
