"""The document that stands in the message frame: a constant wrapper around a cleaned body.

Invariants: the wrapper's only script is its own, under the response's nonce; what the sanitizer returned stands in it
byte for byte; the frame tells the application one number, its height, and nothing else. Ids of the wrapper never begin
with ``m-``, ids of mail always do.
"""

import re
from html import escape
from typing import Literal

from webmail.render.document_style import stylesheet
from webmail.render.headers import check_nonce, check_origin, download_headers, frame_headers
from webmail.render.values import CleanHtml

__all__ = ["MAX_HEIGHT", "download_headers", "frame_document", "frame_headers"]

Theme = Literal["light", "dark", "auto"]
Direction = Literal["ltr", "rtl", "auto"]

# The application clamps the reported height to this many CSS pixels; the rest of a longer message scrolls.
MAX_HEIGHT = 20_000

_LANG = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}\Z")

# Height: at most 200 reports, so that no message can keep the application busy; told again when the page asks, since a
# frame may be ready before the page listens. Width: what is much too wide loses its fixed widths, and what is still too
# wide after that is made smaller, down to a third; the rest scrolls. Folding: the quote at the end of an HTML mail
# moves into <details>.
_SCRIPT = """
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement, paper = document.getElementById("paper");
  if (!paper) return;
  const quote = paper.querySelector(
    ".gmail_quote,.protonmail_quote,.yahoo_quoted,blockquote[type=cite],#m-appendonsend,#m-divRplyFwdMsg");
  const said = (change) => {
    const range = document.createRange(); range.selectNodeContents(paper); change(range);
    return range.toString().trim() !== "";
  };
  if (quote && !quote.closest("details") && said((range) => range.setEndBefore(quote))) {
    const moved = [quote], before = quote.previousElementSibling;
    if (quote.id) for (let next = quote; (next = next.nextSibling);) moved.push(next);
    if (before && before.matches(".moz-cite-prefix")) moved.unshift(before);
    if (quote.id || !said((range) => range.setStartAfter(quote))) {
      const fold = document.createElement("details");
      fold.className = "m-quote";
      fold.append(document.createElement("summary"));
      moved[0].before(fold);
      fold.append(...moved);
    }
  }
  let last = 0, left = 200;
  const report = () => {
    const h = Math.ceil(root.getBoundingClientRect().height);
    if (h !== last && left-- > 0) parent.postMessage({ h: (last = h) }, APP);
  };
  const fit = () => {
    const room = root.clientWidth, needed = () => paper.scrollWidth / room;
    paper.style.zoom = "";
    paper.classList.remove("m-narrow");
    if (room > 0 && needed() > 1.3) paper.classList.add("m-narrow");
    for (let zoom = 1, more = 3; room > 0 && more-- && paper.scrollWidth > paper.clientWidth + 1 && zoom > 0.35;)
      paper.style.zoom = String(zoom = Math.max(0.35, zoom * paper.clientWidth / paper.scrollWidth));
    report();
  };
  new ResizeObserver(report).observe(root);
  addEventListener("resize", fit);
  addEventListener("load", fit);
  paper.addEventListener("toggle", fit, true);
  addEventListener("message", (event) => { if (event.source === parent) { last = 0; report(); } });
  fit();
});
"""


def frame_document(
    clean: CleanHtml,
    *,
    nonce: str,
    app_origin: str,
    theme: Theme,
    paper: bool,
    lang: str = "",
    direction: Direction = "auto",
    quote_label: str = "Show quoted text",
) -> str:
    """The whole document of one message, to be sent with ``frame_headers`` of the same nonce.

    ``paper`` keeps the mail on light paper whatever the theme (right for ``clean.designed``, and when the reader asks);
    without it the theme's colours replace the mail's own in the dark. The label is read by assistive technology and
    comes translated. ValueError for an unfit nonce or origin.
    """
    script = _SCRIPT.replace("APP", f'"{check_origin(app_origin)}"', 1)
    attributes = f' lang="{lang}"' if _LANG.match(lang) else ""
    style = stylesheet(theme=theme, paper=paper, quote_label=quote_label)
    return (
        f'<!DOCTYPE html><html{attributes} dir="{escape(direction)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title></title><style>{style}</style><style>{clean.stylesheet}</style>"
        f'<script nonce="{check_nonce(nonce)}">{script}</script></head>'
        f'<body><div id="paper" class="m-body">{clean.html}</div></body></html>'
    )
