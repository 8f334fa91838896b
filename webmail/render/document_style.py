"""The frame document's own style. ``:where`` keeps its weight at nothing, so that a mail's rules win; what must win
over a mail is named by the wrapper's id."""

import re

_BASE = """
html,body{margin:0;padding:0;background:transparent}
html{color-scheme:SCHEME;-webkit-text-size-adjust:100%;text-size-adjust:100%}
:where(.m-body){color:INK;background-color:SURFACE;padding:PADDING;overflow-wrap:break-word;
font:15px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
#paper{display:flow-root;box-sizing:border-box;max-width:100%;overflow-x:auto;overflow-y:hidden;min-height:1.6em}
:where(.m-body a){color:ACCENT}
:where(.m-body img){max-width:100%}
:where(.m-body img:not([height])){height:auto}
#paper img:not([src]){clip-path:inset(1px round 3px);
display:inline-block;box-sizing:border-box;min-width:0;overflow:hidden;vertical-align:middle;
position:relative;background:LINE!important;border-radius:3px;font:12.5px/1.5 system-ui,sans-serif!important}
#paper img:not([src])::after{content:attr(alt);position:absolute;inset:0;padding:3px 6px;overflow:hidden;
background:LINE;color:INK2}
:where(.m-body pre){white-space:pre-wrap;font-family:ui-monospace,monospace;font-size:13px}
:where(.m-body blockquote){margin:4px 0;padding-inline-start:12px;border-inline-start:2px solid BAR;color:INK2}
:where(.m-body hr){border:0;border-top:1px solid LINE}
.m-text{white-space:pre-wrap;unicode-bidi:plaintext;max-width:68ch}
.m-text blockquote{margin:0}
.m-text .m-mark{display:none}
.m-signature{color:INK3}
.m-quote>summary{list-style:none;display:inline-block;margin:8px 0;padding:0 8px 4px;border-radius:8px;
background:LINE;color:INK2;font:600 14px/14px system-ui,sans-serif;cursor:pointer;white-space:normal}
.m-quote>summary::-webkit-details-marker{display:none}
.m-quote>summary::before{content:"···" / QUOTELABEL}
.m-quote>summary:focus-visible{outline:2px solid ACCENT;outline-offset:2px}
@media (max-width:640px){
#paper img{max-width:100%!important}
#paper img:not([width="1"]){height:auto!important}
#paper table{max-width:100%!important}
}
#paper.m-narrow :is(table,tbody,tr,td,th,div,center,section,p,ul,ol){width:auto!important;min-width:0!important;
max-width:100%!important;white-space:normal!important}
#paper.m-narrow img{max-width:calc(100vw - 32px)!important;min-width:0!important;height:auto!important}
@media (prefers-reduced-motion:reduce){*{animation:none!important;transition:none!important}}
"""

# In the dark, ordinary mail keeps its words and gives up its colours.
_DARKEN = """
#paper{background:SURFACE!important;color:INK!important}
#paper :not(a,a *,img,.m-mark,summary){color:inherit!important;background:transparent!important;
border-color:LINE!important}
#paper a,#paper a *{color:ACCENT!important;background:transparent!important}
#paper.m-body blockquote{color:INK2!important;border-color:BAR!important}
"""

_COLOURS = {
    "SURFACE": ("#ffffff", "#171b1c"),
    "INK3": ("#5e6869", "#929d9e"),
    "INK2": ("#475051", "#b7c0c1"),
    "INK": ("#1a2021", "#e8ecec"),
    "ACCENT": ("#0a6370", "#7accd6"),
    "LINE": ("#e4e8e8", "#282f30"),
    "BAR": ("#cfd6d6", "#3a4344"),
}
_NAMES = re.compile("|".join([*_COLOURS, "SCHEME", "PADDING", "QUOTELABEL"]))


def stylesheet(*, theme: str, paper: bool, quote_label: str) -> str:
    """CSS for one document. ``theme`` is light, dark or auto (the reader's system decides)."""
    scheme = "light" if paper else {"dark": "dark", "light": "light"}.get(theme, "light dark")
    values = {name: f"light-dark({light},{dark})" for name, (light, dark) in _COLOURS.items()}
    values |= {"SCHEME": scheme, "PADDING": "12px" if paper else "0", "QUOTELABEL": _string(quote_label)}
    css = _BASE
    if scheme == "dark":
        css += _DARKEN
    elif scheme == "light dark":
        css += "@media (prefers-color-scheme:dark){" + _DARKEN + "}"
    return _NAMES.sub(lambda match: values[match[0]], css)


def _string(text: str) -> str:
    """``text`` as a CSS string in which nothing can end the string or the style element."""
    return '"' + re.sub(r"[^\w .,]", lambda match: f"\\{ord(match[0]):x} ", text[:200]) + '"'
