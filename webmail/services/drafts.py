"""Messages being written. The row is the draft: every save is kept, and a copy on the server follows later."""

from dataclasses import dataclass
from typing import IO

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Identity, User
from webmail import storage
from webmail.jobs import Job, enqueue_on_commit
from webmail.mime.filenames import safe_filename
from webmail.models import (
    Draft,
    MailMerge,
    Message,
    MessageBody,
    Outgoing,
    SignaturePicture,
    Upload,
    signature_pictures_in,
)
from webmail.queries import offered
from webmail.queries.composing import content_id
from webmail.queries.drafting import most_octets, too_many_octets
from webmail.render.compose import clean_for_editor
from webmail.render.headers import PICTURES


@dataclass(frozen=True, slots=True)
class Fields:
    """What a composer holds; ``html`` is cleaned before it is stored."""

    identity: Identity
    sender: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    html: str = ""
    text: str = ""
    plain: bool = False
    receipt: bool = False
    report: bool = False
    remind_days: int = 0


class TooLarge(Exception):
    """An attachment goes over what one message may carry; the text says the limit."""


@transaction.atomic
def save(
    user: User,
    fields: Fields,
    *,
    draft: Draft | None = None,
    revision: int = 0,
    mode: str = Draft.Mode.NEW,
    original: Message | None = None,
) -> tuple[Draft, bool]:
    """The saved draft, and whether it was kept beside another: two tabs wrote, and neither may overwrite the other."""
    values = _values(fields)
    if draft is not None:
        changed = Draft.objects.filter(pk=draft.pk, revision=revision, closed_at=None).update(
            **values, revision=F("revision") + 1, updated_at=timezone.now(), copy_after=None
        )
        if changed:
            draft.refresh_from_db()
            _take_from_signatures(draft)
            enqueue_on_commit(Job.SAVE_DRAFT, draft.pk)
            return draft, False
        draft.refresh_from_db()
        if all(getattr(draft, name) == value for name, value in values.items()):
            return draft, False  # sent twice by an impatient hand, or by two tabs that agree
        mode, original = draft.mode, draft.original
    made = Draft.objects.create(user=user, mode=mode, original=original, **values)
    if draft is not None:
        copy_uploads(draft, made)
    elif original is not None:
        _take_over(made, original)
    _take_from_signatures(made)
    enqueue_on_commit(Job.SAVE_DRAFT, made.pk)
    return made, draft is not None


def attach(draft: Draft, *, filename: str, content_type: str, file: IO[bytes], inline: bool = False) -> Upload:
    """Streams a file into storage and ties it to the draft; raises TooLarge past the limit, keeping the draft."""
    left = most_octets() - total_size(draft)
    with storage.spool() as spool:
        while piece := file.read(256 * 1024):
            if spool.size + len(piece) > left:
                raise TooLarge(too_many_octets())
            spool.write(piece)
        digest = spool.keep(draft.account_id)
        size = spool.size
    name = safe_filename(filename) or _("attachment")
    upload = Upload.objects.create(
        user_id=draft.user_id,
        account_id=draft.account_id,
        draft=draft,
        filename=name,
        content_type=content_type[:255] or "application/octet-stream",
        size=size,
        digest=digest,
    )
    if inline and upload.content_type in PICTURES:
        upload.content_id = f"upload-{upload.pk}@mailroom"
        upload.save(update_fields=["content_id"])
    return upload


def digest_of(body: MessageBody | None, path: str) -> str:
    """What storage calls a part of a message, or with "" all of it; "" while it is not here."""
    if body is None or not path:
        return body.raw_digest if body is not None else ""
    return next((part.get("digest") or "" for part in body.parts if part["path"] == path), "")


def total_size(draft: Draft) -> int:
    return Upload.objects.filter(draft=draft).aggregate(total=Sum("size"))["total"] or 0


def detach(upload: Upload) -> None:
    upload.delete()


@transaction.atomic
def discard(draft: Draft) -> None:
    """Closes the draft; its row is kept, so that it can be taken back, and its copy on the server goes."""
    Draft.objects.filter(pk=draft.pk).update(closed_at=timezone.now(), copy_after=None)
    enqueue_on_commit(Job.SAVE_DRAFT, draft.pk)


