"""Message identifiers (RFC 5322 section 3.6.4) made comparable.

An identifier is kept without angle brackets and blanks, its domain in lower case, at most 500 characters, so that it
fits a Postgres index whatever a sender wrote.
"""

import re
from hashlib import blake2b
from typing import Final

_BRACKETED: Final = re.compile(r"<([^<>]*)>")
_UNSAFE: Final = re.compile("[\\s\0-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_LENGTH = 500
KEPT_REFERENCES = 100


def normalise_id(value: str) -> str:
    """The first identifier in `value`, or "" when there is none.

    >>> normalise_id(" <Abc@Example.ORG> ")
    'Abc@example.org'
    """
    found = _BRACKETED.search(value)
    if found:
        return _canonical(found[1])
    words = value.replace("<", " ").replace(">", " ").split(None, 1)
    return _canonical(words[0]) if words else ""


def parse_ids(value: str) -> tuple[str, ...]:
    """All identifiers of a References field in order, repeats dropped; the first and the last 99 of them."""
    raw = _BRACKETED.findall(value) or [word for word in value.split() if "@" in word]
    ids = dict.fromkeys(filter(None, map(_canonical, raw)))
    return cap_ids(tuple(ids))


def cap_ids(ids: tuple[str, ...], limit: int = KEPT_REFERENCES) -> tuple[str, ...]:
    """The root and the nearest ancestors: what threading needs of an endless chain."""
    return ids if len(ids) <= limit else (ids[0], *ids[len(ids) - limit + 1 :])


def ref_hash(identifier: str) -> str:
    """What stands for a normalised identifier where conversations are looked up by it: 128 bits, hexadecimal."""
    return blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _canonical(raw: str) -> str:
    if not (raw.isascii() and raw.isprintable() and " " not in raw):
        raw = _UNSAFE.sub("", raw)
    left, at, domain = raw.rpartition("@")
    return (left + at + domain.lower())[:_LENGTH] if at else raw[:_LENGTH]
