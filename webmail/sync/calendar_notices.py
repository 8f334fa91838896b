"""The row by which older messages about an event are found out of date (RFC 5546 section 2.1.5)."""

from collections.abc import Mapping
from typing import Any

from webmail.models import CalendarNotice, Message
from webmail.models.calendar_notice import event_key

_COUNT = ("REQUEST", "CANCEL")


def record(message: Message, told: Mapping[str, Any]) -> None:
    """Keeps what the message's invitation says, ``told`` as by ``sync.invitation``, in the caller's transaction."""
    if told.get("method") not in _COUNT or not told.get("organiser"):
        CalendarNotice.objects.filter(message=message).delete()
        return
    CalendarNotice.objects.update_or_create(
        message=message,
        defaults={
            "account_id": message.account_id,
            "key": event_key(told["uid"], told["organiser"]["address"]),
            "sender": message.from_address.lower()[:500],
            "recurrence_id": told["recurrence_id"],
            "sequence": told["sequence"],
            "stamp": told["stamp"],
            "cancels": told["method"] == "CANCEL" or told["status"] == "CANCELLED",
        },
    )
