"""What a message's DKIM signatures claim to cover, as its body row keeps it (RFC 6376). Pure."""

from collections import Counter
from collections.abc import Iterable

from webmail.mime.authentication import parse_signatures
from webmail.mime.headers import MAX_BYTES, split_fields, unfold

SignedFields = tuple[str, str, str, list[str]]  # domain, selector, beginning of the signature, names of fields


def signed_fields(fields: Iterable[tuple[str, str]]) -> list[SignedFields]:
    """From the message's (name, value) pairs, every one of them.

    A signature covers the lowest field of a name; one that stands there twice may be read differently by everybody,
    so it is not counted as covered.
    """
    pairs = [(name.lower(), value) for name, value in fields]
    times = Counter(name for name, _ in pairs)
    found = parse_signatures([unfold(value) for name, value in pairs if name == "dkim-signature"])
    return [
        (one.domain, one.selector, one.start, sorted({name for name in one.covers if times[name] == 1}))
        for one in found
    ]


def signed_in(header: bytes) -> list[SignedFields]:
    """The same from a header block; one that is longer than is read covers nothing."""
    fields, warnings = split_fields(header)
    return [] if warnings or len(header) >= MAX_BYTES else signed_fields(fields)
