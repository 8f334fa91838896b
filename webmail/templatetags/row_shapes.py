"""Rows of a list, filled into shapes.

A list page is mostly fifty rows, and a template engine would spend most of the page's time on them. So
``mail/_row_shape.html`` is rendered once for each kind of row (unread, starred, with attachment, …) in each language,
with a mark where a value belongs; a row is then its kind's literal pieces with its own values between them. Every value
is escaped here, before it meets markup: the template never sees mail.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import TypeAlias
from weakref import WeakKeyDictionary

from django.template import Context, Template
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext

from webmail.queries.values import Row

MOST_SHAPES = 2000
_MARK = re.compile("\ue000([a-z_]+)\ue001")

Kind: TypeAlias = "tuple[bool, ...]"


@dataclass(frozen=True, slots=True)
class Shape:
    """Literal pieces and, between each two of them, the name of a value."""

    first: str
    rest: tuple[tuple[str, str], ...]  # (value's name, the piece after it)

    def fill(self, values: dict[str, str]) -> SafeString:
        pieces = [self.first]
        for name, piece in self.rest:
            pieces += (values[name], piece)
        return SafeString("".join(pieces))


_FLAGS = ("unread", "starred", "attachment", "answered", "forwarded", "invite", "pending")
_TEXTS = ("group", "folder", "lang")
_KINDS = (*_FLAGS, *_TEXTS, "counted", "chip", "more_chips", "draft", "selected", "left")
_VALUES = (
    *("key", "mailbox_id", "epoch", "url", "avatar", "when", "senders", "subject", "subject_html"),
    *("snippet_html", "count", "count_words", "chip_hue", "chip_name", "chips_left", "left_words"),
)
_shapes: "WeakKeyDictionary[Template, dict[tuple[str | None, Kind], Shape]]" = WeakKeyDictionary()


def kind_of(row: Row, *, selected: bool) -> Kind:
    """What decides about a row's markup; everything else about it is a value."""
    return (
        row.unread,
        row.starred,
        row.attachment,
        row.answered,
        row.forwarded,
        row.invite,
        row.pending,
        bool(row.group),
        bool(row.folder),
        bool(row.lang),
        row.count > 1,
        bool(row.chips),
        len(row.chips) > 1,
        bool(row.draft_id),
        selected,
        bool(row.left_on_server),
    )


def shape(template: Template, kind: Kind) -> Shape:
    """The template's shape for this kind of row in the language of the page."""
    known = _shapes.setdefault(template, {})
    key = (get_language(), kind)
    found = known.get(key)
    if found is None:
        if len(known) >= MOST_SHAPES:
            known.clear()
        found = known[key] = _cut(template.render(Context({"row": _marked(kind)})))
    return found


def _marked(kind: Kind) -> dict[str, object]:
    """The ``row`` that the template sees: truths as they are, a mark for each value."""
    row: dict[str, object] = dict(zip(_KINDS, kind, strict=True))
    row |= {name: _mark(name) for name in _VALUES}
    return row | {name: _mark(name) if row[name] else "" for name in _TEXTS}


def _mark(name: str) -> SafeString:
    return SafeString(f"\ue000{name}\ue001")


def _cut(text: str) -> Shape:
    first, *rest = _MARK.split(text)
    return Shape(first, tuple(zip(rest[::2], rest[1::2], strict=True)))


def values_of(row: Row, *, avatar: str, when: str, size: str = "") -> dict[str, str]:
    """The row's values as markup. ``avatar`` and ``when`` are markup already; ``size`` is of what is left there."""
    subject = escape(row.subject or gettext("(no subject)"))
    values = {
        "key": row.key,
        "mailbox_id": str(row.mailbox_id),
        "epoch": str(int(row.when.timestamp())),
        "url": escape(row.url),
        "avatar": avatar,
        "when": when,
        "senders": escape(row.senders or row.avatar_address),
        "subject": subject,
        "subject_html": _marked_words(row.subject_marks) or subject,
        "snippet_html": _marked_words(row.snippet_marks) or escape(row.snippet),
        "group": escape(row.group),
        "folder": escape(row.folder),
        "lang": escape(row.lang),
    }
    if row.count > 1:
        values["count"] = str(row.count)
        values["count_words"] = ngettext("%(n)d message", "%(n)d messages", row.count) % {"n": row.count}
    if row.left_on_server:
        values["left_words"] = escape(gettext("%s, not downloaded yet") % size)
    if row.chips:
        values["chip_hue"] = str(row.chips[0].hue)
        values["chip_name"] = escape(row.chips[0].name)
        values["chips_left"] = str(len(row.chips) - 1)
    return values


def _marked_words(pieces: tuple[tuple[str, bool], ...]) -> str:
    return "".join(f"<mark>{escape(piece)}</mark>" if hit else escape(piece) for piece, hit in pieces)
