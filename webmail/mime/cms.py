"""The message inside an opaque S/MIME signature (RFC 8551 section 3.5.2, RFC 5652), taken out without being checked.

Invariants: total, linear, nothing recurses; whatever is not a SignedData with its content inside gives None.
"""

from typing import Final

_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_DATA: Final = bytes.fromhex("2a864886f70d010701")
_SEQUENCE, _OID, _OCTETS, _MANY_OCTETS, _ZERO = 0x30, 0x06, 0x04, 0x24, 0xA0
_DEPTH = 100
_END: Final = b"\0\0"


class _Unfit(Exception):
    """Not what is looked for."""


def signed_content(data: bytes) -> bytes | None:
    """The octets that `data`, a SignedData in DER or BER, holds and vouches for, or None."""
    try:
        at = _enter(data, 0, _SEQUENCE)
        at = _named(data, at, _SIGNED_DATA)
        at = _enter(data, _enter(data, at, _ZERO), _SEQUENCE)
        for _ in range(2):  # the version, the digests
            at = _after(data, at)
        at = _named(data, _enter(data, at, _SEQUENCE), _DATA)
        return _octets(data, _enter(data, at, _ZERO))
    except (_Unfit, IndexError):
        return None


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """The tag, where the content starts, and its length, -1 when it ends with a mark (X.690 section 8.1)."""
    tag, length = data[at], data[at + 1]
    if tag & 31 == 31:
        raise _Unfit
    start = at + 2
    if length == 0x80:
        return tag, start, -1
    if length > 0x80:
        count = length & 0x7F
        if count > 8:
            raise _Unfit
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise _Unfit
    return tag, start, length


def _enter(data: bytes, at: int, tag: int) -> int:
    found, start, _length = _header(data, at)
    if found != tag:
        raise _Unfit
    return start


def _named(data: bytes, at: int, oid: bytes) -> int:
    """Past the object identifier that has to stand here."""
    tag, start, length = _header(data, at)
    if tag != _OID or data[start : start + length] != oid:
        raise _Unfit
    return start + length


def _after(data: bytes, at: int) -> int:
    """Where the element after the one at `at` begins."""
    open_marks = 0
    while True:
        if open_marks and data[at : at + 2] == _END:
            at, open_marks = at + 2, open_marks - 1
        else:
            _tag, start, length = _header(data, at)
            open_marks += length < 0
            at = start if length < 0 else start + length
        if not open_marks:
            return at
        if open_marks > _DEPTH:
            raise _Unfit


def _octets(data: bytes, at: int) -> bytes:
    """An OCTET STRING, in one piece or in pieces."""
    tag, start, length = _header(data, at)
    if tag == _OCTETS and length >= 0:
        return data[start : start + length]
    if tag != _MANY_OCTETS:
        raise _Unfit
    end = len(data) if length < 0 else start + length
    pieces = []
    at = start
    while at < end and data[at : at + 2] != _END:
        tag, start, length = _header(data, at)
        if tag != _OCTETS or length < 0:
            raise _Unfit
        pieces.append(data[start : start + length])
        at = start + length
    return b"".join(pieces)
