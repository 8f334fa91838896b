"""Pictures for tests, drawn by the library itself or by hand where it would not write such a thing."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, kind, **options)
    return out.getvalue()


def animation(frames: int = 3, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    out = BytesIO()
    # each frame another shade, or the library would write them as one
    drawn = [Image.new("RGB", size, (number * 7 % 256, 0, 90)) for number in range(frames)]
    drawn[0].save(out, "GIF", save_all=True, append_images=drawn[1:], loop=0, duration=40, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of one bit a pixel that says it is `side` wide and high and holds next to nothing."""
    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def opened(data: bytes) -> Image.Image:
    found = Image.open(BytesIO(data))
    found.load()
    return found
