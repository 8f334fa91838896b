"""What is typed into the search field, read into a tree.

``from: to: cc: subject: in: is: label: has: filename: before: after: on: larger: smaller:``, quoted phrases, ``-`` for
not, ``OR`` between two terms. Reading is linear and never raises: what makes no sense becomes a problem with the
operator's name and a sentence, and the rest is searched for.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple, cast, get_args

from webmail.search.tree import (
    And,
    Dated,
    HasAttachment,
    In,
    Is,
    Label,
    Larger,
    Node,
    Not,
    Or,
    Smaller,
    State,
    Text,
    TextField,
)
from webmail.search.values import read_dates, read_size
from webmail.search.words import query_terms, query_words

MAX_QUERY = 10_000
MAX_TERMS = 100

_TOKEN = re.compile(
    r'(?P<minus>-?)(?:(?P<operator>[A-Za-z]{2,8}):(?=\S))?(?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]+))', re.ASCII
)
_BARE_OPERATOR = re.compile(r"-?([A-Za-z]{2,8}):(?=\s|\Z)", re.ASCII)
_SPACE = re.compile(r"\s+")
_TEXT_FIELDS = ("from", "to", "cc", "subject", "filename")
OPERATORS = (*_TEXT_FIELDS, "in", "is", "label", "has", "before", "after", "on", "larger", "smaller")


class Problem(NamedTuple):
    """``operator`` is "" when the whole query is meant. The sentence is English, to be passed through gettext."""

    operator: str
    sentence: str
    source: str


class Chip(NamedTuple):
    """One operator as the search field shows it; ``source`` is how it stands in the query's text."""

    label: str
    source: str


@dataclass(frozen=True, slots=True)
class Query:
    """A read query. ``root`` is None when there is nothing to search for; ``cut`` says that its end was left out."""

    root: Node | None
    source: str
    problems: tuple[Problem, ...] = ()
    cut: bool = False
    _chips: tuple[Chip, ...] = ()
    plain: str = ""

    def chips(self) -> tuple[Chip, ...]:
        """The operators in the order they were typed; plain words are not chips, they are in ``plain``."""
        return self._chips

    @property
    def words(self) -> tuple[str, ...]:
        """What to highlight in results: the words asked for, without those asked to be absent."""
        found = dict.fromkeys(word for text in _wanted(self.root) for word in query_words(text.value))
        return tuple(found)[:MAX_TERMS]


class _Token(NamedTuple):
    negated: bool
    operator: str
    value: str
    quoted: bool
    source: str
    last: bool

    @property
    def is_or(self) -> bool:
        return self.source in ("OR", "|")


def parse(text: str, *, today: date) -> Query:
    """Read a query; relative dates count from ``today``. At most 10,000 characters and 100 terms are read."""
    source = text[:MAX_QUERY].replace("\0", " ")
    problems: list[Problem] = []
    tokens = [token for _, token in zip(range(MAX_TERMS + 1), _tokens(source, problems), strict=False)]
    cut = len(text) > MAX_QUERY or len(tokens) > MAX_TERMS
    nodes: list[Node] = []
    joining = False
    chips: list[Chip] = []
    plain: list[str] = []
    for token in tokens[:MAX_TERMS]:
        if token.is_or:
            joining = bool(nodes)
            plain.append(token.source)
            continue
        node = _node(token, today=today, problems=problems)
        if token.operator:
            chips.append(Chip(("-" if token.negated else "") + f"{token.operator}: {token.value}", token.source))
        else:
            plain.append(token.source)
        if node is not None:
            _add(nodes, node, joining=joining)
        joining = False
    if cut:
        problems.append(Problem("", "This search is very long. Only its beginning was used.", ""))
    root = And(tuple(nodes)) if len(nodes) > 1 else nodes[0] if nodes else None
    return Query(root, source.strip(), tuple(problems), cut, tuple(chips), _without_loose_or(plain))


def _add(nodes: list[Node], node: Node, *, joining: bool) -> None:
    if not joining:
        nodes.append(node)
        return
    before = nodes.pop()
    nodes.append(Or((*before.nodes, node) if isinstance(before, Or) else (before, node)))


def _without_loose_or(plain: list[str]) -> str:
    while plain and plain[-1] in ("OR", "|"):
        plain.pop()
    while plain and plain[0] in ("OR", "|"):
        plain.pop(0)
    return " ".join(plain)


