"""Names of mailboxes: readable for people, encoded when typed by people, and what a name says about its use.

Invariants: the identity of a mailbox is its wire bytes; what `display_name` gives is for eyes only and is never
encoded back; decoding never raises, whatever the server put there; encoding raises rather than making a name that
another client would read differently. RFC 9051 appendix A.1 (modified UTF-7), RFC 6154 (special use).
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterable

from webmail.protocols.imap_special_names import NAMES
from webmail.protocols.values import ListedMailbox

LONGEST_COMPONENT = 250  # bytes on the wire: what a file system of a server takes as one name
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)(-|\Z)")
_OUTSIDE = re.compile(r"[^\x20-\x25\x27-\x7e]+|&")
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; other invisible characters only deceive
_GROUPING = frozenset({"inbox", "[gmail]", "[google mail]", "mail"})
_BY_ATTRIBUTE = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\flagged": "flagged",
    "\\important": "important",
}


def display_name(wire_name: bytes) -> str:
    """The name, or a component of one, for people. Takes raw UTF-8, a lone `&` and what is not quite UTF-7 as it is."""
    pieces, position = [], 0
    for shifted in _SHIFTED.finditer(wire_name):
        pieces.append(_plain(wire_name[position : shifted.start()]))
        pieces.append(_shifted_text(shifted[1], ended=bool(shifted[2])))
        position = shifted.end()
    pieces.append(_plain(wire_name[position:]))
    return "".join(char if char.isprintable() or char in _JOINERS else "\ufffd" for char in "".join(pieces))


def _plain(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _shifted_text(encoded: bytes, *, ended: bool) -> str:
    """One `&...-` run; given back as written when it encodes nothing."""
    if not encoded:
        return "&"
    try:
        padded = encoded.replace(b",", b"/") + b"=" * (-len(encoded) % 4)
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return "&" + encoded.decode("ascii") + "-" * ended


def display_path(wire_name: bytes, delimiter: str | None) -> tuple[str, ...]:
    """The components of a name for people, outermost first."""
    if not delimiter:
        return (display_name(wire_name),)
    return tuple(display_name(part) for part in wire_name.split(delimiter.encode()))


def encode_name(name: str) -> bytes:
    """A component a person typed, as modified UTF-7 of its NFC form.

    Raises ValueError for an empty or overlong name, controls, and the wildcards of LIST.
    """
    text = unicodedata.normalize("NFC", name)
    if not text.strip() or text != text.strip():
        raise ValueError("the name is empty or begins or ends with a space")
    if any(not char.isprintable() and char not in _JOINERS for char in text) or set(text) & {"*", "%"}:
        raise ValueError("the name contains a character that mailbox names cannot have")
    encoded = _OUTSIDE.sub(_shift, text).encode("ascii")
    if len(encoded) > LONGEST_COMPONENT:
        raise ValueError("the name is too long")
    return encoded


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    packed = binascii.b2a_base64(found[0].encode("utf-16-be"), newline=False)
    return "&" + packed.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def child_name(parent: bytes, name: str, *, delimiter: str | None) -> bytes:
    """The wire name of a mailbox a person wants below `parent` (empty: at the top; else without its delimiter).

    Raises ValueError, also when the name contains the delimiter or the server has no levels.
    """
    encoded = encode_name(name)
    if delimiter and delimiter in name:
        raise ValueError("the name contains the character that separates levels")
    if not parent:
        return encoded
    if not delimiter:
        raise ValueError("this server has no mailboxes within mailboxes")
    return parent + delimiter.encode() + encoded


def folded(name: str) -> str:
    """A name's form for comparing with what people and programs call things."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def use_by_name(wire_name: bytes, delimiter: str | None) -> str | None:
    """sent, drafts, trash, junk or archive, if that is what the name means in some language; only near the top."""
    *above, last = display_path(wire_name, delimiter)
    if len(above) > 1 or (above and folded(above[0]) not in _GROUPING):
        return None
    return NAMES.get(folded(last))


def special_uses(boxes: Iterable[ListedMailbox]) -> dict[bytes, str]:
    """Wire name to use (inbox, sent, drafts, trash, junk, archive, all, flagged, important), one mailbox for each.

    The server's word goes before the name, and among names the first listed.
    """
    listed = [box for box in boxes if box.selectable]
    uses: dict[bytes, str] = {box.wire_name: "inbox" for box in listed if box.wire_name == b"INBOX"}
    for box in listed:
        for attribute in sorted(box.attributes & _BY_ATTRIBUTE.keys()):
            _assign(uses, box, _BY_ATTRIBUTE[attribute])
    for box in listed:
        use = use_by_name(box.wire_name, box.delimiter)
        if use is not None:
            _assign(uses, box, use)
    return uses


def _assign(uses: dict[bytes, str], box: ListedMailbox, use: str) -> None:
    if box.wire_name not in uses and use not in uses.values():
        uses[box.wire_name] = use
