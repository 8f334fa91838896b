"""What a reader sees of a link's text: without what its styles keep out of sight (security S47).

No style is computed. A style attribute does what it says; a rule may hold for every element that the last part of its
selector could name. Whoever writes rules that contradict each other, or name nothing, is met by reading the text in
several ways: a host that is named in one of them is claimed. Nothing is edited. Places only move forward, and tags are
counted: after many of them what stands around a link is no longer looked at, and then no link is.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import combinations
from typing import Final, NamedTuple

from webmail.mime.text import visible
from webmail.render.sight import Declared, State, applied, declarations
from webmail.render.wordlist import words

MAX_RULES = 5_000
MAX_VALUES = 4  # of one property, for one name
MAX_AROUND = MAX_WITHIN = 15_000  # tags
MAX_TEXT = 300
MAX_GROUPS = 4  # sorts of elements in a link that rules may hide or show: each may be what is seen, in any company

_THIN: Final = re.compile("[\u2006\u2009\u200a\u202f\u205f]")  # blanks too thin to part words
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)((?: [\w-]+=\"[^\"]*\")*)>")
_ATTRIBUTE: Final = re.compile(r' ([\w-]+)="([^"]*)"')
_VOID: Final = words("area br col hr img wbr")
_BLOCKS: Final = words("br div p td th tr li ul ol table center blockquote h1 h2 h3 h4 h5 h6 hr pre dd dt")
_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
_COMBINATOR: Final = re.compile(r"[\s>+~]+")
_NAMES: Final = re.compile(r"[.#\[][\w-]+|^[a-zA-Z][\w-]*")


def as_line(text: str) -> str:
    """At most 300 characters of a text, without what leaves no mark and with one blank for each gap."""
    return " ".join(_THIN.sub("", visible(text)).split())[:MAX_TEXT]


def shows_words(cleaned: str) -> bool:
    """Whether any text of a cleaned body is not hidden by style attributes; what rules do is not looked at."""
    return any(text.strip() and not element.plain.hidden for text, element in Sight(cleaned, "").pieces())


class _Element(NamedTuple):
    """``plain`` is its state without the rules of the stylesheet, ``ruled`` with them, ``inside`` with those of the
    elements in the link only; ``group`` names the rules that may hold in the link."""

    plain: State = State()
    ruled: State = State()
    inside: State = State()
    group: frozenset[str] = frozenset()


class Sight:
    """Reads one cleaned body from its beginning; ``texts`` is asked about links in their order."""

    def __init__(self, cleaned: str, stylesheet: str) -> None:
        self._cleaned = cleaned
        self._rules = _read_rules(stylesheet)
        self._place = 0
        self._around = [_Element()]
        self._left = {"around": MAX_AROUND, "within": MAX_WITHIN}
        self._known: dict[tuple[_Element, str, str, bool], _Element] = {}

    def texts(self, start: int, end: int) -> tuple[str, ...]:
        """What may be seen of the link whose start tag begins at ``start``, up to ``end``."""
        self._walk(start)
        pieces = [*self._pieces(start, end)]
        readings = [
            [text for text, element in pieces if not state(element).hidden] for state in (_plain, _inside, _ruled)
        ]
        readings += _companies([piece for piece in pieces if not piece[1].plain.hidden])
        found = [as_line("".join(reading)) for reading in readings]
        if any(element.plain.turned or element.ruled.turned for _, element in pieces):
            found = [text[::-1] for text in found] + found
        return tuple(dict.fromkeys(text for text in found if text))

    def pieces(self) -> Iterator[tuple[str, _Element]]:
        """All texts of the body, each with the element around it."""
        return self._pieces(0, len(self._cleaned))

    def _walk(self, start: int) -> None:
        for tag in self._tags("around", self._place, start):
            self._enter(self._around, tag, inside=False)
        self._place = max(self._place, start)
        if self._left["around"] <= 0:
            self._around = [_Element()]

    def _tags(self, kind: str, start: int, end: int) -> Iterator[re.Match[str]]:
        for tag in _TAG.finditer(self._cleaned, start, end) if self._left[kind] > 0 else ():
            self._left[kind] -= 1
            yield tag
            if self._left[kind] <= 0:
                return

    def _pieces(self, start: int, end: int) -> Iterator[tuple[str, _Element]]:
        elements = [*self._around]
        place = start
        for number, tag in enumerate(self._tags("within", start, end)):
            gap = " " if tag[2] in _BLOCKS else ""
            yield unescape(self._cleaned[place : tag.start()]) + gap, elements[-1]
            self._enter(elements, tag, inside=number > 0)
            place = tag.end()
        yield unescape(self._cleaned[place:end]), elements[-1]

    def _enter(self, elements: list[_Element], tag: re.Match[str], *, inside: bool) -> None:
        """The parser closes every element, so that the end tags fit."""
        if tag[1]:
            del elements[max(len(elements) - 1, 1) :]
        elif tag[2] not in _VOID:
            asked = (elements[-1], tag[2], tag[3], inside)
            known = self._known.get(asked)
            if known is None:
                known = self._known[asked] = self._element(elements[-1], tag[2], tag[3], inside=inside)
            elements.append(known)

    def _element(self, parent: _Element, name: str, attributes: str, *, inside: bool) -> _Element:
        told = dict(_ATTRIBUTE.findall(attributes)) if attributes else {}
        keys = {"*", name, f"#{told.get('id', '')}", *(f"[{one}" for one in told)}
        keys.update(f".{one}" for one in told.get("class", "").split())
        named = self._rules.keys() & keys
        own: Declared = {"unicode-bidi": ["bidi-override"]} if name == "bdo" else {}
        for old, property_ in (("color", "color"), ("bgcolor", "background-color")):
            if old in told:
                own[property_] = [told[old].lower()]
        own |= {property_: [value] for property_, value in declarations(unescape(told.get("style", "")))}
        if not own and not named:
            return parent
        ruled: Declared = {property_: [*values] for property_, values in own.items()}
        for key in named:
            for property_, values in self._rules[key].items():
                ruled.setdefault(property_, []).extend(values)
        return _Element(
            plain=applied(parent.plain, own),
            ruled=applied(parent.ruled, ruled),
            inside=applied(parent.inside, ruled if inside else own),
            group=parent.group | named if inside else frozenset(),
        )


def _plain(element: _Element) -> State:
    return element.plain


def _inside(element: _Element) -> State:
    return element.inside


def _ruled(element: _Element) -> State:
    return element.ruled


def _companies(pieces: Iterable[tuple[str, _Element]]) -> list[list[str]]:
    """The text of some of the sorts of elements that rules may hide, for each choice of them."""
    sorts = [(text, element.group) for text, element in pieces if text.strip()]
    groups = [*dict.fromkeys(group for _, group in sorts)][:MAX_GROUPS]
    return [
        [text for text, group in sorts if group in chosen]
        for number in range(1, len(groups))
        for chosen in combinations(groups, number)
    ]


def _read_rules(stylesheet: str) -> dict[str, Declared]:
    """Declarations that matter, by the names in the last part of their selectors; ``*`` where it has none."""
    found: dict[str, Declared] = {}
    for number, rule in enumerate(_RULE.finditer(stylesheet)):
        told = dict.fromkeys(declarations(rule[2]))
        if not told or number >= MAX_RULES:
            continue
        for selector in rule[1].split(",")[:200]:
            last = _COMBINATOR.split(selector.strip())[-1].partition(":")[0]
            for name in _NAMES.findall(last) or ["*"]:
                _add(found.setdefault(name, {}), told)
    return found


def _add(known: Declared, told: Iterable[tuple[str, str]]) -> None:
    """Those that hide are kept before others."""
    for property_, value in told:
        values = known.setdefault(property_, [])
        if value not in values and (len(values) < MAX_VALUES or applied(State(), {property_: [value]}).hidden):
            del values[MAX_VALUES - 1 :]
            values.append(value)
