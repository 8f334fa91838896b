"""Attachments looked at in place: which are, in what way, and by what addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.core import signing
from django.urls import reverse

from accounts.models import User
from webmail import storage
from webmail.mime.charset import decode_text
from webmail.models import Mailbox, Message, Placement
from webmail.render import headers

from .frames import PartFile

FILE_SALT, NESTED_SALT = "webmail.file", "webmail.nested"  # each good for one purpose
SECONDS = 3600
LONGEST_TEXT = 256 * 2**10  # octets of a text that are shown
LARGEST_MESSAGE = 24 * 2**20

Kind = Literal["picture", "sound", "film", "text", "message", ""]
_TEXTS = frozenset({"application/json", "application/xml", "application/x-yaml", "message/delivery-status"})
_MESSAGES = frozenset({"message/rfc822", "message/global"})


@dataclass(frozen=True, slots=True)
class Sibling:
    """A file beside the one that is open."""

    filename: str
    url: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One attachment, looked at. ``address`` is where a film, sound or picture lies, or the frame of a message."""

    filename: str
    size: int
    kind: Kind
    download_url: str
    back_url: str
    position: int
    count: int
    previous: Sibling | None
    following: Sibling | None
    address: str = ""
    text: str = ""
    cut: bool = False
    message: "NestedMessage | None" = None


@dataclass(frozen=True, slots=True)
class NestedMessage:
    subject: str
    people: tuple[tuple[str, str], ...]  # (who they are, their names and addresses)
    when: datetime | None
    files: tuple[tuple[str, int, str], ...]  # (name, octets, address)
    blank: bool
    paper: bool  # designed mail keeps its light paper in the dark


def kind_of(content_type: str, path: str, size: int) -> Kind:
    """How a file can be looked at; "" when it cannot."""
    if content_type in headers.PICTURES:
        return "picture"
    if content_type in headers.SOUNDS:
        return "sound"
    if content_type in headers.FILMS:
        return "film"
    if content_type in _MESSAGES:
        return "message" if ":" not in path and size <= LARGEST_MESSAGE else ""
    return "text" if content_type.startswith("text/") or content_type in _TEXTS else ""


def url_of(message_id: int, content_type: str, path: str, size: int) -> str:
    """Where the file is looked at, or "" when it cannot be."""
    return reverse("mail:preview", args=[message_id, path]) if kind_of(content_type, path, size) else ""


def token(user: User, message_id: int, path: str, *, salt: str) -> str:
    """Opens one part for an hour to whoever holds it: frames and players send no session."""
    return signing.dumps({"u": user.pk, "m": message_id, "p": path}, salt=salt, compress=False)


def read_token(text: str, *, salt: str) -> tuple[int, int, str] | None:
    """(person, message, path); None for anything we did not sign for this purpose."""
    try:
        value = signing.loads(text, salt=salt, max_age=SECONDS)
        return int(value["u"]), int(value["m"]), str(value["p"])
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def preview(user: User, message: Message, part: PartFile, siblings: list[PartFile], made: Mapping[str, Any]) -> Preview:
    """The values of the page; the file is in storage, and ``made`` is what `sync.nested` made of a message."""
    kind = kind_of(part.content_type, part.path, part.size)
    shown = [file for file in siblings if kind_of(file.content_type, file.path, file.size)]
    at = next((index for index, file in enumerate(shown) if file.path == part.path), 0)
    text, cut = _text(part) if kind == "text" else ("", False)
    return Preview(
        filename=part.filename,
        size=part.size,
        kind=kind,
        download_url=reverse("mail:attachment", args=[message.pk, part.path]),
        back_url=_home(user, message),
        position=at + 1,
        count=len(shown),
        previous=_sibling(message, shown, at - 1),
        following=_sibling(message, shown, at + 1),
        address=_address(user, message, part, kind),
        text=text,
        cut=cut,
        message=_nested(message, made) if kind == "message" and made else None,
    )


def _sibling(message: Message, shown: list[PartFile], at: int) -> Sibling | None:
    if not 0 <= at < len(shown):
        return None
    return Sibling(shown[at].filename, reverse("mail:preview", args=[message.pk, shown[at].path]))


def _address(user: User, message: Message, part: PartFile, kind: Kind) -> str:
    if kind in ("picture", "sound", "film"):
        name, salt = "mail:file", FILE_SALT
    elif kind == "message":
        name, salt = "mail:nested", NESTED_SALT
    else:
        return ""
    return settings.CONTENT_ORIGIN + reverse(name, args=[token(user, message.pk, part.path, salt=salt)])


def _text(part: PartFile) -> tuple[str, bool]:
    with storage.open_file(part.account_id, part.digest) as file:
        data = file.read(LONGEST_TEXT + 1)
    return decode_text(data[:LONGEST_TEXT], part.charset), len(data) > LONGEST_TEXT


def _home(user: User, message: Message) -> str:
    """The conversation, where the message lies best."""
    aside = (Mailbox.Role.TRASH, Mailbox.Role.JUNK)
    rows = Placement.objects.filter(message=message, account__user=user, state=Placement.State.LIVE)
    places = list(rows.values_list("account", "mailbox", "thread", "mailbox__role"))
    if not places:
        return reverse("mail:home")
    account, mailbox, thread, _ = min(places, key=lambda place: (place[3] in aside, place[3] != Mailbox.Role.INBOX))
    return reverse("mail:thread", args=[account, mailbox, thread]) + f"#m-{message.pk}"


def _nested(message: Message, made: Mapping[str, Any]) -> NestedMessage:
    head = made["head"]
    people = [(key, ", ".join(_called(pair) for pair in head[key])) for key in ("from", "to", "cc") if head[key]]
    files = [row for row in made["parts"] if row["role"] == "attachment"]
    return NestedMessage(
        subject=head["subject"],
        people=tuple(people),
        when=datetime.fromisoformat(head["date"]) if head["date"] else None,
        files=tuple(
            (row["filename"], row["size"], reverse("mail:attachment", args=[message.pk, row["path"]])) for row in files
        ),
        blank=bool(made["special"].get("blank")),
        paper=bool(made["content"].get("designed")),
    )


def _called(pair: list[str]) -> str:
    name, address = pair
    return f"{name} <{address}>" if name and address else name or address
