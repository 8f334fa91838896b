"""What a composer shows, as one value, whether it opens afresh or goes on with a saved draft."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts.models import Identity, User
from webmail.mime.html_text import html_to_text
from webmail.models import Draft, Flag, Message, MessageBody, Placement, SignaturePicture, TextTemplate

from . import access, offered
from .composing import Opening, content_id, signature
from .sending_times import SendingTime, sending_times

REMINDERS = (0, 1, 2, 3, 7, 14)  # days after which an unanswered message may come up again; 0: never


@dataclass(frozen=True, slots=True)
class FileChip:
    id: int
    filename: str
    size: int
    kind: str
    content_id: str = ""
    url: str = ""  # where the composer gets it from, for pictures of the text


@dataclass(frozen=True, slots=True)
class FromChoice:
    """``signature`` and ``bcc`` take the place of another's when it is chosen."""

    id: int
    name: str
    address: str
    signature: str = ""
    bcc: str = ""
    any: bool = False  # stands for every address of a domain
    limit: int = 0  # octets that its server takes, as far as that is known
    host: str = ""


def most_octets() -> int:
    """What the files of one message may have together."""
    most: int = settings.MAILROOM["UPLOAD_MAX_BYTES"]
    return most


def too_many_octets() -> str:
    """What is said where they have more."""
    return gettext("One message carries at most %d MB of attachments.") % (most_octets() // 2**20)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A composer's content. ``draft`` is 0 until the first save; ``errors`` stand beside the fields they name."""

    choices: tuple[FromChoice, ...]
    identity: int = 0
    sender: str = ""
    draft: int = 0
    revision: int = 0
    mode: str = Draft.Mode.NEW
    original: int = 0
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
    files: tuple[FileChip, ...] = ()
    templates: tuple[tuple[int, str], ...] = ()
    signature_pictures: dict[str, str] = field(default_factory=dict)  # content id to URL
    saved_at: datetime | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def sending_times(self) -> tuple[SendingTime, ...]:
        """When it could leave instead of now."""
        return sending_times(timezone.localtime())

    @property
    def reminders(self) -> tuple[tuple[int, str], ...]:
        """After how many days without an answer it could come up again, in words."""
        never = (0, gettext("No reminder"))
        return never, *((days, _if_nobody_answers(days)) for days in REMINDERS if days)

    @property
    def most_octets(self) -> int:
        """What all files of a message may have together."""
        return most_octets()

    @property
    def too_many_octets(self) -> str:
        """What is said where they have more."""
        return too_many_octets()

    @property
    def problem(self) -> str:
        """What is wrong with the message as a whole."""
        return self.errors.get("") or self.errors.get("__all__", "") or self.errors.get("html", "")

    @property
    def any_domain(self) -> bool:
        """Whether an address may have to be typed to write from."""
        return any(choice.any for choice in self.choices)

    @property
    def pictures(self) -> str:
        """Where the pictures of the text are, by the content id that stands there, as JSON."""
        return json.dumps(
            self.signature_pictures | {file.content_id: file.url for file in self.files if file.content_id}
        )

    @property
    def title(self) -> str:
        titles: dict[str, str] = {
            Draft.Mode.REPLY: gettext("Reply"),
            Draft.Mode.REPLY_ALL: gettext("Reply to all"),
            Draft.Mode.REPLY_LIST: gettext("Reply to the list"),
            Draft.Mode.FORWARD: gettext("Forward"),
            Draft.Mode.FORWARD_FILE: gettext("Forward"),
        }
        return self.subject or titles.get(self.mode) or gettext("New message")


def of_opening(user: User, opening: Opening) -> Sheet:
    return Sheet(
        choices=choices(user),
        templates=_templates(user),
        signature_pictures=signature_pictures(user),
        identity=opening.identity.pk if opening.identity else 0,
        sender=opening.sender,
        mode=opening.mode,
        original=opening.original.pk if opening.original else 0,
        to=opening.to,
        cc=opening.cc,
        bcc=opening.bcc,
        subject=opening.subject,
        html=opening.html,
        text=html_to_text(opening.html),
        files=_original_files(opening),
    )


def of_draft(user: User, draft: Draft) -> Sheet:
    return Sheet(
        choices=choices(user),
        templates=_templates(user),
        signature_pictures=signature_pictures(user),
        identity=draft.identity_id or 0,
        sender=draft.sender,
        draft=draft.pk,
        revision=draft.revision,
        mode=draft.mode,
        original=draft.original_id or 0,
        to=draft.to,
        cc=draft.cc,
        bcc=draft.bcc,
        subject=draft.subject,
        html=draft.html,
        text=draft.text if draft.plain else html_to_text(draft.html),
        plain=draft.plain,
        receipt=draft.receipt,
        report=draft.report,
        remind_days=draft.remind_days,
        files=files(draft),
        saved_at=draft.updated_at,
    )


def choices(user: User) -> tuple[FromChoice, ...]:
    found = access.identities(user).order_by("account__position", "account", "-is_default", "id")
    return tuple(_choice(one) for one in found.select_related("account__outgoing"))


def _choice(one: Identity) -> FromChoice:
    server = one.account.outgoing
    return FromChoice(
        id=one.pk,
        name=one.name,
        address=one.address,
        signature=signature(one),
        bcc=one.bcc,
        any=one.stands_for_domain,
        limit=(server.message_limit or 0) if server else 0,
        host=server.host if server else "",
    )


def _if_nobody_answers(days: int) -> str:
    if days % 7 == 0:
        return ngettext("No answer within a week", "No answer within %(count)d weeks", days // 7) % {"count": days // 7}
    return ngettext("No answer within a day", "No answer within %(count)d days", days) % {"count": days}


def signature_pictures(user: User) -> dict[str, str]:
    """Where the pictures of the person's signatures are, by content id."""
    mine = SignaturePicture.objects.filter(identity__account__user=user).only("pk", "identity_id")
    return {one.content_id: reverse("mail:signature_picture", args=[one.identity_id, one.pk]) for one in mine}


def _templates(user: User) -> tuple[tuple[int, str], ...]:
    found = TextTemplate.objects.filter(user=user, removed_at=None).order_by("name")
    return tuple(found.values_list("pk", "name"))


def files(draft: Draft) -> tuple[FileChip, ...]:
    return tuple(
        FileChip(
            upload.pk,
            upload.filename,
            upload.size,
            _kind(upload.content_type),
            upload.content_id,
            reverse("mail:draft_file", args=[draft.pk, upload.pk]) if upload.content_id else "",
        )
        for upload in draft.uploads.all()
    )


def is_draft(message: Message) -> bool:
    return any(
        flags & Flag.DRAFT for flags in Placement.objects.filter(message=message).values_list("flags", flat=True)
    )


def _original_files(opening: Opening) -> tuple[FileChip, ...]:
    """What a forward will carry once it is saved, and what a quote shows, before there is a draft."""
    original, mode = opening.original, opening.mode
    if original is None:
        return ()
    if mode == Draft.Mode.FORWARD_FILE:
        return (FileChip(0, f"{original.subject.strip() or gettext('message')}.eml", original.size, "file"),)
    carried = mode in (Draft.Mode.FORWARD, Draft.Mode.AGAIN)
    body = MessageBody.objects.filter(message=original).first()
    listed = {part["path"] for part in offered.files(body)} if body and carried else set()
    found = []
    for part in body.parts if body else []:
        cid = content_id(original.pk, part["path"])
        chip = FileChip(0, part["filename"] or gettext("attachment"), part["size"], _kind(part["type"]))
        if part["path"] in listed:
            found.append(chip)
        elif f"cid:{cid}" in opening.html:
            url = reverse("mail:attachment", args=[original.pk, part["path"]])
            found.append(replace(chip, content_id=cid, url=f"{url}?inline=1"))
    return tuple(found)


def _kind(content_type: str) -> str:
    family = content_type.partition("/")[0]
    if family == "image":
        return "image"
    return "sheet" if any(word in content_type for word in ("sheet", "excel", "csv")) else "file"
