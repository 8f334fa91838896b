"""How deep and how much a parser would have to build, followed tag by tag (WHATWG HTML, 13.2.4 and 13.2.6).

A simplified stack of open elements that is never shallower than the parser's: an end tag closes here only what it
surely closes there. The counts are what makes hostile nesting visible before the parser is asked.
"""

from webmail.render.wordlist import words

MAX_DEPTH = 500
# The parser re-opens <b>, <font> and the like in every following block: the work is tags times open ones.
MAX_REOPENED = 400_000
MAX_OUTPUT = 12_000_000
# Content of a table outside its cells is moved before the table, each piece at the cost of all those before it.
MAX_MISPLACED = 500

_VOID = words(
    "area base basefont bgsound br col embed frame hr img image input keygen link meta param source track wbr"
)
_UNCOUNTED = words("html head body option optgroup tr thead tbody tfoot colgroup")
_FORMATTING = words("a b big code em font i nobr s small strike strong tt u")
_CELLS = words("td th caption")
_ROWS = words("table tr tbody thead tfoot col colgroup")
_WALLS = words("object applet marquee")
_ENDED_IN_SCOPE = words(
    "address article aside blockquote button center dd details dir div dl dt fieldset figcaption figure footer header "
    "h1 h2 h3 h4 h5 h6 li listing main ol p pre section summary ul"
)
_OPAQUE = _ENDED_IN_SCOPE | words("form menu nav hgroup search dialog noscript select template textarea xmp")
_CLOSES_P = _ENDED_IN_SCOPE - {"button"} | words("dialog form hgroup hr menu nav plaintext search table xmp")
# A list item closes the one before it through these.
_SOFT = words("address div p")


class _Scope:
    """What is open since the last element that end tags cannot reach through (a table, a cell, an object)."""

    __slots__ = ("cell", "formatting", "formatting_size", "hard", "kind", "names", "opaque", "places", "table")

    def __init__(self, kind: str, *, table: int = 0, cell: int = 0) -> None:
        self.kind = kind
        self.table = table  # which scope is the nearest table, and which the cell in it; 0 for none
        self.cell = cell
        self.names: list[str] = []
        self.places: dict[str, list[int]] = {}
        self.opaque: list[int] = []
        self.hard: list[int] = []
        self.formatting: dict[str, int] = {}
        self.formatting_size = 0

    def push(self, name: str) -> None:
        place = len(self.names)
        self.names.append(name)
        self.places.setdefault(name, []).append(place)
        if name in _OPAQUE:
            self.opaque.append(place)
            if name not in _SOFT:
                self.hard.append(place)

    def last(self, name: str) -> int:
        places = self.places.get(name)
        return places[-1] if places else -1

    def pop_through(self, place: int) -> int:
        """Close everything from the top down to ``place``; how many elements that were."""
        count = len(self.names) - place
        while len(self.names) > place:
            self.places[self.names.pop()].pop()
        for marks in (self.opaque, self.hard):
            while marks and marks[-1] >= place:
                marks.pop()
        return count


