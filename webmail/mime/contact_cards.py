"""Contact cards that come with mail (RFC 6350, vCard 3.0 and 2.1), read as plain text. Pure, total, bounded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from webmail.mime.charset import decode_text
from webmail.mime.contentlines import LARGEST, Line, content_lines, is_quoted, plain

__all__ = ["LARGEST", "MEDIA_TYPES", "Card", "is_address", "read_cards"]
MEDIA_TYPES: Final = frozenset({"text/vcard", "text/x-vcard", "text/directory"})
MOST_CARDS = 10
MOST_OF_A_KIND = 10
_LONGEST = 300
_COMPONENT: Final = re.compile(r"[^\\;]*(?:\\.[^\\;]*)*", re.DOTALL)  # nothing follows that could make it go back
_QUOTED: Final = re.compile(rb"=([0-9A-Fa-f]{2})")


@dataclass(slots=True)
class Card:
    """Somebody, in plain text: lines without markup, controls or marks of direction."""

    name: str = ""
    organisation: str = ""
    role: str = ""
    mails: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    @property
    def says_something(self) -> bool:
        return bool(self.name or self.mails or self.numbers)


def read_cards(octets: bytes, charset: str = "utf-8") -> tuple[Card, ...]:
    """The first ten cards that say anything. Never raises."""
    try:
        return tuple(_cards(octets, charset))
    except Exception:  # totality (S50): a defect here must cost the card, not the message
        return ()


def is_address(text: str) -> bool:
    """Whether it names one mailbox and could name nobody else's in a list."""
    local, _at, domain = text.rpartition("@")
    return bool(local and domain) and not any(c.isspace() or c in '<>,;:"()[]@\\' for c in local + domain)


def _cards(octets: bytes, charset: str) -> Iterator[Card]:
    card: Card | None = None
    count = 0
    for line in content_lines(octets, charset, soft_breaks=True):
        if line.name == "BEGIN" and line.value.strip().upper() == "VCARD":
            card = Card()
        elif line.name == "END" and card is not None:
            if card.says_something:
                yield card
                count += 1
            card = None
            if count >= MOST_CARDS:
                return
        elif card is not None:
            _take(card, line)


def _take(card: Card, line: Line) -> None:
    value = decoded(line)
    if line.name == "FN":
        card.name = plain(value, longest=_LONGEST)
    elif line.name == "N" and not card.name:
        family, given = [*components(value), "", ""][:2]
        card.name = f"{given} {family}".strip()
    elif line.name == "ORG":
        card.organisation = card.organisation or ", ".join(components(value))
    elif line.name in ("TITLE", "ROLE"):
        card.role = card.role or plain(value, longest=_LONGEST)
    elif line.name == "EMAIL":
        _add(card.mails, plain(value.removeprefix("mailto:"), longest=_LONGEST))
    elif line.name == "TEL":
        _add(card.numbers, plain(value.removeprefix("tel:"), longest=60))
    elif line.name == "ADR":
        _add(card.addresses, ", ".join(components(value)))


def _add(found: list[str], value: str) -> None:
    if value and value not in found and len(found) < MOST_OF_A_KIND:
        found.append(value)


def components(value: str) -> list[str]:
    """What stands between semicolons, the empty left out."""
    parts = [plain(part, longest=_LONGEST) for part in _COMPONENT.findall(value[:2_000])]
    return [part for part in parts if part][:10]


def decoded(line: Line) -> str:
    """vCard 2.1 writes what is not ASCII as quoted-printable."""
    if not is_quoted(line):
        return line.value
    octets = _QUOTED.sub(lambda found: bytes([int(found[1], 16)]), line.value.encode("utf-8", "replace"))
    return decode_text(octets, line.parameters.get("CHARSET", "utf-8"))
