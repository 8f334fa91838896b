"""What a frame or a download shows of one message; asked with the person's id, because frames carry no session."""

from collections.abc import Iterable
from dataclasses import dataclass

from webmail.models import MessageBody
from webmail.render import pictures
from webmail.render.text import plain_to_html
from webmail.render.values import CleanHtml

from .image_addresses import Claim, address


@dataclass(frozen=True, slots=True)
class FrameBody:
    clean: CleanHtml
    theme: str
    paper: bool  # designed mail keeps its light paper in the dark


@dataclass(frozen=True, slots=True)
class PartFile:
    account_id: int
    path: str
    filename: str
    content_type: str
    size: int
    digest: str
    charset: str = ""
    role: str = ""


def body(user_id: int, message_id: int, *, remote: bool = False) -> FrameBody | None:
    """``remote`` shows pictures of other servers, through the image proxy; without it they are left out."""
    found = (
        MessageBody.objects.filter(message=message_id, account__user=user_id, state=MessageBody.State.HERE)
        .select_related("account__user")
        .first()
    )
    if found is None:
        return None
    if found.has_html:
        html = _with_images(user_id, found) if remote else _without_images(found)
        clean = CleanHtml(html=html, stylesheet=found.stylesheet, designed=found.designed)
    else:
        clean = plain_to_html(found.text)
    return FrameBody(clean=clean, theme=found.account.user.theme, paper=found.has_html and found.designed)


def _with_images(user_id: int, found: MessageBody) -> str:
    message_id = found.message_id
    return pictures.with_pictures(found.clean_html, lambda key: address(Claim(user_id, message_id, key)))


def _without_images(found: MessageBody) -> str:
    return pictures.without_pictures(found.clean_html) if found.image_urls else found.clean_html


def part(user_id: int, message_id: int, path: str) -> PartFile | None:
    return next((file for file in _files(user_id, message_id) if file.path == path), None)


def attachments(user_id: int, message_id: int) -> list[PartFile]:
    """Those that the message's page lists."""
    return [file for file in _files(user_id, message_id) if file.role == "attachment"]


def _files(user_id: int, message_id: int) -> list[PartFile]:
    found = MessageBody.objects.filter(message=message_id, account__user=user_id).only("parts", "account_id").first()
    return [
        PartFile(
            account_id=found.account_id,
            path=entry["path"],
            filename=entry["filename"],
            content_type=entry["type"],
            size=entry["size"],
            digest=entry.get("digest") or "",
            charset=entry.get("charset") or "",
            role=entry["role"],
        )
        for entry in (found.parts if found else [])
        if found
    ]


def digests(user_id: int, message_id: int, paths: Iterable[str]) -> dict[str, str]:
    """Of the parts in storage, "" of the others; the path "" asks for the whole message."""
    wanted = list(paths)
    found = dict.fromkeys(wanted, "")
    rows = MessageBody.objects.filter(message=message_id, account__user=user_id).values_list("raw_digest", "parts")
    for raw_digest, parts in rows:
        here = {"": raw_digest} | {entry["path"]: entry.get("digest") or "" for entry in parts}
        found |= {path: here.get(path, "") for path in wanted}
    return found