class OpenElements:
    """Takes start and end tags in order; ``excess`` names the first limit that was broken."""

    __slots__ = (
        "_depth",
        "_formatting",
        "_formatting_size",
        "_in_rows",
        "_misplaced",
        "_output",
        "_reopened",
        "_scopes",
        "tables",
    )

    def __init__(self) -> None:
        self._scopes = [_Scope("")]
        self._depth = self._formatting = self._formatting_size = 0
        self._reopened = self._output = self._misplaced = 0
        self._in_rows = False
        self.tables = 0  # how many are open inside one another

    def excess(self) -> str:
        if self._depth + self._formatting > MAX_DEPTH:
            return "depth"
        if self._misplaced > MAX_MISPLACED:
            return "misplaced"
        return "reopened" if self._reopened > MAX_REOPENED or self._output > MAX_OUTPUT else ""

    def start(self, name: str, size: int) -> None:
        """A start tag of ``size`` characters."""
        self._count(name, size)
        scope = self._scopes[-1]
        if name in _CLOSES_P:
            self._imply(scope, name)
        if name in _VOID:
            return
        if name in _FORMATTING:
            self._start_formatting(scope, name, size)
        elif name in _CELLS or name in ("tr", "tbody", "thead", "tfoot", "colgroup"):
            self._start_row_or_cell(name)
        elif name == "table" or name in _WALLS:
            self._open_scope(name)
        elif name not in _UNCOUNTED:
            scope.push(name)
            self._depth += 1

    def end(self, name: str) -> None:
        """An end tag; one that closes nothing for sure is passed over."""
        self._count("p" if name in ("p", "br") else "", 0)  # those two end tags can make an element
        if name in _CELLS or name in _ROWS:
            self._in_rows = name != "table"
        scope = self._scopes[-1]
        if name in _FORMATTING:
            self._end_formatting(scope, name)
        elif name in _CELLS:
            self._close_cell(name)
        elif name == "tr":
            self._close_cell("td", "th")
        elif name == "table":
            if scope.table:
                self._close_down_to(scope.table)
        elif name in _WALLS:
            if scope.kind == name:
                self._drop_scope()
        else:
            self._end_element(scope, name)

    def _count(self, name: str, size: int) -> None:
        self._reopened += self._formatting
        self._output += size + self._formatting_size
        if name in _CELLS or name in _ROWS:
            self._in_rows = name in _ROWS
        elif name:
            self._misplaced += self._in_rows

    def _imply(self, scope: _Scope, name: str) -> None:
        """The ends that a block's start tag implies: of a paragraph, of the list item before."""
        if name in ("li", "dd", "dt") and scope.hard:
            before = scope.names[scope.hard[-1]]
            if before == name or (name != "li" and before in ("dd", "dt")):
                self._depth -= scope.pop_through(scope.hard[-1])
        place = scope.last("p")
        if place > scope.last("button"):
            self._depth -= scope.pop_through(place)

    def _end_element(self, scope: _Scope, name: str) -> None:
        place = scope.last(name)
        if place < 0 or name == "form":
            return
        if name in _ENDED_IN_SCOPE:
            blocked = place < scope.last("button") if name == "p" else False
            if name == "li":
                blocked = place < max(scope.last("ul"), scope.last("ol"))
        else:
            blocked = bool(scope.opaque) and scope.opaque[-1] > place
        if not blocked:
            self._depth -= scope.pop_through(place)

    def _start_formatting(self, scope: _Scope, name: str, size: int) -> None:
        if name == "a" and scope.formatting.get("a"):
            return
        scope.formatting[name] = scope.formatting.get(name, 0) + 1
        scope.formatting_size += size
        self._formatting += 1
        self._formatting_size += size

    def _end_formatting(self, scope: _Scope, name: str) -> None:
        if not scope.formatting.get(name):
            return
        scope.formatting[name] -= 1
        self._formatting -= 1
        if not any(scope.formatting.values()):
            self._formatting_size -= scope.formatting_size
            scope.formatting_size = 0

    def _start_row_or_cell(self, name: str) -> None:
        scope = self._scopes[-1]
        if not scope.table:
            return  # the parser drops it
        if scope.cell:
            self._close_down_to(scope.cell)
        if name in _CELLS:
            self._open_scope(name)

    def _open_scope(self, kind: str) -> None:
        outer, here = self._scopes[-1], len(self._scopes)
        if kind == "table":
            self._scopes.append(_Scope(kind, table=here))
            self._depth += 2
            self.tables += 1
        else:
            self._scopes.append(_Scope(kind, table=outer.table, cell=here if kind in _CELLS else outer.cell))
            self._depth += 1

    def _close_cell(self, *kinds: str) -> None:
        cell = self._scopes[-1].cell
        if cell and self._scopes[cell].kind in kinds:
            self._close_down_to(cell)

    def _close_down_to(self, number: int) -> None:
        while len(self._scopes) > number:
            self._drop_scope()

    def _drop_scope(self) -> None:
        scope = self._scopes.pop()
        self._depth -= len(scope.names) + (2 if scope.kind == "table" else 1)
        self.tables -= scope.kind == "table"
        if scope.kind == "table":  # what was opened between its cells goes on after it
            outer = self._scopes[-1]
            for name, count in scope.formatting.items():
                outer.formatting[name] = outer.formatting.get(name, 0) + count
            outer.formatting_size += scope.formatting_size
        else:
            self._formatting -= sum(scope.formatting.values())
            self._formatting_size -= scope.formatting_size
