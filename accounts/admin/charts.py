"""Figures as shapes for inline SVG: widths and heights are attributes, so that no style is needed. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle in the drawing's own units, and what it stands for."""

    name: str
    x: float
    y: float
    width: float
    height: float
    value: int
    label: str = ""

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def above(self) -> float:
        """Where the foot of a number standing on the shape lies."""
        return self.y - 7


def strip(parts: Iterable[tuple[str, int]], *, width: float = 252, gap: float = 2, least: float = 4) -> list[Shape]:
    """Segments side by side whose widths follow the counts; a count above none is never narrower than `least`."""
    present = [(name, count) for name, count in parts if count > 0]
    total = sum(count for _, count in present)
    room = width - gap * max(0, len(present) - 1)
    widths = [max(least, room * count / total) for _, count in present]
    widest = max(range(len(widths)), key=widths.__getitem__, default=0)
    if widths:
        widths[widest] -= sum(widths) - room  # what the small ones took comes off the largest
    shapes, x = [], 0.0
    for (name, count), wide in zip(present, widths, strict=True):
        shapes.append(Shape(name, round(x, 2), 0, round(wide, 2), 10, count))
        x += wide + gap
    return shapes


def columns(
    values: Sequence[int], labels: Sequence[str] = (), *, width: float, height: float, gap: float
) -> list[Shape]:
    """Columns standing on the drawing's lower edge, the tallest as high as it; a value above none shows at least 2."""
    if not values:
        return []
    wide = (width - gap * (len(values) - 1)) / len(values)
    top = max(*values, 1)
    shapes = []
    for place, value in enumerate(values):
        tall = max(2.0, height * value / top) if value else 1.0
        label = labels[place] if place < len(labels) else ""
        x = round(place * (wide + gap), 2)
        shapes.append(
            Shape("some" if value else "none", x, round(height - tall, 2), round(wide, 2), tall, value, label)
        )
    return shapes
