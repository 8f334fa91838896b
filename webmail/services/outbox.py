"""Handing a draft over for sending: checked, built once, frozen. What happens then is delivery's (models.Outgoing)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from webmail import live, storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.addresses import Address, parse_addresses
from webmail.mime.build import Attachment, Composition, Frame, base64_size, new_message_id, write_message
from webmail.mime.html_text import html_to_text
from webmail.mime.preview import snippet
from webmail.models import Correspondent, Draft, MessageBody, Outgoing, OutgoingRecipient, Upload
from webmail.queries.people import MOST_TOGETHER
from webmail.render.compose import clean_outgoing
from webmail.search import normalise

from . import drafts, sending_limits

MOST_RECIPIENTS = MOST_TOGETHER


class NotReady(Exception):
    """The draft cannot be sent as it is; ``errors`` names the field and says why in words."""

    def __init__(self, errors: dict[str, str], *, over_limit: bool = False) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors
        self.over_limit = over_limit  # of the hour: later it can be sent as it is


@dataclass(frozen=True, slots=True)
class People:
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()

    def envelope(self) -> list[tuple[str, Address]]:
        """Each recipient once, with the header that named it first."""
        found: dict[str, tuple[str, Address]] = {}
        for kind, people in (("to", self.to), ("cc", self.cc), ("bcc", self.bcc)):
            for person in people:
                found.setdefault(person.addr_spec.lower(), (kind, person))
        return list(found.values())


def submit(draft: Draft, *, send_after: datetime | None = None) -> Outgoing:
    """Freezes the draft into bytes, envelope and Message-ID; raises NotReady and leaves the draft as it was.

    With ``send_after`` it waits until then, and says that it was written then.
    """
    people = _check(draft)
    composition = _composition(draft, people, send_after)
    try:
        wire = _store(draft, composition, keep_bcc=False)
        sent_copy = _store(draft, composition, keep_bcc=True) if people.bcc else wire
    except ValueError as error:
        raise NotReady({"": str(error)}) from None
    _keep_within(draft, wire.size)
    now = timezone.now()
    leaves = send_after or now + timedelta(seconds=draft.user.undo_send_seconds)
    text = composition.text or html_to_text(composition.html or "")
    with transaction.atomic():
        if not Draft.objects.filter(pk=draft.pk, closed_at=None).update(closed_at=now, copy_after=None):
            raise NotReady({"": _("This message was sent or discarded already, perhaps in another window.")})
        keep_to_limits(draft.user, people)
        outgoing = Outgoing.objects.create(
            user_id=draft.user_id,
            account_id=draft.account_id,
            identity=draft.identity,
            draft=draft,
            original=draft.original,
            mode=draft.mode,
            message_id=composition.message_id,
            subject=draft.subject,
            snippet=snippet(text),
            envelope_from=composition.from_[0].addr_spec,
            digest=wire.digest,
            sent_copy_digest=sent_copy.digest,
            size=wire.size,
            holes=wire.holes,
            sent_copy_holes=sent_copy.holes,
            filing=Outgoing.Filing.WAITING if draft.identity.keeps_sent else Outgoing.Filing.NONE,  # type: ignore[union-attr]  # _check saw to it
            report=Outgoing.Report.WANTED if draft.report else Outgoing.Report.NONE,
            remind_days=draft.remind_days,
            scheduled=send_after is not None,
            send_after=leaves,
            due_at=leaves,
        )
        OutgoingRecipient.objects.bulk_create(
            OutgoingRecipient(outgoing=outgoing, address=person.addr_spec, name=person.name, kind=kind)
            for kind, person in people.envelope()
        )
        remember(draft.user, people)
        if send_after is None and not draft.user.undo_send_seconds:
            enqueue_on_commit(Job.SEND, outgoing.pk)
        enqueue_on_commit(Job.SAVE_DRAFT, draft.pk)
        live.publish_on_commit(draft.user_id, "outbox", outgoing=outgoing.pk)
    return outgoing


@transaction.atomic
def take_back(outgoing: Outgoing) -> Draft | None:
    """Cancels what no worker has claimed and gives the draft back to go on writing; None when it is too late."""
    waiting = [Outgoing.State.QUEUED, Outgoing.State.DEFERRED, Outgoing.State.FAILED]
    whole = Outgoing.objects.filter(pk=outgoing.pk, draft__isnull=False, sent_at=None)  # nobody has got it yet
    taken = whole.filter(state__in=waiting, claim=None).update(state=Outgoing.State.CANCELLED)
    if not taken or outgoing.draft is None:
        return None
    drafts.reopen(outgoing.draft)
    live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk, state=Outgoing.State.CANCELLED)
    return outgoing.draft


@transaction.atomic
def send_now(outgoing: Outgoing) -> Outgoing | None:
    """What waits for its time is frozen anew, with today's date, and leaves; None when it is too late for that.

    Raises NotReady, and then it waits as before.
    """
    draft = take_back(outgoing) if outgoing.scheduled else None
    return submit(draft) if draft is not None else None


@transaction.atomic
def try_again(outgoing: Outgoing) -> bool:
    """Sends to whoever has not got it. For ``unknown`` this is the person's decision, never ours."""
    states = [Outgoing.State.FAILED, Outgoing.State.PARTIAL, Outgoing.State.DEFERRED, Outgoing.State.UNKNOWN]
    now = timezone.now()
    changed = Outgoing.objects.filter(pk=outgoing.pk, state__in=states, claim=None).update(
        state=Outgoing.State.QUEUED, phase="", send_after=now, due_at=now, server_line="", error_code=""
    )
    if changed:
        outgoing.recipients.exclude(state=OutgoingRecipient.State.ACCEPTED).update(
            state=OutgoingRecipient.State.WAITING, code=None, reply=""
        )
        enqueue_on_commit(Job.SEND, outgoing.pk)
        live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk)
    return bool(changed)


