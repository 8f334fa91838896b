"""List pages: a keyset scan of MailboxThread's index, one query a page however large the mailbox."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts.models import User
from webmail.mime.addresses import parse_addresses
from webmail.mime.html_text import html_to_text
from webmail.mime.preview import snippet
from webmail.models import Draft, Flag, Mailbox, Message

from . import access, labels, singles
from .values import ListPage, Row

# One lateral scan per mailbox, merged: for a single mailbox this is a plain index range scan of 51 entries.
_PAGE = """
SELECT line.thread_id, line.mailbox_id, line.newest_at, line.unread_count, line.flags_any, line.has_attachment,
       line.has_invite, thread.message_count, thread.participants, thread.subject, message.snippet,
       message.from_name, message.from_address, message.people, line.account_id,
       CASE WHEN message.extra -> 'not_downloaded' IS NULL THEN 0 ELSE message.size END, line.keywords,
       0, line.thread_id
  FROM unnest(%s::bigint[]) AS box(id)
 CROSS JOIN LATERAL (
       SELECT * FROM webmail_mailboxthread AS entry
        WHERE entry.mailbox_id = box.id AND (entry.newest_at, entry.thread_id) < (%s, %s) {condition}
        ORDER BY entry.newest_at DESC, entry.thread_id DESC
        LIMIT %s) AS line
  JOIN webmail_thread AS thread ON thread.id = line.thread_id
  JOIN webmail_message AS message ON message.id = line.newest_message_id
 ORDER BY line.newest_at DESC, line.thread_id DESC
 LIMIT %s
"""
_OWN = """
SELECT identity.address
  FROM accounts_identity AS identity JOIN accounts_mailaccount AS account ON account.id = identity.account_id
 WHERE account.user_id = %s AND identity.verified_at IS NOT NULL AND identity.removed_at IS NULL
