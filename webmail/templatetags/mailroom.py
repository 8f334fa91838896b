"""Tags and filters that every template may use without loading: icons, avatars, times, sizes, form controls.

Nothing here prints mail as HTML: names, subjects and file names are escaped like any other text. Rendered mail is shown
in its own frame and never passes through a tag of this module.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache

from django import template
from django.forms import BoundField
from django.template.loader import get_template
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from webmail.queries.values import NavAccount, Row
from webmail.templatetags import row_shapes
from webmail.templatetags.people import hue, initials

register = template.Library()

ICON_SIZES = (14, 16, 18, 20)


@register.simple_tag
def icon(name: str, size: int = 18, extra: str = "") -> SafeString:
    """One drawing of the sprite, hidden from assistive technology: the control around it carries the words."""
    if size not in ICON_SIZES:
        raise template.TemplateSyntaxError(f"icon size {size} is none of {ICON_SIZES}")
    return _icon(name, size, extra)


@lru_cache(maxsize=1000)
def _icon(name: str, size: int, extra: str) -> SafeString:
    return format_html(
        '<svg class="icon icon-{} i-{}{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        size,
        name,
        f" {extra}" if extra else "",
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def avatar(name: str, address: str, size: int = 32) -> SafeString:
    """Initials in a colour that belongs to the address. Decoration: the name stands beside it."""
    return _avatar(name, address, size)


@lru_cache(maxsize=5000)
def _avatar(name: str, address: str, size: int) -> SafeString:
    return format_html(
        '<span class="avatar avatar-{} hue-{}" aria-hidden="true">{}</span>',
        size,
        hue(address),
        initials(name, address),
    )


@register.simple_tag
def unchanging(template_name: str) -> str:
    """A template that needs no context, rendered once in each language: help texts and menus of every page."""
    return _unchanging(template_name, get_language() or "")


@lru_cache(maxsize=64)
def _unchanging(template_name: str, language: str) -> str:
    return get_template(template_name).render()


@register.simple_tag
def version_of(template_name: str, theme: str) -> str:
    """Stands in the address of a document that browsers keep: another one when it would be another document."""
    return _version_of(template_name, theme, get_language() or "")


@lru_cache(maxsize=200)
def _version_of(template_name: str, theme: str, language: str) -> str:
    document = get_template(template_name).render({"user": {"theme": theme}})
    return hashlib.sha256(f"{language} {document}".encode()).hexdigest()[:12]


@register.filter
def person_hue(address: str) -> int:
    """The bucket (0–35) of the colour that belongs to an address or a label."""
    return hue(address)


@register.simple_tag
def when(moment: datetime | None, style: str = "short") -> SafeString:
    """A `<time>`: 14:05 today, Tue within a week, 12 Nov this year, 2024 before; style "full" adds how long ago."""
    if moment is None:
        return SafeString("")
    local = timezone.localtime(moment)
    if style == "short":
        # without its zone: two moments are equal, and would share an entry, whatever clocks they are read from
        minute = local.replace(second=0, microsecond=0, tzinfo=None)
        rest = _short_words(minute, timezone.localdate(), get_language())
        return format_html('<time datetime="{}" {}</time>', local.isoformat(timespec="seconds"), rest)
    title, words = _whole_time(local), _full_time(local)
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), title, words)


@lru_cache(maxsize=20_000)
def _short_words(minute: datetime, today: date, language: str | None) -> SafeString:
    """The whole date as title, and the short one; ``language`` is the one that both are written in."""
    return format_html('title="{}">{}', _whole_time(minute), _short_time(minute, today))


def _clock(local: datetime) -> str:
    return formats.date_format(local, pgettext("clock time, Django date format", "H:i"))


def _short_time(local: datetime, today: date) -> str:
    days = (today - local.date()).days
    if days == 0:
        return _clock(local)
    if 0 < days < 7:
        return formats.date_format(local, "D")
    if local.year == today.year:
        return formats.date_format(local, pgettext("day and month, Django date format", "j M"))
    return str(local.year)


def _full_time(local: datetime) -> str:
    days = (timezone.localdate() - local.date()).days
    if days == 0:
        return f"{_clock(local)} · {_ago(local)}"
    if 0 < days < 7:
        return f"{formats.date_format(local, 'D')} {_clock(local)}"
    return f"{formats.date_format(local, pgettext('full date, Django date format', 'j M Y'))} {_clock(local)}"


def _whole_time(local: datetime) -> str:
    day = formats.date_format(local, pgettext("weekday and date, Django date format", "l, j F Y"))
    return f"{day}, {_clock(local)}"


def _ago(local: datetime) -> str:
    minutes = max(0, int((timezone.localtime() - local).total_seconds() // 60))
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return ngettext("%(count)s min ago", "%(count)s min ago", minutes) % {"count": minutes}
    hours = minutes // 60
    return ngettext("%(count)s h ago", "%(count)s h ago", hours) % {"count": hours}


@register.filter
def clock(moment: datetime | None) -> str:
    """14:05, or nothing."""
    return _clock(timezone.localtime(moment)) if moment else ""


@register.filter
def whole_time(moment: datetime | None) -> str:
    """Tuesday, 24 November 2026, 14:05, or nothing."""
    return _whole_time(timezone.localtime(moment)) if moment else ""


@register.filter
def number(value: int | None) -> str:
    """12,345, grouped as the reader's language groups."""
    return "" if value is None else formats.number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def size(octets: int | None) -> str:
    """340 KB, 2.1 MB: decimal steps as mail limits are stated; empty for an unknown size."""
    if octets is None:
        return ""
    if octets < 1000:
        return ngettext("%(count)s byte", "%(count)s bytes", octets) % {"count": octets}
    value, unit = octets / 1000, "KB"
    for larger in ("MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    places = 0 if unit == "KB" or value >= 100 else 1
    return f"{formats.number_format(round(value, places), places)}\u00a0{unit}"


@register.filter
def middle(text: str, longest: int = 28) -> str:
    """A file name cut in its middle, so that its beginning and its ending both stay readable."""
    if len(text) <= longest:
        return text
    tail = min(10, longest // 3)
    return f"{text[: longest - tail - 1].rstrip()}…{text[-tail:]}"


@register.simple_tag(takes_context=True)
def list_rows(context: template.Context, rows: Iterable[Row]) -> SafeString:
    """The lines of a list, each its kind's shape with its own values (see `row_shapes`)."""
    assert context.template is not None
    source = context.template.engine.get_template("mail/_row_shape.html")
    selected = context.get("selected_key")
    return format_html_join("", "{}", ((_list_row(source, row, selected=row.key == selected),) for row in rows))


def _list_row(source: template.Template, row: Row, *, selected: bool) -> SafeString:
    face = _avatar(row.avatar_name, row.avatar_address, 32)
    values = row_shapes.values_of(row, avatar=face, when=when(row.when), size=size(row.left_on_server))
    return row_shapes.shape(source, row_shapes.kind_of(row, selected=selected)).fill(values)


@register.filter
def epoch(moment: datetime | None) -> int:
    """Whole seconds since 1970, the key by which the list's rows are kept in order."""
    return int(moment.timestamp()) if moment else 0


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's widget dressed as a control; Django ties it to its hint and its errors."""
    kind = getattr(field.field.widget, "input_type", "")
    return field.as_widget(attrs={"class": "check" if kind in {"checkbox", "radio"} else "input"})


@register.filter
def is_current(account: NavAccount) -> bool:
    """Whether the folder being shown belongs to this account."""
    return any(folder.current for folder in account.folders)


@register.filter
def inbox_unread(account: NavAccount) -> int:
    """Unread in the account's inbox, for its line in the rail while its folders are folded away."""
    return sum(folder.unread for folder in account.folders if folder.role == "inbox")


@register.filter
def labels(host: str) -> list[str]:
    """A host name cut after its dots, where a line may end: ``bank.example`` gives ``bank.`` and ``example``."""
    return re.findall(r"[^.]*\.|[^.]+", host)


@register.filter
def pieces(text: str) -> list[str]:
    """A short fixed list written in a template: "from:|to:" gives two."""
    return text.split("|")
