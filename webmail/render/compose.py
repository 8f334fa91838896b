"""HTML on its way into and out of the composer.

The composer lives in the application's own page, so what it is given passes the stricter ``quote`` profile: no style
blocks, classes, ids or names, nothing from other servers. What it posts passes the same lists again before it is sent.
"""

from collections.abc import Mapping
from html import escape

from webmail.render.attributes import AttributeFilter
from webmail.render.html import MAX_FALLBACK, clean_tree
from webmail.render.plain import html_to_text
from webmail.render.scan import MAX_LENGTH, scan
from webmail.render.urls import content_id, tidy, web_host
from webmail.render.values import CleanHtml, Policy

_QUOTE_STYLE = "margin:0 0 0 0.8ex;border-left:2px solid #cfd6d6;padding-left:1ex"


class _OutgoingFilter(AttributeFilter):
    """As for quotes, but pictures that the writer put in may also come from https."""

    def _picture(self, value: str) -> str | None:
        url = tidy(value)
        if web_host(url):
            return url if url[:6].lower() == "https:" else None
        cid = content_id(url)
        return "cid:" + cid if cid else None


def clean_for_editor(html: str) -> str:
    """A received or saved body as the editor may hold it; pictures of the message keep their ``cid:`` URLs."""
    return _clean(html, AttributeFilter(_editor_policy()))


def clean_outgoing(html: str) -> str:
    """What the editor posted as it may be sent: markup that mail programs understand, ``cid:`` and https pictures."""
    return _clean(html, _OutgoingFilter(_editor_policy()))


class _QuoteFilter(AttributeFilter):
    """As for the editor; pictures of the message itself, relative in what was stored, are named by a content id."""

    def __init__(self, pictures: Mapping[str, str]) -> None:
        super().__init__(_editor_policy())
        self._pictures = pictures

    def _picture(self, value: str) -> str | None:
        cid = self._pictures.get(value)
        return "cid:" + cid if cid else None


def with_own_pictures(html: str, pictures: Mapping[str, str]) -> str:
    """A stored body for the editor. ``pictures``: content ids to give, by the relative URL (``c/2``) they stand for."""
    return _clean(html, _QuoteFilter(pictures))


def quote_html(clean: CleanHtml, attribution: str, *, pictures: Mapping[str, str] | None = None) -> str:
    """The body of a message as a quote to answer below or above; ``attribution`` is plain text ("Ann wrote:")."""
    quoted = with_own_pictures(clean.html, pictures or {})
    return f'<p>{escape(attribution)}</p><blockquote type="cite" style="{_QUOTE_STYLE}">{quoted}</blockquote>'


def _editor_policy() -> Policy:
    return Policy(cid_url=lambda cid: "cid:" + cid, profile="quote")


def _clean(html: str, judge: AttributeFilter) -> str:
    html = html[:MAX_LENGTH].encode("utf-8", "replace").decode()
    cleaned = None if scan(html).excess else clean_tree(html, judge, profile="quote", follow=False)
    if cleaned is not None:
        return cleaned
    lines = html_to_text(html)[:MAX_FALLBACK].split("\n")
    return "".join(f"<div>{escape(line) or '<br>'}</div>" for line in lines)


def quote_plain(text: str, attribution: str) -> str:
    """Plain text as a quote: a line stays a line, and what was quoted in it stands in quotes of its own."""
    return (
        f'<p>{escape(attribution)}</p><blockquote type="cite" style="{_QUOTE_STYLE}">{plain_lines(text)}</blockquote>'
    )


def plain_lines(text: str) -> str:
    """Plain text as the editor's lines; ``>`` at their beginning becomes nesting, at most nine deep."""
    out: list[str] = []
    depth = 0
    for line in text[:MAX_FALLBACK].rstrip().split("\n"):
        marks, words = _unquoted(line)
        wanted = min(marks, 9)
        out += ["</blockquote>"] * (depth - wanted)
        out += [f'<blockquote type="cite" style="{_QUOTE_STYLE}">'] * (wanted - depth)
        depth = wanted
        out.append(f"<div>{escape(words) or '<br>'}</div>")
    return "".join(out) + "</blockquote>" * depth


def _unquoted(line: str) -> tuple[int, str]:
    """How often the line was quoted, and its words."""
    marks, rest = 0, line
    while rest.startswith((">", " >")):
        rest = rest.lstrip(" ")[1:]
        marks += 1
    return marks, rest.removeprefix(" ") if marks else line
