"""Pictures drawn by code: harbours, posters and plans, written as PNG (ISO/IEC 15948) with a palette.

A pixel is colour * 16 + shade, so that grain is one addition per row.
"""

import random
import struct
import zlib
from dataclasses import dataclass
from functools import cache

DUSK = ("2b3a55", "4a5578", "8a6a86", "d98a66", "f2b26b", "1d4650", "163841", "f8e2b0", "b4503c", "f4efe4", "22303a")
DAY = ("cfe4ea", "b9d6de", "a6cbd4", "e8efe9", "f6edd8", "43727a", "2b565e", "fbf3da", "bb5540", "ffffff", "33474f")
SHADES = 16
MIDDLE = 6


@dataclass(slots=True)
class Canvas:
    """Rows of palette numbers to draw on; shapes that reach outside are cut."""

    width: int
    height: int
    rows: list[bytearray]

    def rect(self, left: int, top: int, *, right: int, bottom: int, colour: int) -> None:
        left, right = max(left, 0), min(right, self.width)
        if right <= left:
            return
        span = bytes([colour * SHADES + MIDDLE]) * (right - left)
        for y in range(max(top, 0), min(bottom, self.height)):
            self.rows[y][left:right] = span

    def disc(self, x: int, y: int, *, radius: int, colour: int) -> None:
        for row in range(y - radius, y + radius + 1):
            half = int((radius * radius - (row - y) ** 2) ** 0.5)
            self.rect(x - half, row, right=x + half, bottom=row + 1, colour=colour)

    def sail(self, x: int, y: int, *, size: int, colour: int) -> None:
        """A right-angled triangle standing on (x, y)."""
        for row in range(size):
            self.rect(x, y - size + row, right=x + row * 2 // 3, bottom=y - size + row + 1, colour=colour)


def blank(width: int, height: int) -> Canvas:
    return Canvas(width, height, [bytearray(width) for _ in range(height)])


def png(canvas: Canvas, colours: tuple[str, ...], *, grain: int, seed: int) -> bytes:
    """The canvas as PNG; `grain` is 0, 1, 3 or 7: how many shades the noise spans."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", canvas.width, canvas.height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", palette(colours))
        + _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in grained(canvas, grain=grain, seed=seed)), 1))
        + _chunk(b"IEND", b"")
    )


def grained(canvas: Canvas, *, grain: int, seed: int) -> list[bytes]:
    """The rows with noise laid over them."""
    if not grain:
        return [bytes(row) for row in canvas.rows]
    table = bytes(value & grain for value in range(256))
    noise = random.Random(seed).randbytes(canvas.width * 64).translate(table)  # noqa: S311 - grain, not secrets
    rows = []
    for y, row in enumerate(canvas.rows):
        start = (y * 7919) % (len(noise) - canvas.width)
        added = int.from_bytes(row, "big") + int.from_bytes(noise[start : start + canvas.width], "big")
        rows.append(added.to_bytes(canvas.width, "big"))
    return rows


def palette(colours: tuple[str, ...]) -> bytes:
    """Sixteen shades of each colour as RGB triples, the seventh the colour itself."""
    entries = bytearray()
    for colour in colours:
        rgb = bytes.fromhex(colour)
        for shade in range(SHADES):
            entries += bytes(min(255, max(0, value + (shade - MIDDLE) * 4)) for value in rgb)
    return bytes(entries)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def draw_harbour(width: int, height: int, *, seed: int) -> Canvas:
    """Sky in bands, a sun, a lighthouse, two waters, boats; the seed says where."""
    chance = random.Random(seed)  # noqa: S311 - a picture, not a secret
    canvas, horizon = blank(width, height), height * chance.randint(55, 68) // 100
    for band in range(5):
        canvas.rect(0, horizon * band // 5, right=width, bottom=horizon * (band + 1) // 5, colour=band)
    unit = height // 24
    canvas.disc(width * chance.randint(55, 85) // 100, horizon - unit * 5, radius=unit * 3, colour=7)
    tower = width * chance.randint(12, 40) // 100
    for part, colour in enumerate((9, 8, 9, 8)):
        top = horizon - unit * (10 - part * 3)
        canvas.rect(tower, top, right=tower + unit * 2, bottom=top + unit * 3, colour=colour)
    for house in range(chance.randint(3, 6)):
        left = width * 55 // 100 + house * unit * 4
        canvas.rect(left, horizon - unit * chance.randint(2, 5), right=left + unit * 3, bottom=horizon, colour=10)
    canvas.rect(0, horizon, right=width, bottom=height, colour=5)
    canvas.rect(0, horizon + (height - horizon) // 2, right=width, bottom=height, colour=6)
    for _ in range(chance.randint(1, 3)):
        x, y = width * chance.randint(20, 80) // 100, horizon + unit * chance.randint(2, 5)
        canvas.sail(x, y, size=unit * 4, colour=9)
        canvas.rect(x - unit * 2, y, right=x + unit * 3, bottom=y + unit, colour=9)
    return canvas


def draw_poster(width: int, height: int, *, seed: int) -> Canvas:
    """Discs and bars on paper, the kind of thing one hangs over a sofa."""
    chance = random.Random(seed)  # noqa: S311 - a picture, not a secret
    canvas = blank(width, height)
    canvas.rect(0, 0, right=width, bottom=height, colour=9)
    for _ in range(9):
        x, y, colour = chance.randrange(width), chance.randrange(height), chance.choice((0, 1, 3, 5, 6, 8))
        if chance.random() < 0.5:
            canvas.disc(x, y, radius=height // chance.randint(6, 12), colour=colour)
        else:
            canvas.rect(x, y, right=x + width // 3, bottom=y + height // 20, colour=colour)
    canvas.rect(width // 12, height * 8 // 10, right=width // 2, bottom=height * 8 // 10 + height // 30, colour=10)
    return canvas


@cache
def picture(name: str, *, width: int = 480, height: int = 320, grain: int = 3) -> bytes:
    """A PNG that a file of this name could hold; the same name gives the same picture."""
    seed = zlib.crc32(name.encode())
    colours = DUSK if "dusk" in name or seed % 3 == 0 else DAY
    draw = draw_poster if any(word in name for word in ("poster", "proof", "label", "sketch", "logo")) else draw_harbour
    return png(draw(width, height, seed=seed), colours, grain=grain, seed=seed)