def _tokens(source: str, problems: list[Problem]) -> Iterator[_Token]:
    place = 0
    while place < len(source):
        if space := _SPACE.match(source, place):
            place = space.end()
            continue
        bare = _BARE_OPERATOR.match(source, place)
        if bare and bare[1].lower() in OPERATORS:
            operator = bare[1].lower()
            problems.append(Problem(operator, _EMPTY.get(operator, "Say what to look for after the colon."), bare[0]))
            place = bare.end()
            continue
        match = _TOKEN.match(source, place)
        if match is None:
            place += 1
            continue
        place = match.end()
        yield _token(match, last=place == len(source))


def _token(match: re.Match[str], *, last: bool) -> _Token:
    operator = (match["operator"] or "").lower()
    quoted = match["quoted"] is not None
    value = match["quoted"] if quoted else match["plain"]
    if operator and operator not in OPERATORS:  # "Re:hello", "http://..." and the like are words
        value, operator = f"{match['operator']}:{value}", ""
    return _Token(bool(match["minus"]), operator, value.strip(), quoted, match[0], last)


def _node(token: _Token, *, today: date, problems: list[Problem]) -> Node | None:
    result = _READERS[token.operator](token, today)
    if isinstance(result, str):
        if result:
            problems.append(Problem(token.operator, result, token.source))
        return None
    return Not(result) if token.negated else result


# A reader gives a node, or the sentence that says what is wrong ("" when nothing is there to be searched for).
_Reader = Callable[[_Token, date], "Node | str"]

_EMPTY = {
    "from": "Say who it is from: a name or an address.",
    "to": "Say who it went to: a name or an address.",
    "cc": "Say who had a copy: a name or an address.",
    "in": "Say which mailbox to look in.",
    "label": "Say which label.",
}
_DATE_SENTENCE = "This is not a date. Write 2026-05-31, 2026-05, 7d or yesterday."
_SIZE_SENTENCE = "This is not a size. Write 500k or 5M."


def _text(token: _Token, today: date) -> Node | str:
    del today
    field = cast(TextField, token.operator or "text")
    if not query_terms(token.value):
        return "" if field == "text" else _EMPTY.get(field, "Say what to look for after the colon.")
    open_ended = not token.quoted and (token.last or field != "text")
    return Text(token.value, field, prefix=open_ended)


def _mailbox(token: _Token, today: date) -> Node | str:
    del today
    return In(token.value) if token.value else _EMPTY["in"]


def _label(token: _Token, today: date) -> Node | str:
    del today
    return Label(token.value) if token.value else _EMPTY["label"]


def _state(token: _Token, today: date) -> Node | str:
    del today
    state = {"flagged": "starred", "replied": "answered", "seen": "read", "unseen": "unread"}.get(
        token.value.lower(), token.value.lower()
    )
    if state in get_args(State):
        return Is(cast(State, state))
    return "Write is:unread, is:read, is:starred, is:answered or is:draft."


def _has(token: _Token, today: date) -> Node | str:
    del today
    known = token.value.lower() in ("attachment", "attachments")
    return HasAttachment() if known else "Write has:attachment."


def _dates(side: Literal["before", "after", "on"]) -> _Reader:
    def read(token: _Token, today: date) -> Node | str:
        days = read_dates(token.value, today=today)
        if days is None:
            return _DATE_SENTENCE
        if side == "on":
            return Dated(*days)
        return Dated(until=days[0]) if side == "before" else Dated(since=days[0])

    return read


def _size(kind: type[Larger] | type[Smaller]) -> _Reader:
    def read(token: _Token, today: date) -> Node | str:
        del today
        octets = read_size(token.value)
        return _SIZE_SENTENCE if octets is None else kind(octets)

    return read


_READERS: dict[str, _Reader] = {
    "": _text,
    **dict.fromkeys(_TEXT_FIELDS, _text),
    "in": _mailbox,
    "is": _state,
    "label": _label,
    "has": _has,
    "before": _dates("before"),
    "after": _dates("after"),
    "on": _dates("on"),
    "larger": _size(Larger),
    "smaller": _size(Smaller),
}


def _wanted(node: Node | None) -> Iterator[Text]:
    if isinstance(node, Text):
        yield node
    elif isinstance(node, And | Or):
        for inner in node.nodes:
            yield from _wanted(inner)