@transaction.atomic
def settle(outgoing: Outgoing) -> bool:
    """The person says it is done: ``unknown`` counts as sent, what only some have got is left at that."""
    now = timezone.now()
    mine = Outgoing.objects.filter(pk=outgoing.pk)
    remind_at = now + timedelta(days=outgoing.remind_days) if outgoing.remind_days else None
    maybe = mine.filter(state=Outgoing.State.UNKNOWN).update(
        state=Outgoing.State.SENT, sent_at=now, filing_after=now, remind_at=remind_at
    )
    some = Q(state__in=[Outgoing.State.PARTIAL, Outgoing.State.FAILED]) | Q(
        state=Outgoing.State.DEFERRED, claim=None, sent_at__isnull=False
    )
    changed = maybe or mine.filter(some).update(state=Outgoing.State.SENT, sent_at=Coalesce("sent_at", now))
    if changed:
        if maybe:
            enqueue_on_commit(Job.FILE_SENT, outgoing.pk)
        live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk)
    return bool(changed)


@transaction.atomic
def dismiss(outgoing: Outgoing) -> bool:
    """No reminder any more, whether its time is over or not."""
    wanted = Q(remind_at__isnull=False) | Q(unanswered=True)
    changed = Outgoing.objects.filter(wanted, pk=outgoing.pk).update(remind_at=None, unanswered=False)
    if changed:
        live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk)
    return bool(changed)


@transaction.atomic
def remind_again(outgoing: Outgoing) -> bool:
    """Undo of dismissing: it is looked at anew when its time is over, at once if it is."""
    if not outgoing.remind_days or outgoing.sent_at is None:
        return False
    at = outgoing.sent_at + timedelta(days=outgoing.remind_days)
    changed = Outgoing.objects.filter(pk=outgoing.pk, remind_at=None).update(remind_at=at)
    if changed:
        if at <= timezone.now():
            enqueue_on_commit(Job.REMIND, outgoing.pk)
        live.publish_on_commit(outgoing.user_id, "outbox", outgoing=outgoing.pk)
    return bool(changed)


def copies_to(draft: Draft) -> tuple[int, str]:
    """How many people get a blind copy, and what is wrong with them, in words."""
    people, errors = people_named("", bcc=draft.bcc)
    return len(people.bcc), errors.get("bcc", "")


def keep_to_limits(user: User, people: People) -> None:
    """Raises NotReady above what may be written in an hour."""
    try:
        sending_limits.check(user, len(people.envelope()))
    except sending_limits.TooManyRecipients as refused:
        raise NotReady({"": str(refused)}, over_limit=True) from None


def people_named(to: str, cc: str = "", bcc: str = "") -> tuple[People, dict[str, str]]:
    """Whom the fields name, and by field what is wrong with them, in words."""
    errors: dict[str, str] = {}
    found = {}
    for field, typed in (("to", to), ("cc", cc), ("bcc", bcc)):
        found[field] = parse_addresses(typed)
        wrong = _wrong(typed, found[field])
        if wrong:
            errors[field] = _("“%s” is not an address. Correct or remove it.") % wrong
    people = People(**found)
    count = len(people.envelope())
    if not count and not errors:
        errors["to"] = _("Name at least one recipient.")
    if count > MOST_RECIPIENTS:
        errors["to"] = _("One message goes to at most %d recipients.") % MOST_RECIPIENTS
    return people, errors


def _check(draft: Draft) -> People:
    everyone, errors = people_named(draft.to, draft.cc, draft.bcc)
    if any(character in draft.subject for character in "\r\n\0"):
        errors["subject"] = _("A subject is a single line.")
    identity = draft.identity
    if identity is None or not identity.is_usable or identity.account.user_id != draft.user_id:
        errors["identity"] = _("Choose an address to write from.")
    elif identity.stands_for_domain and not identity.covers(draft.sender):
        errors["sender"] = _("Write which address of %s it is to come from.") % identity.address.rpartition("@")[2]
    elif draft.account.outgoing is None:
        errors["identity"] = _("This account has no server for sending. Add one in its settings.")
    if errors:
        raise NotReady(errors)
    return everyone


