"""Packages as Outlook and S/MIME programs make them, small and by hand: for tests of what opens them."""

import struct
from collections.abc import Iterable

Property = tuple[int, int, bytes]  # id, type, value


def tnef(*attributes: tuple[int, int, bytes], level: int = 1) -> bytes:
    """A winmail.dat of (attribute, level, value), with checksums."""
    out = [b"\x78\x9f\x3e\x22\x01\x00"]
    for name, where, value in attributes:
        checksum = sum(value) & 0xFFFF
        out.append(struct.pack("<BHHI", where, name, 6, len(value)) + value + struct.pack("<H", checksum))
    return b"".join(out)


def message_properties(*properties: Property) -> tuple[int, int, bytes]:
    return 0x9003, 1, _listed(properties)


def attached(*properties: Property, name: bytes = b"", data: bytes = b"") -> list[tuple[int, int, bytes]]:
    """One attachment: its beginning, its old-style name and content, its properties."""
    plain = [(0x8010, 2, name + b"\0")] * bool(name) + [(0x800F, 2, data)] * bool(data)
    return [(0x9002, 2, bytes(14)), *plain, (0x9005, 2, _listed(properties))]


def binary(name: int, value: bytes, kind: int = 0x102) -> Property:
    padded = value + bytes(-len(value) % 4)
    return name, kind, struct.pack("<II", 1, len(value)) + padded


def words(name: int, value: str) -> Property:
    return binary(name, (value + "\0").encode("utf-16-le"), 0x1F)


def number(name: int, value: int) -> Property:
    return name, 0x03, struct.pack("<I", value)


def _listed(properties: Iterable[Property]) -> bytes:
    listed = list(properties)
    return struct.pack("<I", len(listed)) + b"".join(
        struct.pack("<HH", kind, name) + value for name, kind, value in listed
    )


def compressed(rtf: bytes) -> bytes:
    """PR_RTF_COMPRESSED of letters alone."""
    out = bytearray()
    for start in range(0, len(rtf), 8):
        out += b"\0" + rtf[start : start + 8]
    return struct.pack("<II", len(out) + 12, len(rtf)) + b"LZFu" + bytes(4) + bytes(out)


def bomb(promised: int) -> bytes:
    """A few octets that say "repeat" until as many are out as promised."""
    token = struct.pack(">H", (208 << 4) | 14)  # sixteen octets from a place that writing never stands at
    body = b"\0" + b"A" * 8 + (b"\xff" + token * 8) * 300_000
    return struct.pack("<II", len(body) + 12, promised) + b"LZFu" + bytes(4) + body


def der(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
    return bytes([tag]) + length + body


SIGNED_DATA, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")


def signed(content: bytes, *, streamed: bool = False) -> bytes:
    """A SignedData around the content, without signers: DER, or BER as programs stream it."""
    version, digests = der(2, b"\1"), der(0x31)
    if streamed:
        pieces = b"".join(der(4, content[at : at + 100]) for at in range(0, len(content), 100))
        octets = b"\x24\x80" + pieces + b"\0\0"
        inner = b"\x30\x80" + DATA + b"\xa0\x80" + octets + b"\0\0" + b"\0\0"
        return b"\x30\x80" + SIGNED_DATA + b"\xa0\x80\x30\x80" + version + digests + inner + der(0x31) + b"\0" * 6
    inner = der(0x30, DATA, der(0xA0, der(4, content)))
    return der(0x30, SIGNED_DATA, der(0xA0, der(0x30, version, digests, inner, der(0x31))))
