"""The line of text a list shows under the subject. Pure, total, linear."""

import re
import unicodedata
from typing import Final

from webmail.mime.html_text import html_to_text
from webmail.mime.text import safe_line

__all__ = ["html_to_text", "snippet"]

_MAX_INPUT = 16_384  # characters looked at
_URL: Final = re.compile(r"[<(\[]?\b(?:https?://|www\.|mailto:)[^\s<>()\[\]]+[>)\]]?", re.IGNORECASE)
_CSS_RULE: Final = re.compile(r"[^{}\n;]{0,120}\{[^{}]{0,2000}\}")
_RULER: Final = re.compile(r"[-_=*~#.\u2500\u2501\u2014]{4,}")
_REFERENCE: Final = re.compile(r"\[(?:image|cid|inline)[:\s][^\]\n]{0,200}\]", re.IGNORECASE)
_JOINERS: Final = "[\u200c\u200d\u034f\u2060\ufeff\u200b\xad]"
_PADDING: Final = re.compile(rf"(?<=\s){_JOINERS}+|(?<!{_JOINERS}){_JOINERS}++(?=\s|\Z)")  # joins nothing: padding
_BLANKS: Final = re.compile(r"\s+")
_JOINER = "\u200d"


def snippet(text: str, *, length: int = 160) -> str:
    """At most `length` characters of what is new in `text`, on one line, never cut inside a visible character.

    Quotes, the line announcing them, the signature, addresses of pages, style sheets and invisible padding are left
    out; a message that is nothing but a quote shows the quote.
    """
    text = text[:_MAX_INPUT].replace("\r", "")
    own = _own_words(text)
    shown = _squeeze(own[: length * 8])
    if len(shown) <= length:  # the beginning was mostly noise: look at all of it
        shown = _squeeze(own) or _squeeze("\n".join(line.lstrip("> ") for line in text.split("\n")))
    return _shorten(shown, length)


def _own_words(text: str) -> str:
    kept: list[str] = []
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith(">"):
            if kept and kept[-1].endswith((":", "：")):  # "On Monday, somebody wrote:"
                kept.pop()
        elif line.rstrip("\r") == "-- " or (stripped.startswith("-----") and stripped.strip("-").strip()):
            break  # the signature, or "-----Original Message-----"
        elif stripped:
            kept.append(stripped)
    return "\n".join(kept)


def _squeeze(text: str) -> str:
    if "{" in text and "}" in text:
        text = _CSS_RULE.sub(" ", text)
    for pattern in (_URL, _REFERENCE, _RULER, _PADDING):
        text = pattern.sub(" ", text)
    return safe_line(_BLANKS.sub(" ", text))


def _shorten(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    cut = length - 1  # room for the ellipsis
    while cut > 0 and _joins(text[cut - 1], text[cut]):
        cut -= 1
    space = text.rfind(" ", cut - 20, cut + 1)
    return text[: space if space > 0 else cut].rstrip() + "…"


def _joins(left: str, right: str) -> bool:
    """Whether cutting between the two would break a character as people see it."""
    if _JOINER in (left, right) or unicodedata.category(right).startswith("M"):
        return True
    is_flag = "\U0001f1e6" <= right <= "\U0001f1ff" and "\U0001f1e6" <= left <= "\U0001f1ff"
    return is_flag or "\U0001f3fb" <= right <= "\U0001f3ff" or "\U000e0020" <= right <= "\U000e007f"