def _keep_within(draft: Draft, size: int) -> None:
    """Raises NotReady for what the server once said it does not take (SIZE, RFC 1870)."""
    server = draft.account.outgoing
    if server is None or server.message_limit is None or size <= server.message_limit:
        return
    told = {"size": f"{size / 10**6:.1f}", "host": server.host, "limit": f"{server.message_limit / 10**6:.1f}"}
    raise NotReady(
        {"attachments": _("The whole message has %(size)s MB, and %(host)s takes at most %(limit)s MB.") % told}
    )


def _wrong(typed: str, found: Sequence[Address]) -> str:
    if any(character in typed for character in "\r\n\0"):
        return typed.strip()[:60]
    for person in found:
        local, at, domain = person.addr_spec.rpartition("@")
        if not (local and at and domain) or any(c.isspace() or c in '<>,;:"()[]' for c in person.addr_spec):
            return (person.addr_spec or person.name)[:60]
    return typed.strip()[:60] if typed.strip(" ,;") and not found else ""


def _composition(draft: Draft, people: People, at: datetime | None) -> Composition:
    identity = draft.identity
    assert identity is not None  # _check saw to it
    original = draft.original if draft.mode in Draft.ANSWERS else None
    html = None if draft.plain else clean_outgoing(draft.html)
    files = tuple(_attachment(upload) for upload in draft.uploads.all() if not upload.is_left_out(html))
    return Composition(
        from_=(Address(name=identity.name, addr_spec=draft.sender or identity.address),),
        to=people.to,
        cc=people.cc,
        bcc=people.bcc,
        reply_to=(Address(name="", addr_spec=identity.reply_to),) if identity.reply_to else (),
        subject=draft.subject,
        message_id=new_message_id(identity.address.rpartition("@")[2], os.urandom(16)),
        date=timezone.localtime(at),
        boundary_seed=os.urandom(16),
        text=draft.text if draft.plain else None,
        html=html,
        attachments=files,
        extra={"Disposition-Notification-To": draft.sender or identity.address} if draft.receipt else {},
        in_reply_to=original.message_id if original else "",
        references=tuple(original.references) if original else (),
    )


def _attachment(upload: Upload) -> Attachment:
    digest = upload.digest or _fetched(upload)
    name = upload.filename
    if not digest and upload.source_id is None:
        raise NotReady({"attachments": _("“%s” is no longer on the mail server. Remove it to send the rest.") % name})
    if not digest:
        raise NotReady({"attachments": _("“%s” is still being fetched. Try again in a moment.") % name})
    return Attachment(
        filename=upload.filename,
        content_type=upload.content_type,
        data=lambda: cast(BinaryIO, storage.open_file(upload.account_id, digest)),
        size=upload.size,
        content_id=upload.content_id or None,
        key=digest,
    )


def _fetched(upload: Upload) -> str:
    """The digest of a forwarded part that a worker has brought meanwhile, copied if another account holds it."""
    body = MessageBody.objects.filter(message=upload.source).first()
    digest = drafts.digest_of(body, upload.source_path)
    if body is not None and digest:
        if body.account_id != upload.account_id:
            digest = storage.put(upload.account_id, storage.read(body.account_id, digest))
        Upload.objects.filter(pk=upload.pk).update(digest=digest)
    return digest


@dataclass(frozen=True, slots=True)
class _Stored:
    """A frame in storage, or the message itself where no file goes into it; ``size`` is the message's."""

    digest: str
    size: int
    holes: list[tuple[int, str]]


def _store(draft: Draft, composition: Composition, *, keep_bcc: bool) -> _Stored:
    with storage.spool() as spool:
        frame = Frame(cast(BinaryIO, spool))
        write_message(composition, frame, keep_bcc=keep_bcc)
        digest = spool.keep(draft.account_id)
    sizes = {item.key: item.size for item in composition.attachments}
    return _Stored(digest, frame.size + sum(base64_size(sizes[key]) for _at, key in frame.holes), frame.holes)


def remember(user: User, people: People) -> None:
    """Who was written to, how often and how lately: what suggestions are ranked by."""
    now = timezone.now()
    for _kind, person in people.envelope():
        row, made = Correspondent.objects.get_or_create(
            user=user,
            address=person.addr_spec.lower()[:320],
            defaults={
                "name": person.name[:200],
                "search": normalise(f"{person.name} {person.addr_spec}")[:520],
                "times": 1,
                "last_at": now,
            },
        )
        if not made:
            Correspondent.objects.filter(pk=row.pk).update(times=F("times") + 1, last_at=now)
