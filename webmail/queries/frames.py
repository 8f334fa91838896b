"""What a frame or a download shows of one message; asked with the person's id, because frames carry no session."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models import User
from webmail import storage
from webmail.models import MessageBody
from webmail.render import pictures
from webmail.render.html import SANITIZER_VERSION
from webmail.render.text import plain_to_html
from webmail.render.values import CleanHtml

from . import offered
from .columns import Columns
from .image_addresses import Claim, address

_TEXT = Columns(MessageBody, "body", ("message_id", "has_html", "clean_html", "stylesheet", "designed", "text"))
_BODY = f"""
SELECT {_TEXT.sql}, person.theme, body.image_urls <> '[]'
  FROM webmail_messagebody AS body
  JOIN accounts_mailaccount AS account ON account.id = body.account_id
  JOIN accounts_user AS person ON person.id = account.user_id
 WHERE person.id = %s AND body.message_id = %s AND body.state = %s
"""  # noqa: S608  column names of our models


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
    nested: str = ""  # digest of what was made of an attached message by this version of the sanitizer


def body(user_id: int, message_id: int, *, remote: bool = False) -> FrameBody | None:
    """``remote`` shows pictures of other servers, through the image proxy; without it they are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_BODY, [user_id, message_id, MessageBody.State.HERE])
        row = cursor.fetchone()
    if row is None:
        return None
    *text, theme, has_pictures = row
    found = _TEXT.row(text)
    if found.has_html:
        html = found.clean_html
        if remote:
            html = pictures.with_pictures(html, lambda key: address(Claim(user_id, message_id, key)))
        elif has_pictures:
            html = pictures.without_pictures(html)
        clean = CleanHtml(html=html, stylesheet=found.stylesheet, designed=found.designed)
    else:
        clean = plain_to_html(found.text)
    return FrameBody(clean=clean, theme=theme, paper=found.has_html and found.designed)


def part(user_id: int, message_id: int, path: str) -> PartFile | None:
    """``path`` "2:1.2" is part 1.2 of the message attached as part 2."""
    outer, mark, _ = path.partition(":")
    found = next((file for file in _files(user_id, message_id) if file.path == outer), None)
    if found is None or not mark:
        return found
    rows = nested(found).get("parts", [])
    return next((_file(found.account_id, row) for row in rows if row["path"] == path), None)


def nested(found: PartFile) -> dict[str, Any]:
    """What `sync.nested` made of an attached message; {} when it has not been read."""
    if not storage.exists(found.account_id, found.nested):
        return {}
    made: dict[str, Any] = json.loads(storage.read(found.account_id, found.nested))
    return made


def nested_body(user_id: int, message_id: int, path: str) -> FrameBody | None:
    found = part(user_id, message_id, path)
    made = nested(found).get("content") if found is not None and ":" not in path else None
    user = User.objects.filter(pk=user_id).first()
    if made is None or user is None:
        return None
    if made["html"] is None:
        return FrameBody(clean=plain_to_html(made["text"]), theme=user.theme, paper=False)
    clean = CleanHtml(html=made["html"], stylesheet=made["stylesheet"], designed=made["designed"])
    return FrameBody(clean=clean, theme=user.theme, paper=clean.designed)


def attachments(user_id: int, message_id: int) -> list[PartFile]:
    """Those that the message's page lists."""
    found = MessageBody.objects.filter(message=message_id, account__user=user_id)
    body = found.only("parts", "special", "account_id").first()
    return [_file(body.account_id, entry) for entry in offered.files(body)] if body is not None else []


def _files(user_id: int, message_id: int) -> list[PartFile]:
    found = MessageBody.objects.filter(message=message_id, account__user=user_id).only("parts", "account_id").first()
    return [_file(found.account_id, entry) for entry in found.parts] if found is not None else []


def _file(account_id: int, entry: dict[str, Any]) -> PartFile:
    current = entry.get("nested_version") == SANITIZER_VERSION
    return PartFile(
        account_id=account_id,
        path=entry["path"],
        filename=entry["filename"],
        content_type=entry["type"],
        size=entry["size"],
        digest=entry.get("digest") or "",
        charset=entry.get("charset") or "",
        role=entry["role"],
        nested=entry.get("nested", "") if current else "",
    )


def digests(user_id: int, message_id: int, paths: Iterable[str]) -> dict[str, str]:
    """Of the parts in storage, "" of the others; the path "" asks for the whole message."""
    found = dict.fromkeys(paths, "")
    rows = MessageBody.objects.filter(message=message_id, account__user=user_id).values_list("raw_digest", "parts")
    for raw_digest, parts in rows:
        here = {"": raw_digest} | {entry["path"]: entry.get("digest") or "" for entry in parts}
        found = {path: here.get(path, "") for path in found}
    for path in found:
        if ":" in path and (inside := part(user_id, message_id, path)) is not None:
            found[path] = inside.digest
    return found
