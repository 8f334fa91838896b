"""Names of folders: readable for people, and encoded when typed by people.

Invariants: the identity of a folder is its wire bytes; what `display_name` gives is for eyes only and is never encoded
back; decoding never raises, whatever a server put there; encoding raises rather than making a name that another
program would read differently. RFC 9051 appendix A.1 (modified UTF-7).
"""

from __future__ import annotations

import binascii
import re
import unicodedata

LONGEST_COMPONENT = 250  # bytes on the wire: what a file system of a server takes as one name
LONGEST_PATH = 900  # bytes on the wire of all levels together
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)(-|\Z)")
_OUTSIDE = re.compile(r"&|[^\x20-\x7e]+")
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; other invisible characters only deceive


class BadName(ValueError):
    """What was typed cannot be a folder's name; ``why`` is empty, character, long, level or flat."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(words)
        self.why = why


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

    Raises BadName for an empty or overlong name, controls, and the wildcards of LIST.
    """
    text = unicodedata.normalize("NFC", name)
    if not text.strip() or text != text.strip():
        raise BadName("empty", "the name is empty or begins or ends with a space")
    if any(not char.isprintable() and char not in _JOINERS for char in text) or set(text) & {"*", "%"}:
        raise BadName("character", "the name contains a character that mailbox names cannot have")
    encoded = _OUTSIDE.sub(_shift, text).encode("ascii")
    if len(encoded) > LONGEST_COMPONENT:
        raise BadName("long", "the name is too long")
    return encoded


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    packed = binascii.b2a_base64(found[0].encode("utf-16-be"), newline=False)
    return "&" + packed.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def child_name(parent: bytes, name: str, *, delimiter: str | None) -> bytes:
    """The wire name of a mailbox a person wants below `parent` (empty: at the top; else without its delimiter).

    Raises BadName, also when the name contains the delimiter or the server has no levels.
    """
    encoded = encode_name(name)
    if delimiter and delimiter in name:
        raise BadName("level", "the name contains the character that separates levels")
    if not parent:
        return encoded
    if not delimiter:
        raise BadName("flat", "this server has no mailboxes within mailboxes")
    return parent + delimiter.encode() + encoded


def sibling(wire_name: bytes, leaf: bytes, delimiter: str | None) -> bytes:
    """The wire name with its last level changed to `leaf`, which is encoded already."""
    if not delimiter:
        return leaf
    above, separator, _ = wire_name.rpartition(delimiter.encode())
    return above + separator + leaf


def below(wire_name: bytes, old: bytes, new: bytes, delimiter: str | None) -> bytes:
    """The wire name once the folder `old`, which it names or lies within, is called `new`; else unchanged."""
    if wire_name == old or (delimiter and wire_name.startswith(old + delimiter.encode())):
        return new + wire_name[len(old) :]
    return wire_name


def folded(name: str) -> str:
    """A name's form for comparing with what people and programs call things."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
