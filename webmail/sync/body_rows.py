"""The rows of a message's content: written whole, in one transaction.

Invariants: a part that is in storage stays known when the content is read again; the search entry and the list's line
of text follow in the same transaction.
"""

from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Cast
from django.utils import timezone

from webmail.mime.reports import Report
from webmail.models import Message, MessageBody, MessageSearch, Outgoing, ReportedFate
from webmail.models.search_document import document
from webmail.sync import calendar_notices
from webmail.sync.content import Content
from webmail.sync.signatures import SignedFields

State = MessageBody.State


def write(
    message: Message,
    content: Content,
    *,
    digests: dict[str, str],
    raw_digest: str = "",
    headers: list[list[str]] | None = None,
    signatures: list[SignedFields] | None = None,
    attachment: bool | None = None,
) -> None:
    """Keeps the content, completes the search entry and the list's line of text."""
    for part in content.parts:
        part["digest"] = digests.get(part["path"], "")
    clean = content.clean
    columns = {
        "account_id": message.account_id,
        "state": State.HERE,
        "error": "",
        "fetched_at": timezone.now(),
        "parts": content.parts,
        "text": content.text,
        "has_html": clean is not None,
        "clean_html": clean.html if clean else "",
        "stylesheet": clean.stylesheet if clean else "",
        "clean_version": content.version,
        "designed": clean.designed if clean else False,
        "remote_images": clean.remote_images if clean else 0,
        "remote_backgrounds": clean.remote_backgrounds if clean else 0,
        "image_urls": content.image_urls,
        "trackers": clean.trackers if clean else 0,
        "problem": content.problem[:200],
        "suspect_links": content.suspects,
        "special": content.special,
    }
    original_id = _reported_on(message, content.report)
    if original_id:
        columns["special"] = content.special | {"report": content.special["report"] | {"original_id": original_id}}
    columns |= {"raw_digest": raw_digest} if raw_digest else {}
    columns |= {"headers": headers} if headers is not None else {}
    columns |= {"signatures": signatures} if signatures is not None else {}
    with transaction.atomic():
        kept = MessageBody.objects.filter(message=message).values_list("parts", flat=True).first() or []
        known = {part["path"]: part["digest"] for part in kept if part.get("digest")}
        for part in content.parts:
            part["digest"] = part["digest"] or known.get(part["path"], "")
        MessageBody.objects.update_or_create(message=message, defaults=columns)
        words = document(
            message.account_id, message.subject, message.people, (content.text,), filenames=content.filenames
        )
        MessageSearch.objects.filter(message=message).update(document=_vector(words), with_body=True)
        _record_fates(message, content.report, original_id)
        calendar_notices.record(message, content.special.get("invitation", {}))
        if not message.snippet and content.snippet:
            Message.objects.filter(pk=message.pk).update(snippet=content.snippet[:400])
        if attachment is not None and attachment != message.has_attachment:
            Message.objects.filter(pk=message.pk).update(has_attachment=attachment)


def _reported_on(message: Message, report: Report | None) -> str:
    """The Message-ID of what a report is about; "" where it cannot be told.

    Some servers on the way give a message another Message-ID; the id of its envelope stays what we submitted.
    """
    if report is None:
        return ""
    ours = Outgoing.objects.filter(account=message.account_id, message_id=report.envelope_id)
    return report.envelope_id if report.envelope_id and ours.exists() else report.original_id


def _record_fates(message: Message, report: Report | None, original_id: str) -> None:
    """What the message reports, so that the message it is about can say so."""
    ReportedFate.objects.filter(report=message).delete()
    if report is None or not original_id:
        return
    ReportedFate.objects.bulk_create(
        ReportedFate(
            account_id=message.account_id,
            report=message,
            original_id=original_id,
            address=fate.address,
            action=fate.action,
            status=fate.status,
            reply=fate.reply,
            at=message.received_at,
        )
        for fate in report.fates
    )


def _vector(words: str) -> Any:
    return Cast(Value(words), SearchVectorField())


def record_part(message: Message, path: str, digest: str) -> None:
    with transaction.atomic():
        if not path:
            MessageBody.objects.update_or_create(
                message=message, defaults={"raw_digest": digest}, create_defaults=_bare(message, digest)
            )
            return
        body = MessageBody.objects.select_for_update().filter(message=message).only("parts").first()
        if body is not None:
            for part in body.parts:
                if part["path"] == path:
                    part["digest"] = digest
            body.save(update_fields=["parts"])


def _bare(message: Message, digest: str) -> dict[str, Any]:
    return {"account_id": message.account_id, "raw_digest": digest, "state": State.WANTED}
