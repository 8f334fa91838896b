"""A second opinion on cleaned HTML: its own parser and its own lists, written as what must never be there."""

import re
from html.parser import HTMLParser

from webmail.render.values import CleanHtml
from webmail.render.wordlist import words

FORBIDDEN_TAGS = words(
    """script style svg math template noscript xmp iframe object embed applet form input button select option textarea
    dialog base meta link frame frameset video audio source track title plaintext noembed noframes portal map area
    marquee body html head"""
)
FORBIDDEN_ATTRIBUTES = re.compile(
    r"on|hx-|data-|x-|v-|@|:|_|aria-|xmlns|xlink|formaction|action$|srcset|srcdoc|background|poster|ping|lowsrc|dynsrc"
    r"|longdesc|name$|nonce|is$|slot|usemap|cite|manifest|profile|contenteditable|tabindex|accesskey|autofocus|popover"
)
LINK = re.compile(r"(?:https?://[^/]|mailto:|tel:)", re.IGNORECASE)
PICTURE = re.compile(r"https://own\.test/[ci]/|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*\Z")
CSS = re.compile(
    r"url|image\(|image-set|cross-fade|var\(|attr\(|env\(|paint\(|element\(|src\(|expression|font-face|binding"
    r"|behavior|position\s*:\s*(?:fixed|sticky|absolute)|z-index|transform|translate|animation|transition|content\s*:"
    r"|cursor|filter|mask|clip|\\|<|--|[dls]?v(?:h|max|min)\b|margin[a-z-]*:[^;}]*(?:-\d|calc)|@(?!media)",
    re.IGNORECASE,
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN_TAGS or not re.fullmatch("[a-z][a-z0-9]*", tag):
            self.found.append(f"tag {tag}")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if FORBIDDEN_ATTRIBUTES.match(name):
            self.found.append(f"attribute {name}")
        if name == "href" and not (tag == "a" and LINK.match(value)):
            self.found.append(f"href {value}")
        if name == "src" and not (tag == "img" and PICTURE.match(value)):
            self.found.append(f"src {value}")
        if name == "style" and CSS.search(value):
            self.found.append(f"style {value}")
        if name == "id" and not value.startswith("m-"):
            self.found.append(f"id {value}")
        if name == "class" and re.search(r"(?:^|\s)(?:m-|htmx|hx-)", value):
            self.found.append(f"class {value}")
        if name == "target" and value != "_blank":
            self.found.append(f"target {value}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"instruction {data}")


def objections(clean: CleanHtml) -> list[str]:
    """What should not be in a cleaned body, in words; empty when all is well."""
    reader = _Reader()
    reader.feed(clean.html)
    reader.close()
    found = reader.found
    if match := CSS.search(clean.stylesheet):
        found.append(f"stylesheet {match[0]} in {clean.stylesheet}")
    return found


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[tuple[object, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.nodes.append((tag, *sorted((name, value or "") for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.nodes.append(("/", tag))

    def handle_data(self, data: str) -> None:
        self.nodes.append(("text", data))


def tree(html: str) -> list[tuple[object, ...]]:
    """The nodes of cleaned HTML in order, attributes sorted, since nh3 writes them in any order."""
    reader = _Tree()
    reader.feed(html)
    reader.close()
    return reader.nodes
