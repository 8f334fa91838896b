"""Animated GIFs block by block (GIF89a): the pictures are kept, everything that is none is left out.

Decoding and encoding hundreds of frames would cost seconds, so frames keep their compressed bytes. Invariants: the
output holds the header, colour tables, frames and the two extensions that time and repeat them, and ends at the
trailer; comments, texts, unknown extensions and whatever follows the trailer are gone; frames and their pixels are few
enough, and every frame lies on the canvas.
"""

from collections.abc import Iterator

MAX_FRAMES = 600
MAX_ANIMATED_PIXELS = 250_000_000  # of the canvas, once for each frame

_FRAME, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_TIMING, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class NotAGif(ValueError):
    """The blocks do not fit together, or there is too much of them."""


def frames_only(data: bytes) -> tuple[bytes, int]:
    """The GIF without what is no picture, and how many frames it has. Raises NotAGif."""
    try:
        return _rewritten(data)
    except IndexError:
        raise NotAGif("cut short") from None


def _rewritten(data: bytes) -> tuple[bytes, int]:
    width, height = _number(data, 6), _number(data, 8)
    at = 13 + _table_size(data[10])
    pieces, frames = [data[:at]], 0
    for kind, piece in _blocks(data, at):
        if kind == _FRAME:
            frames += 1
            if frames > MAX_FRAMES or frames * width * height > MAX_ANIMATED_PIXELS:
                raise NotAGif("too many frames")
            if _number(piece, 1) + _number(piece, 5) > width or _number(piece, 3) + _number(piece, 7) > height:
                raise NotAGif("a frame beside the canvas")
        pieces.append(piece)
    return b"".join(pieces) + bytes([_TRAILER]), frames


def _blocks(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The blocks worth keeping, up to the trailer or, as browsers read it, to the end."""
    while at < len(data) and data[at] != _TRAILER:
        start, kind = at, data[at]
        if kind == _EXTENSION:
            at = _after_chain(data, at + 2)
            if _is_kept(data, start):
                yield kind, data[start:at]
        elif kind == _FRAME:
            at = _after_chain(data, start + 10 + _table_size(data[start + 9]) + 1)
            yield kind, data[start:at]
        else:
            raise NotAGif("an unknown block")


def _is_kept(data: bytes, start: int) -> bool:
    label = data[start + 1]
    return label == _TIMING or (label == _APPLICATION and data[start + 3 : start + 14] in _LOOPS)


def _after_chain(data: bytes, at: int) -> int:
    """Behind the sub-blocks that begin here."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _table_size(packed: int) -> int:
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _number(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8
