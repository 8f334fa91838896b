"""Lists of messages one by one, for who does not want conversations: a keyset scan of Placement's index.

Columns are those of a page of conversations, so that both become lines in the same way.
"""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F
from django.urls import reverse

from webmail.models import Flag, Mailbox, Placement

_PAGE = """
SELECT line.thread_id, line.mailbox_id, line.received_at, (1 - (line.flags & 1)), line.flags, message.has_attachment,
       message.has_invite, 1, jsonb_build_array(jsonb_build_array(message.from_name, message.from_address)),
       message.subject, message.snippet, message.from_name, message.from_address, message.people, line.account_id,
       CASE WHEN message.extra -> 'not_downloaded' IS NULL THEN 0 ELSE message.size END, line.keywords,
       line.message_id, line.id
  FROM unnest(%s::bigint[]) AS box(id)
 CROSS JOIN LATERAL (
       SELECT * FROM webmail_placement AS entry
        WHERE entry.mailbox_id = box.id AND entry.state = 0 AND entry.flags & 32 = 0
          AND (entry.received_at, entry.id) < (%s, %s) {condition}
        ORDER BY entry.received_at DESC, entry.id DESC
        LIMIT %s) AS line
  JOIN webmail_message AS message ON message.id = line.message_id
 ORDER BY line.received_at DESC, line.id DESC
 LIMIT %s
"""
_CONDITIONS = {
    "": "",
    "unread": "AND entry.flags & 1 = 0",
    "starred": f"AND entry.flags & {int(Flag.FLAGGED)} > 0",
}


def records(ids: list[int], *, before: tuple[datetime, int], only: str, most: int) -> list[tuple[Any, ...]]:
    """The newest messages of the mailboxes older than ``before``, a date and a placement."""
    with connection.cursor() as cursor:
        cursor.execute(_PAGE.format(condition=_CONDITIONS[only]), [ids, *before, most, most])
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def neighbours(message_id: int, mailbox: Mailbox) -> tuple[str, str]:
    """Addresses of the next newer and the next older message in the mailbox, or "": two index look-ups."""
    rows = Placement.objects.filter(mailbox=mailbox, state=Placement.State.LIVE)
    live = rows.alias(deleted=F("flags").bitand(int(Flag.DELETED))).filter(deleted=0)
    here = live.filter(message=message_id).order_by("pk").values_list("received_at", "pk").first()
    if here is None:
        return "", ""
    at, key = here
    base = reverse("mail:mailbox", args=[mailbox.account_id, mailbox.pk])
    newer = live.filter(received_at__gte=at).exclude(received_at=at, pk__lte=key).order_by("received_at", "pk")
    older = live.filter(received_at__lte=at).exclude(received_at=at, pk__gte=key).order_by("-received_at", "-pk")
    found = (side.values_list("thread_id", "message_id").first() for side in (newer, older))
    first, second = (f"{base}{pair[0]}/{pair[1]}/" if pair else "" for pair in found)
    return first, second
