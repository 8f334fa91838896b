"""What pictures say of their size."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from webmail.mime.pixels import is_showable, size_of


def picture(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with a row of pixels at most."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(width // 8 + 2) * height)), (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out


@pytest.mark.parametrize("between", [b"", b"\x21\xfe\x03abc\0" * 3, b"\x21\xf9\x04\0\0\0\0\0"])
@pytest.mark.parametrize("table", [b"\0\0\0", b"\x81\0\0" + bytes(12)])
def test_s20_the_first_frame_of_a_gif_counts_where_it_is_larger_than_the_canvas(between: bytes, table: bytes) -> None:
    frame = b"," + struct.pack("<HHHH", 5, 0, 20_000, 15_000) + b"\0"
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + table + between + frame
    assert size_of(head) == (20_005, 15_000)
    assert not is_showable(head)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (640, 17), (300, 2000)])
def test_pictures_say_how_large_they_are(kind: str, size: tuple[int, int]) -> None:
    for options in ({}, {"lossless": True}, {"exif": Image.Exif()}, {"progressive": True}):
        out = io.BytesIO()
        Image.new("RGB", size).save(out, kind, **options)
        assert size_of(out.getvalue()[:4096]) == size
        assert is_showable(out.getvalue())


@pytest.mark.parametrize("size", [(15_000, 15_000), (2**31 - 1, 2**31 - 1), (0, 10)])
def test_a_bomb_is_none_to_show(size: tuple[int, int]) -> None:
    head = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    assert not is_showable(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head)


@given(st.binary(max_size=200))
def test_nothing_is_too_odd(data: bytes) -> None:
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF1234WEBPVP8 ", b"RIFF1234WEBPVP8X"):
        size_of(start + data)
