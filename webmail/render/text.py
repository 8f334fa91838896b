"""Plain text to HTML: escaped, its addresses linked, its quotes nested and foldable (RFC 3676 quoting and signatures).

Invariant: taking the tags out and decoding the entities gives the text back, character for character. Soft-wrapped
text (format=flowed) arrives already unfolded.
"""

import re
from html import escape

from webmail.render.linkify import linkify
from webmail.render.text_parts import Parts, find_parts
from webmail.render.values import CleanHtml, Link, Problem

MAX_TEXT = 1_000_000
MAX_QUOTE_DEPTH = 12

_QUOTE = re.compile(r"(?:> ?)+")


def encodable(text: str) -> str:
    """``text`` without the lone surrogates that UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def plain_to_html(text: str) -> CleanHtml:
    """A plain-text body for the frame document. Of more than 1 MB the beginning is shown (``problem`` "cut")."""
    text = encodable(text)
    problem: Problem = "cut" if len(text) > MAX_TEXT else ""
    *ended, last = text[:MAX_TEXT].split("\n")
    lines = [line + "\n" for line in ended] + [last]
    links: list[Link] = []
    return CleanHtml(html=_body(lines, find_parts(lines), links), problem=problem, links=tuple(links))


def _body(lines: list[str], parts: Parts, links: list[Link]) -> str:
    own = _quoted(lines[: parts.signature], links)
    signature = _quoted(lines[parts.signature : parts.tail], links)
    tail = _quoted(lines[parts.tail : parts.end], links)
    last = _quoted(lines[parts.end :], links)
    return (
        '<div class="m-text">'
        + own
        + (f'<div class="m-signature">{signature}</div>' if signature else "")
        + (f'<details class="m-quote"><summary></summary>{tail}</details>' if tail else "")
        + (f'<div class="m-signature">{last}</div>' if last else "")
        + "</div>"
    )


def _quoted(lines: list[str], links: list[Link]) -> str:
    """Lines as nested blockquotes; their marks stay in the text, hidden by the frame's style."""
    pieces: list[str] = []
    plain: list[str] = []
    depth = 0
    for line in lines:
        mark = _QUOTE.match(line)
        level = min(mark[0].count(">"), MAX_QUOTE_DEPTH) if mark else 0
        if level != depth or mark:
            pieces.append(linkify("".join(plain), links))
            plain.clear()
        pieces.append("<blockquote>" * (level - depth) + "</blockquote>" * (depth - level))
        depth = level
        if mark:
            pieces.append(f'<span class="m-mark">{escape(mark[0])}</span>' + linkify(line[mark.end() :], links))
        else:
            plain.append(line)
    pieces.append(linkify("".join(plain), links))
    return "".join(pieces) + "</blockquote>" * depth
