"""A message that POP3 brought, into the rows: whole, its beginning alone, or the rest of one that began.

Invariants: a message, its place in the local inbox, the reference to its stored octets, its line in the ledger and the
copy it owes to another account are one transaction; a message whose rest comes later keeps its id, place and marks.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db.models import F
from django.utils import timezone

from accounts.models import MailAccount
from webmail.mime.headers import HeaderSummary
from webmail.mime.parse import ParsedMessage, parse_message
from webmail.mime.preview import snippet
from webmail.models import Mailbox, Message, MessageBody, Placement, PopUid, ThreadRef
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.sync import body_rows, pop_copies
from webmail.sync.apply import store
from webmail.sync.content import Content, beginning, read_content
from webmail.sync.local_sent import whole
from webmail.sync.messages import known_message
from webmail.sync.placements import Spot
from webmail.sync.pop_ledger import beginning_or_whole, record
from webmail.sync.pop_plan import Listed
from webmail.sync.rows import Incoming, fingerprint
from webmail.sync.sql import change

LONGEST_PREVIEW = 20_000  # characters shown of a message that is not downloaded
State = PopUid.State
_LOCK = "SELECT id FROM webmail_placement WHERE message_id = %s ORDER BY id FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of one message: ``raw`` are its octets, all of them when it was downloaded."""

    listed: Listed
    raw: bytes
    parsed: ParsedMessage
    row: Incoming


def brought(account: MailAccount, listed: Listed, raw: bytes, *, size: int) -> Brought:
    parsed = parse_message(raw)
    received = _received_at(parsed.headers, timezone.now())
    return Brought(listed, raw, parsed, whole(account.pk, parsed, raw, received_at=received, size=size))


def _received_at(head: HeaderSummary, now: datetime) -> datetime:
    """POP3 tells no date of arrival: the sender's, unless it lies ahead."""
    return head.date if head.date is not None and head.date <= now + timedelta(minutes=5) else now


def store_whole(account: MailAccount, inbox: Mailbox, one: Brought, digest: str) -> tuple[int, bool]:
    """Writes a downloaded message; call inside ``guarded``. Returns its id, and whether its content is to be read."""
    known = known_message(account.pk, one.row)
    begun = _beginning(account, one.listed, known)
    new = known in (None, begun)
    if not new:
        message = known
        if begun is not None:
            _give_way(begun)
    elif begun is not None:
        message = begun
        _complete(account, begun, one.row)
    else:
        message = store(Spot(account.pk, inbox.pk, inbox.gen), [one.row]).arrived[0][0]
    assert message is not None  # new covers the case of none known
    if new:
        MessageBody.objects.update_or_create(
            message_id=message,
            defaults={"account_id": account.pk, "raw_digest": digest, "state": MessageBody.State.WANTED},
        )
        pop_copies.owe(account, one.row, digest)
    record(account, one.listed, message, State.FETCHED)
    MailAccount.objects.filter(pk=account.pk).update(progress_done=F("progress_done") + 1)
    return message, new


def store_beginning(account: MailAccount, inbox: Mailbox, one: Brought) -> None:
    """Writes what TOP gave of a message that stays on the server for now; call inside ``guarded``."""
    extra = json.loads(one.row.extra) | {"not_downloaded": True}
    row = replace(one.row, extra=json.dumps(extra, ensure_ascii=False))
    known = known_message(account.pk, row)
    message_id = known if known is not None else store(Spot(account.pk, inbox.pk, inbox.gen), [row]).arrived[0][0]
    message = Message.objects.get(pk=message_id)
    if known is None:
        body_rows.write(message, _preview(one), digests={})
    record(account, one.listed, message_id, beginning_or_whole(message))
    MailAccount.objects.filter(pk=account.pk).update(progress_done=F("progress_done") + 1)


def unnamed(account: MailAccount, listed: Listed) -> Brought:
    """Stands for a message that the server will not show in part: its size is all that is known."""
    one = brought(account, listed, b"", size=listed.size)
    return replace(one, row=replace(one.row, fingerprint=fingerprint(f"uidl {listed.key}".encode(), listed.size)))


def _preview(one: Brought) -> Content:
    """The readable beginning, as plain text: what is cut in the middle is no document and has no attachments."""
    text = read_content(one.parsed.root, partial(beginning, one.raw)).text[:LONGEST_PREVIEW]
    return Content(parts=[], text=text, snippet=snippet(text))


def _beginning(account: MailAccount, listed: Listed, known: int | None) -> int | None:
    """The message whose beginning is here: by the ledger, or ``known`` when it is no more than that."""
    rows = PopUid.objects.filter(account=account.pk, uidl=listed.key, state__in=[State.TOO_LARGE, State.WANTED])
    found = rows.values_list("message_id", flat=True).first()
    if found is None and known is not None and Message.objects.get(pk=known).extra.get("not_downloaded"):
        return known
    return found


def _complete(account: MailAccount, message: int, row: Incoming) -> None:
    """The rest has come: everything the headers and the size say is written anew, its place and marks stay."""
    _lock(message)
    thread = Message.objects.values_list("thread", flat=True).get(pk=message)
    Message.objects.filter(pk=message).update(
        fingerprint=row.fingerprint,
        message_id=row.message_id,
        in_reply_to=row.in_reply_to,
        references=list(row.references),
        subject=row.subject,
        from_name=row.from_name,
        from_address=row.from_address,
        people=json.loads(row.people),
        sent_at=row.sent_at,
        received_at=row.received_at,
        size=row.size,
        has_attachment=row.has_attachment,
        has_invite=row.has_invite,
        list_id=row.list_id,
        extra=json.loads(row.extra),
    )
    ThreadRef.objects.bulk_create(
        [ThreadRef(account_id=account.pk, ref=ref, thread_id=thread) for ref in row.refs], ignore_conflicts=True
    )
    placed = Placement.objects.filter(message=message)
    placed.update(received_at=row.received_at)
    _summarise(message, thread)


def _give_way(message: int) -> None:
    """The same message is here whole already, from another line of the server's: its beginning goes."""
    _lock(message)
    thread = Message.objects.values_list("thread", flat=True).get(pk=message)
    live = Placement.objects.filter(message=message).exclude(state=Placement.State.GONE)
    live.update(state=Placement.State.GONE, gone_at=timezone.now())
    _summarise(message, thread)


def _lock(message: int) -> None:
    """Holds the message's rows in order of id, before its conversation is asked for, which may just be joined."""
    change(_LOCK, [message])


def _summarise(message: int, thread: int) -> None:
    boxes = set(Placement.objects.filter(message=message).values_list("mailbox_id", flat=True))
    refresh_lines(boxes, {thread})
    refresh_threads({thread})
