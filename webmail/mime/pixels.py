"""How large a picture says it is, by its first octets, before anything decodes it (security S20). Pure, total."""

import struct
from typing import Final

MOST_PIXELS = 64_000_000  # of a picture that is shown; a browser needs four octets for each
HEAD = 256 * 2**10  # octets to look at
_START_OF_FRAME: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def size_of(head: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, GIF, WebP or JPEG by its first octets; None for anything else and for broken ones."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
            return _pair(">II", head, 16)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return _gif(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        return _jpeg(head) if head.startswith(b"\xff\xd8\xff") else None
    except (struct.error, IndexError):
        return None


def is_showable(head: bytes) -> bool:
    """Whether it is a picture of these kinds that no browser chokes on."""
    size = size_of(head)
    return size is not None and 0 < size[0] * size[1] <= MOST_PIXELS


def _pair(form: str, head: bytes, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from(form, head, at)
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    """The canvas, or what the first frame makes of it: browsers widen the canvas to that frame."""
    width, height = _pair("<HH", head, 6)
    at = 13 + _table(head[10])
    while at < len(head) and head[at] == 0x21:  # extensions
        at += 2
        while at < len(head) and head[at]:
            at += 1 + head[at]
        at += 1
    if at + 9 > len(head) or head[at] != 0x2C:
        return width, height
    left, top, across, down = struct.unpack_from("<HHHH", head, at + 1)
    return max(width, left + across), max(height, top + down)


def _table(packed: int) -> int:
    """Octets of a colour table."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _pair("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 4 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _START_OF_FRAME:
            height, width = _pair(">HH", head, at + 5)
            return width, height
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
