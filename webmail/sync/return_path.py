"""Where the receiving mail server says a message came from (RFC 5321 section 4.4), kept where it matters. Pure."""

from collections.abc import Iterable
from typing import Any

from webmail.mime.headers import MAX_BYTES, split_fields, unfold
from webmail.mime.text import safe_line

ASKS = "disposition_notification_to"  # in Message.extra: a receipt would go there
NAME = "return_path"  # in MessageBody.special


def returns_to(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The topmost Return-Path as a fact to keep: without angle brackets, "" the null one; {} where there is none."""
    for name, value in fields:
        if name.lower() == "return-path":
            return {NAME: safe_line(unfold(value)).strip().strip("<>").strip()[:500]}
    return {}


def returns_to_in(header: bytes) -> dict[str, Any]:
    """The same from a header block."""
    return returns_to(split_fields(header[:MAX_BYTES])[0])
