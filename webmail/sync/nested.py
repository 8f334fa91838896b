"""An attached message, read for its preview: through the same parser and sanitizer as any other (security S11).

What was made of it is one file in storage, named in the attachment's row as ``nested``; what is inside has paths such
as "2:1.2". Messages inside of it are not opened again.
"""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

from django.db import transaction

from webmail import storage
from webmail.mime.addresses import Address
from webmail.mime.headers import HeaderSummary
from webmail.mime.parse import parse_message, part_bytes
from webmail.mime.part import find_part
from webmail.models import MessageBody
from webmail.render.html import SANITIZER_VERSION
from webmail.render.pictures import without_pictures
from webmail.sync.content import Content, beginning, read_content

KINDS = ("message/rfc822", "message/global")
LARGEST = 24 * 2**20
_MOST_PARTS = 200


def is_read(entry: dict[str, Any]) -> bool:
    """Whether the attachment's row names what was made of it by this version."""
    return bool(entry.get("nested")) and entry.get("nested_version") == SANITIZER_VERSION


def read_nested(message_id: int, path: str) -> None:
    """Reads the attached message at ``path``, which is in storage. Raises FileNotFoundError when it is not."""
    body = MessageBody.objects.filter(message=message_id).only("parts", "account_id").first()
    entry = next((row for row in body.parts if row["path"] == path), None) if body is not None else None
    if body is None or entry is None or not entry["digest"] or is_read(entry):
        return
    if entry["type"] not in KINDS or entry["size"] > LARGEST:
        return
    with storage.mapped(body.account_id, entry["digest"]) as raw:
        made = _made(body.account_id, path, raw)
    digest = storage.put(body.account_id, json.dumps(made, ensure_ascii=False).encode("utf-8", "replace"))
    _record(message_id, path, digest)


def _made(account_id: int, path: str, raw: bytes) -> dict[str, Any]:
    parsed = parse_message(raw)
    content = read_content(parsed.root, partial(beginning, raw))
    shown = {part.path for part in content.pictures}
    rows = []
    for row in content.parts[:_MOST_PARTS]:
        if row["role"] not in ("attachment", "inline"):
            continue
        data = content.octets.get(row["path"])
        part = find_part(parsed.root, row["path"])
        if data is None and part is not None and (row["role"] == "attachment" or part.path in shown):
            data = part_bytes(raw, part)
        if data is not None:
            digest = storage.put(account_id, data)
            rows.append(row | {"path": f"{path}:{row['path']}", "digest": digest, "size": len(data)})
    return {"head": _head(parsed.headers), "parts": rows, "content": _shown(content), "special": content.special}


def _head(headers: HeaderSummary) -> dict[str, Any]:
    return {
        "subject": headers.subject,
        "from": _people(headers.from_),
        "to": _people(headers.to),
        "cc": _people(headers.cc),
        "date": headers.date.isoformat() if headers.date else "",
    }


def _people(found: tuple[Address, ...]) -> list[list[str]]:
    return [[one.name, one.addr_spec] for one in found[:100]]


def _shown(content: Content) -> dict[str, Any]:
    """Pictures of other servers stay away: there is no sender here that could be trusted."""
    if content.clean is None:
        return {"text": content.text, "html": None}
    clean = asdict(content.clean)
    html = without_pictures(content.clean.html) if content.image_urls else content.clean.html
    return {"text": "", "html": html, "stylesheet": clean["stylesheet"], "designed": clean["designed"]}


def _record(message_id: int, path: str, digest: str) -> None:
    with transaction.atomic():
        body = MessageBody.objects.select_for_update().filter(message=message_id).only("parts").first()
        if body is None:
            return
        for row in body.parts:
            if row["path"] == path:
                row |= {"nested": digest, "nested_version": SANITIZER_VERSION}
        body.save(update_fields=["parts"])
