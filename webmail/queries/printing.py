"""What stands on a printed message; asked with the person's id, because the document carries no session."""

import zoneinfo
from dataclasses import dataclass

from django.utils import formats, timezone, translation
from django.utils.translation import gettext

from accounts.models import User
from webmail.models import Message
from webmail.render.values import CleanHtml

from . import frames, offered

_FIELDS = (("from", "From"), ("to", "To"), ("cc", "Cc"))
_MOST = 100  # addresses of one field


@dataclass(frozen=True, slots=True)
class Sheet:
    """``lines`` are (label, text), in the person's language."""

    subject: str
    lines: tuple[tuple[str, str], ...]
    clean: CleanHtml
    language: str
    direction: str


def sheet(user_id: int, message_id: int, *, remote: bool) -> Sheet | None:
    """The message's sheet once its text is here; None for what is not, or not theirs."""
    body = frames.body(user_id, message_id, remote=remote)
    message = Message.objects.select_related("account__user", "body").filter(pk=message_id).first()
    if body is None or message is None:
        return None
    user = message.account.user
    with translation.override(user.language), timezone.override(_zone(user)):
        return Sheet(
            subject=message.subject or gettext("(no subject)"),
            lines=_lines(message),
            clean=body.clean,
            language=user.language,
            direction="rtl" if translation.get_language_bidi() else "ltr",
        )


def _lines(message: Message) -> tuple[tuple[str, str], ...]:
    when = timezone.localtime(message.sent_at or message.received_at)
    lines = [(gettext(label), _people(message.people.get(field, []))) for field, label in _FIELDS]
    lines.append((gettext("Date"), formats.date_format(when, "DATETIME_FORMAT")))
    files = [part["filename"] or gettext("attachment") for part in offered.files(message.body)]
    lines.append((gettext("Attachments"), ", ".join(files)))
    return tuple((label, text) for label, text in lines if text)


def _people(pairs: list[list[str]]) -> str:
    shown = [f"{name} <{address}>" if name else address for name, address, *_ in pairs[:_MOST]]
    return ", ".join(shown) + (" …" if len(pairs) > _MOST else "")


def _zone(user: User) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(user.time_zone)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        return zoneinfo.ZoneInfo("UTC")