def were_sent(drafts: QuerySet[Draft]) -> QuerySet[Draft]:
    """Those that left, or of whose text messages are made for a table: they are not written on."""
    sent = Outgoing.objects.exclude(state=Outgoing.State.CANCELLED).filter(draft=OuterRef("pk"))
    begun = MailMerge.objects.exclude(state=MailMerge.State.OPEN).filter(draft=OuterRef("pk"))
    return drafts.filter(Exists(sent) | Exists(begun))


def reopen(draft: Draft) -> None:
    Draft.objects.filter(pk=draft.pk).update(closed_at=None, updated_at=timezone.now(), copy_after=None)
    enqueue_on_commit(Job.SAVE_DRAFT, draft.pk)


def _values(fields: Fields) -> dict[str, object]:
    return {
        "identity": fields.identity,
        "account": fields.identity.account,
        "sender": fields.sender if fields.identity.covers(fields.sender) else "",
        "to": fields.to,
        "cc": fields.cc,
        "bcc": fields.bcc,
        "subject": fields.subject,
        "html": "" if fields.plain else clean_for_editor(fields.html),
        "text": fields.text,
        "plain": fields.plain,
        "receipt": fields.receipt,
        "report": fields.report,
        "remind_days": fields.remind_days,
    }


def copy_uploads(source: Draft, target: Draft) -> None:
    """The same files for another draft of the same account; the octets are there once."""
    for upload in source.uploads.all():
        upload.pk, upload.draft = None, target
        upload.save(force_insert=True)


def _take_from_signatures(draft: Draft) -> None:
    """Pictures of a signature in the text go along, once each, whichever of the person's accounts keeps them."""
    wanted = signature_pictures_in(draft.html)
    if not wanted:
        return
    known = set(draft.uploads.exclude(content_id="").values_list("content_id", flat=True))
    mine = SignaturePicture.objects.filter(pk__in=wanted, identity__account__user=draft.user_id)
    for picture in mine.select_related("identity"):
        if picture.content_id in known:
            continue
        digest, owner = picture.digest, picture.identity.account_id
        if not storage.exists(owner, digest):
            continue
        if owner != draft.account_id:
            digest = storage.put(draft.account_id, storage.read(owner, digest))
        Upload.objects.create(
            user_id=draft.user_id,
            account_id=draft.account_id,
            draft=draft,
            filename=picture.filename,
            content_type=picture.content_type,
            size=picture.size,
            digest=digest,
            content_id=picture.content_id,
        )


def _take_over(draft: Draft, original: Message) -> None:
    """The files and pictures of the original go along without being brought again; what is not here is fetched now."""
    body = MessageBody.objects.filter(message=original).first()
    if draft.mode == Draft.Mode.FORWARD_FILE:
        name = f"{original.subject[:100].strip() or _('message')}.eml"
        _from_original(draft, original, "", filename=safe_filename(name), kind="message/rfc822", size=original.size)
        return
    carried = draft.mode in (Draft.Mode.FORWARD, Draft.Mode.AGAIN)
    listed = {part["path"] for part in offered.files(body)} if body and carried else set()
    for part in body.parts if body else []:
        taken = {"filename": part["filename"] or _("attachment"), "kind": part["type"], "size": part["size"]}
        cid = content_id(original.pk, part["path"])
        if part["path"] in listed:
            _from_original(draft, original, part["path"], **taken)
        elif part["type"] in PICTURES and f"cid:{cid}" in draft.html:
            _from_original(draft, original, part["path"], **taken, cid=cid)


def _from_original(
    draft: Draft, original: Message, path: str, *, filename: str, kind: str, size: int, cid: str = ""
) -> None:
    digest = digest_of(MessageBody.objects.filter(message=original).first(), path)
    Upload.objects.create(
        user_id=draft.user_id,
        account_id=draft.account_id,
        draft=draft,
        filename=filename,
        content_type=kind,
        size=size,
        digest=digest if draft.account_id == original.account_id else "",
        source=original,
        source_path=path,
        content_id=cid,
    )
    if not digest:
        enqueue_on_commit(Job.FETCH_PART, original.pk, path)
