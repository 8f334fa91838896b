"""One message on paper: who wrote it to whom and when, then its cleaned body, as a document of its own.

Invariants: as for ``document``: the body stands in it byte for byte, and the only script is the wrapper's, which opens
what is folded and asks the browser to print. What stands above the body is escaped here.
"""

from collections.abc import Iterable
from html import escape

from webmail.render.document_style import stylesheet
from webmail.render.headers import check_nonce, frame_headers
from webmail.render.values import CleanHtml

_SCRIPT = """
addEventListener("load", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  print();
});
"""
_STYLE = """
#m-head{margin:0 0 16px;padding:0 0 12px;border-bottom:1px solid #ccc;color:#1a2021;
font:13px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
#m-head h1{margin:0 0 8px;font-size:19px;line-height:1.3;overflow-wrap:anywhere}
#m-head dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 16px;margin:0}
#m-head dt{color:#5e6869}
#m-head dd{margin:0;overflow-wrap:anywhere;unicode-bidi:plaintext}
#m-sheet{padding:24px;max-width:900px}
.m-quote>summary{display:none}
@media print{#m-sheet{padding:0;max-width:none}#paper{overflow:visible}}
"""


def print_document(
    clean: CleanHtml, *, subject: str, lines: Iterable[tuple[str, str]], nonce: str, lang: str, direction: str
) -> str:
    """The whole document, to be sent with ``print_headers`` of the same nonce. ``lines`` are label and text, plain."""
    head = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in lines)
    style = stylesheet(theme="light", paper=False, quote_label="")
    return (
        f'<!DOCTYPE html><html lang="{escape(lang)}" dir="{escape(direction)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer"><title>{escape(subject)}</title>'
        f"<style>{style}</style><style>{clean.stylesheet}</style><style>{_STYLE}</style>"
        f'<script nonce="{check_nonce(nonce)}">{_SCRIPT}</script></head><body><div id="m-sheet">'
        f'<header id="m-head"><h1 dir="auto">{escape(subject)}</h1><dl>{head}</dl></header>'
        f'<div id="paper" class="m-body" dir="auto">{clean.html}</div></div></body></html>'
    )


def print_headers(*, nonce: str, app_origin: str, content_origin: str, remote: bool, path: str) -> dict[str, str]:
    """Those of a message's frame; its sandbox, the last directive, lets the wrapper open the browser's dialog."""
    found = frame_headers(nonce=nonce, app_origin=app_origin, content_origin=content_origin, remote=remote, path=path)
    return found | {"Content-Security-Policy": found["Content-Security-Policy"] + " allow-modals"}
