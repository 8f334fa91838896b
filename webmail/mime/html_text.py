"""HTML to plain text, for search, snippets and the plain alternative of what people write.

Invariants: total, linear, bounded by `MAX_INPUT`; the result is text, not markup, and is never to be used as markup. A
scanner of its own, because the standard parser of older Python patch levels is quadratic on unterminated constructs
(security S51) and raises on endless character references.
"""

import html
import re
from typing import Final

MAX_INPUT = 1_000_000  # characters
_TAG: Final = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40}+)((?:[^>"']|"[^"]*"|'[^']*')*+)>""")
_PLAIN_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40}+)([^<>]*+)>")
_HREF: Final = re.compile(
    r"""\bhref\s{0,9}=\s{0,9}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,2000}))""", re.IGNORECASE
)
_LONG_REFERENCE: Final = re.compile(r"&#[xX]?[0-9a-fA-F]{8,}+;?")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")

_SKIPPED: Final = frozenset(
    {"script", "style", "head", "title", "template", "svg", "math", "object", "noscript", "xml"}
)
_RAW: Final = frozenset({"script", "style", "title", "template"})
_BLOCKS: Final = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "hr", "address", "form", "fieldset"}
)
_LINES: Final = frozenset(
    {"br", "div", "li", "tr", "dt", "dd", "section", "article", "header", "footer", "center", "figure", "blockquote"}
)
_CELLS: Final = frozenset({"td", "th"})


def html_to_text(source: str, *, links: bool = False) -> str:
    """The readable text of `source`: blocks on their own lines, quotes marked with `> `, scripts and styles left out.

    With `links` a link's target follows its text in angle brackets, as a plain alternative needs it.
    """
    scanner = _Scanner(source[:MAX_INPUT], links=links)
    scanner.run()
    return scanner.text()


class _Scanner:
    def __init__(self, source: str, *, links: bool) -> None:
        self.source = source
        self.links = links
        self.tag = _TAG
        self.out: list[str] = []
        self.lines: list[tuple[int, str]] = []  # finished lines with their quote depth
        self.depth = 0
        self.preformatted = 0
        self.href: list[str] = []
        self.unclosed: set[str] = set()  # elements whose end tag is known to be missing

    def run(self) -> None:
        position = 0
        while position < len(self.source):
            opening = self.source.find("<", position)
            if opening < 0:
                self.words(self.source[position:])
                return
            if opening > position:
                self.words(self.source[position:opening])
            position = self.markup(opening)

    def markup(self, start: int) -> int:
        """Handles what begins with the `<` at `start`; gives the position behind it."""
        source = self.source
        if source.startswith(("<!--", "<!", "<?"), start):
            closer = "-->" if source.startswith("<!--", start) else ">"
            end = source.find(closer, start + 2)
            return end + len(closer) if end >= 0 else len(source)
        found = self.tag.match(source, start)
        if found is None and self.tag is _TAG and source[start + 1 : start + 2].isalpha():
            self.tag = _PLAIN_TAG  # quotes do not pair up: stop minding them, or every `<` would rescan the rest
            found = self.tag.match(source, start)
        if found is None:
            closing_stray = source.startswith("</", start)
            self.words("" if closing_stray else "<")
            return start + (2 if closing_stray else 1)
        name = found[2].lower()
        if name in _SKIPPED and not found[1] and not found[3].endswith("/"):
            return self.skipped(name, found.end())
        self.element(name, closing=bool(found[1]), attributes=found[3])
        return found.end()

    def skipped(self, name: str, start: int) -> int:
        """Behind the end tag. Without one a browser shows nothing more after a script, but does after the others."""
        if name not in self.unclosed:
            end_tag = re.compile(rf"</{name}\b[^>]*+>?", re.IGNORECASE).search(self.source, start)
            if end_tag:
                return end_tag.end()
            self.unclosed.add(name)
        return len(self.source) if name in _RAW else start

    def element(self, name: str, *, closing: bool, attributes: str) -> None:
        if name in _BLOCKS or name in _LINES:
            self.line_break(paragraph=name in _BLOCKS)
            if name == "blockquote":
                self.depth = max(self.depth - 1, 0) if closing else min(self.depth + 1, 50)
            elif name == "pre":
                self.preformatted = max(self.preformatted + (-1 if closing else 1), 0)
            elif name == "li" and not closing:
                self.out.append("* ")
        elif name in _CELLS:
            self.out.append(" ")
        elif name == "a" and self.links:
            self.link(closing=closing, attributes=attributes)

    def link(self, *, closing: bool, attributes: str) -> None:
        if not closing:
            found = _HREF.search(attributes[:10_000])
            self.href.append(html.unescape(found[1] or found[2] or found[3] or "") if found else "")
        elif self.href:
            target = self.href.pop()
            if target.startswith(("http://", "https://", "mailto:")) and target not in self.out[-1:]:
                self.out.append(f" <{target.removeprefix('mailto:')}>")

    def words(self, raw: str) -> None:
        if "&" in raw:
            raw = html.unescape(_LONG_REFERENCE.sub("\ufffd", raw))
        if self.preformatted:
            first, *rest = raw.replace("\r\n", "\n").split("\n")
            self.out.append(first)
            for line in rest:
                self.line_break()
                self.out.append(line)
        else:
            self.out.append(_SPACES.sub(" ", raw))

    def line_break(self, *, paragraph: bool = False) -> None:
        text = "".join(self.out)
        line = text.rstrip() if self.preformatted else _SPACES.sub(" ", text).strip()
        self.out = []
        if line or self.preformatted:
            self.lines.append((self.depth, line))
        if paragraph and self.lines and self.lines[-1][1]:
            self.lines.append((self.depth, ""))

    def text(self) -> str:
        self.line_break()
        marked = [f"{'>' * depth} {line}".rstrip() if depth else line for depth, line in self.lines]
        return _UNSTORABLE.sub("\ufffd", "\n".join(marked).strip("\n"))
