"""What style declarations do to the sight of a text: whether it is gone, too small, or of the colour of its ground."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from webmail.render.wordlist import words

_LENGTH: Final = re.compile(r"(?<![\w.#-])(\d*\.?\d+)(px|pt|em|rem|%|ex|ch|vw)?(?![\w.%])")
_COMPUTED: Final = re.compile(r"\b(?:calc|min|max|clamp)\(")
_LEAST: Final[Mapping[str, float]] = {"px": 3, "pt": 2.5, "%": 25, "": 0.1}  # of text that can be read; others in em
_SIDES: Final = words("width height max-width max-height inline-size block-size max-inline-size max-block-size")
_GONE: Final = words("none table-column table-column-group")
_CLEAR: Final = re.compile(r"transparent|#(?:[\da-f]{3}[0-2]|[\da-f]{6}[0-2][\da-f])|[a-z]+a?\(.*[,/]\s*0*\.?[01]?%?\)")
_HEX: Final = re.compile(r"#([\da-f]{3}|[\da-f]{6})\Z")
_RGB: Final = re.compile(r"rgba?\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\b")
_NAMED: Final = {"white": (255, 255, 255), "black": (0, 0, 0)}
_NEAR = 32  # steps of 255 in each channel
_SHORT: Final = {"font": "font-size", "background": "background-color"}
_WATCHED: Final = _SIDES | words(
    "display visibility opacity font font-size color background background-color overflow overflow-x overflow-y"
    " text-indent letter-spacing unicode-bidi"
)

Declared = dict[str, list[str]]  # by property, the values that may hold


class State(NamedTuple):
    """What an element does to its text: ``gone`` cannot be taken back by what is inside, the rest can.

    ``turned``: its letters stand in the order that the sender chose, whatever they are.
    """

    gone: bool = False
    turned: bool = False
    tiny: bool = False
    unseen: bool = False
    colour: str = "black"
    ground: str = "white"

    @property
    def hidden(self) -> bool:
        return self.gone or self.tiny or self.unseen or _alike(self.colour, self.ground)


def declarations(css: str) -> Iterator[tuple[str, str]]:
    """Those that matter here, in lower case; of several for one property the last is the one that holds."""
    if not css:
        return
    important: list[tuple[str, str]] = []
    for declaration in css.lower().split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip()
        if name in _WATCHED:
            value, _, weight = value.partition("!")
            pair = (_SHORT.get(name, name), value.strip())
            if weight:
                important.append(pair)
            else:
                yield pair
    yield from important


def applied(state: State, declared: Declared) -> State:
    """The state inside an element; of values that contradict each other those that hide hold."""
    if not declared:
        return state

    def told(names: Iterable[str], hides: Callable[[str], bool]) -> bool | None:
        values = [value for name in names for value in declared.get(name, ())]
        return any(hides(value) for value in values) if values else None

    tiny, unseen = told(("font-size",), _is_tiny), told(("visibility",), _is_unseen)
    clipped = told(("overflow", "overflow-x", "overflow-y"), _is_clipping)
    grounds = declared.get("background-color", [state.ground])
    pairs = [(colour, ground) for colour in declared.get("color", [state.colour]) for ground in grounds]
    colour, ground = next((pair for pair in pairs if _alike(*pair)), pairs[-1])
    return State(
        gone=state.gone
        or bool(told(("display",), _GONE.__contains__) or told(("opacity",), _is_faint))
        or bool(told(("text-indent",), _is_far) or told(("letter-spacing",), _is_squeezed))
        or bool(clipped and told(_SIDES, _is_tiny)),
        turned=state.turned or bool(told(("unicode-bidi",), _is_override)),
        tiny=state.tiny if tiny is None else tiny,
        unseen=state.unseen if unseen is None else unseen,
        colour=colour,
        ground=ground,
    )


def _lengths(value: str) -> list[tuple[float, str]]:
    return [(float(number), unit) for number, unit in _LENGTH.findall(value[:200])]


def _is_tiny(value: str) -> bool:
    if _COMPUTED.search(value):
        return True  # it may come to nothing
    return any(number < _LEAST.get(unit, 0.25) for number, unit in _lengths(value.partition("/")[0]))


def _is_far(value: str) -> bool:
    return any(number >= (200 if unit in ("px", "pt") else 20) for number, unit in _lengths(value))


def _is_squeezed(value: str) -> bool:
    lengths = _lengths(value[1:]) if value.startswith("-") else []
    return any(number >= (4 if unit in ("px", "pt") else 0.4) for number, unit in lengths)


def _is_faint(value: str) -> bool:
    return any(number <= (10 if unit == "%" else 0.1) for number, unit in _lengths(value))


def _is_clipping(value: str) -> bool:
    return "hidden" in value or "clip" in value


def _is_unseen(value: str) -> bool:
    return value in ("hidden", "collapse")


def _is_override(value: str) -> bool:
    return "override" in value


def _alike(colour: str, ground: str) -> bool:
    """Whether text of this colour cannot be read on this ground; where a colour is not known, it can."""
    if _CLEAR.fullmatch(colour):
        return True
    one, other = _channels(colour), _channels(ground)
    return one is not None and other is not None and all(abs(a - b) <= _NEAR for a, b in zip(one, other, strict=True))


def _channels(colour: str) -> tuple[int, ...] | None:
    if found := _HEX.match(colour):
        digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
        return tuple(bytes.fromhex(digits))
    if found := _RGB.match(colour):
        return tuple(min(int(channel), 255) for channel in found.groups())
    return _NAMED.get(colour)
