"""Cells of the panel's lists: states as pills, spans in words. Everything is escaped by ``format_html``."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from accounts.queries.account_words import Pill, lasting


def pill(state: Pill) -> SafeString:
    return format_html('<span class="pill {}">{}</span>', state.level, state.words)


def moment(at: datetime) -> SafeString:
    """The date and the minute."""
    local = timezone.localtime(at)
    words = formats.date_format(local, pgettext("date and minute, Django date format", "j M Y H:i"))
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), words)


def since(moment: datetime | None, none: str = "—") -> SafeString:
    """How long ago, with the full time as a title."""
    if moment is None:
        return format_html("{}", none)
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S}",
        lasting(abs(timezone.now() - moment)),
    )


def words_of_server(line: str, trouble: str = "") -> SafeString:
    """The trouble in words, with the server's own line below where it said one."""
    if not line:
        return format_html('<span class="{}">{}</span>', "" if trouble else "none", trouble or "—")
    said = format_html('<code class="said cut" title="{}">{}</code>', line, line)
    return format_html("{}<br>{}", trouble, said) if trouble else said