"""
_CONDITIONS = {
    "": "",
    "unread": "AND entry.unread_count > 0",
    "starred": f"AND (entry.flags_any & {int(Flag.FLAGGED)}) > 0",
}
FILTERS = frozenset(_CONDITIONS)
_END = (datetime(9999, 1, 1, tzinfo=UTC), 2**63 - 1)


def mailbox_page(user: User, mailbox: Mailbox, *, after: str = "", only: str = "") -> ListPage:
    """A page of one mailbox; ``after`` is the cursor that the page before it gave, ``only`` one of FILTERS."""
    base = reverse("mail:mailbox", args=[mailbox.account_id, mailbox.pk])
    outgoing = mailbox.role in (Mailbox.Role.SENT, Mailbox.Role.DRAFTS)
    records, older = _page(user, [mailbox.pk], after=after, only=only)
    own = own_addresses(user)
    rows = [_row(record, base=base, own=own, outgoing=outgoing, hues=user.label_hues) for record in records]
    if mailbox.role == Mailbox.Role.DRAFTS and not (after or only):
        local, shadows = _open_drafts(user, mailbox)
        rows = [*local, *(row for row in rows if row.thread_id not in shadows)]
    return ListPage(rows=tuple(with_groups(rows)), older=older)


def _open_drafts(user: User, mailbox: Mailbox) -> tuple[list[Row], set[int]]:
    """What is being written in this account, newest first, and the conversations that only hold server copies.

    The copy of a draft that was sent or discarded stays hidden too until a worker has removed it.
    """
    open_or_leaving = Q(closed_at=None) | Q(remote_uid__isnull=False) | ~Q(superseded_uids=[])
    known = Draft.objects.filter(open_or_leaving, user=user, account=mailbox.account_id).order_by("-updated_at")[:200]
    drafts = [draft for draft in known if draft.closed_at is None]
    ids = [draft.message_id for draft in known if draft.message_id]
    copies = Message.objects.filter(account=mailbox.account_id, message_id__in=ids, placements__mailbox=mailbox)
    shadows = set(copies.values_list("thread_id", flat=True)) if ids else set()
    compose = reverse("mail:compose")
    return [_draft_row(draft, url=f"{compose}?draft={draft.pk}", mailbox=mailbox) for draft in drafts], shadows


def _draft_row(draft: Draft, *, url: str, mailbox: Mailbox) -> Row:
    people = [[person.name, person.addr_spec] for person in parse_addresses(draft.to)]
    name, address = people[0] if people else ["", ""]
    words = sender_words(people, frozenset()) if people else ""
    return Row(
        thread_id=0,
        url=url,
        senders=gettext("To %s") % words if words else gettext("No recipient yet"),
        count=0,
        subject=draft.subject or gettext("(no subject)"),
        snippet=snippet(draft.text if draft.plain else html_to_text(draft.html)),
        when=draft.updated_at,
        unread=False,
        starred=False,
        attachment=False,
        answered=False,
        forwarded=False,
        invite=False,
        avatar_name=name,
        avatar_address=address,
        mailbox_id=mailbox.pk,
        draft_id=draft.pk,
    )


def unified_page(user: User, *, after: str = "", only: str = "") -> ListPage:
    """All inboxes of the person as one list."""
    ids = list(access.mailboxes(user).filter(role=Mailbox.Role.INBOX).values_list("pk", flat=True))
    return _merged(user, ids, after=after, only=only)


def starred_page(user: User, *, after: str = "") -> ListPage:
    aside = [Mailbox.Role.TRASH, Mailbox.Role.JUNK, Mailbox.Role.ALL]
    wanted = Q(labelled=True) | Q(label="") & ~Q(role__in=aside)  # of labels, what carries them all
    ids = list(access.mailboxes(user).filter(wanted).values_list("pk", flat=True))
    return _merged(user, ids, after=after, only="starred")


def own_addresses(user: User) -> frozenset[str]:
    with connection.cursor() as cursor:
        cursor.execute(_OWN, [user.pk])
        return frozenset(address.lower() for (address,) in cursor.fetchall())


def with_groups(rows: Iterable[Row]) -> list[Row]:
    """The rows with a date heading on the first of each group."""
    today, last, out = timezone.localdate(), "", []
    for row in rows:
        heading = date_heading(timezone.localdate(row.when), today)
        out.append(row if heading == last else replace(row, group=heading))
        last = heading
    return out


def date_heading(day: date, today: date) -> str:
    days = (today - day).days
    if days <= 0:
        return gettext("Today")
    if days == 1:
        return gettext("Yesterday")
    if days < 7:
        return gettext("This week")
    if (day.year, day.month) == (today.year, today.month):
        return gettext("Earlier this month")
    if (day.year, day.month) == previous_month(today):
        return gettext("Last month")
    return date_format(day, "F Y") if day.year != today.year else date_format(day, "F")


def previous_month(today: date) -> tuple[int, int]:
    before = today.replace(day=1) - timedelta(days=1)
    return before.year, before.month


def sender_words(participants: Sequence[Sequence[str]], own: frozenset[str]) -> str:
    """ "Amara, Tomasz, me" for several people, the whole name for one."""
    names = [gettext("me") if address.lower() in own else name or address for name, address in participants]
    if not any(names):
        return gettext("No sender")
    if len(names) == 1:
        return names[0] if names[0] != gettext("me") else gettext("Me")
    return ", ".join(dict.fromkeys(_short(name) for name in names[:4]))


def _short(name: str) -> str:
    first = name.split(" ", 1)[0].rstrip(",") if "@" not in name else name.split("@", 1)[0]
    return first or name


def _merged(user: User, ids: list[int], *, after: str, only: str) -> ListPage:
    records, older = _page(user, ids, after=after, only=only)
    own = own_addresses(user)
    seen: set[int] = set()
    rows = []
    for record in records:
        one = record[17] or record[0]
        if one not in seen:  # a conversation in two of the mailboxes stands once
            seen.add(one)
            base = reverse("mail:mailbox", args=[record[14], record[1]])
            rows.append(_row(record, base=base, own=own, hues=user.label_hues))
    return ListPage(rows=tuple(with_groups(rows)), older=older)


def _page(user: User, ids: list[int], *, after: str, only: str) -> tuple[list[tuple[Any, ...]], str]:
    """Records of conversations or of messages, as the person wants their lists."""
    size: int = settings.MAILROOM["LIST_PAGE"]
    at, key = parse_cursor(after) or _END
    if user.conversations:
        with connection.cursor() as cursor:
            cursor.execute(_PAGE.format(condition=_CONDITIONS[only]), [ids, at, key, size + 1, size + 1])
            records = cursor.fetchall()
    else:
        records = singles.records(ids, before=(at, key), only=only, most=size + 1)
    older = make_cursor(records[size - 1][2], records[size - 1][18]) if len(records) > size else ""
    return records[:size], older


def make_cursor(at: datetime, key: int) -> str:
    micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}-{key}"


def parse_cursor(text: str) -> tuple[datetime, int] | None:
    """The cursor's place, or None for anything that is not one: a list then begins at its top."""
    micros, _, key = text.rpartition("-")
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))
        number = int(key)
    except (ValueError, OverflowError):
        return None
    return (at, number) if 0 <= number < 2**63 else None


def _row(
    record: tuple[Any, ...], *, base: str, own: frozenset[str], hues: Mapping[str, int], outgoing: bool = False
) -> Row:
    (thread_id, mailbox_id, at, unread, flags, attachment, invite, count, participants, subject, snippet) = record[:11]
    from_name, from_address, people = record[11:14]
    participants = _json(participants)
    if outgoing:
        people = _json(people)
        recipients = people.get("to", []) + people.get("cc", []) + people.get("bcc", [])
        senders = gettext("To %s") % sender_words(recipients, own) if recipients else gettext("No recipient yet")
        from_name, from_address = (recipients or [["", ""]])[0]
    else:
        senders = sender_words(participants or [[from_name, from_address]], own)
    return Row(
        thread_id=thread_id,
        message_id=record[17],
        url=f"{base}{thread_id}/{record[17]}/" if record[17] else f"{base}{thread_id}/",
        senders=senders,
        count=count if count > 1 else 0,
        subject=subject or gettext("(no subject)"),
        snippet=snippet,
        when=at,
        unread=unread > 0,
        starred=bool(flags & Flag.FLAGGED),
        attachment=attachment,
        answered=bool(flags & Flag.ANSWERED),
        forwarded=bool(flags & Flag.FORWARDED),
        invite=invite,
        avatar_name=from_name,
        avatar_address=from_address,
        mailbox_id=mailbox_id,
        left_on_server=record[15],
        chips=labels.chips(record[16], hues),
    )


def _json(value: Any) -> Any:
    """A raw cursor gives jsonb as text (Django registers no loader for it)."""
    import json

    return json.loads(value) if isinstance(value, str | bytes) else value
