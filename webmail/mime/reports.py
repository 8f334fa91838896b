"""What machines report about messages: delivery (RFC 3464) and reading (RFC 8098). Pure and total.

A report is anybody's claim: it is shown as what a server says, and never changes what is known of the sending itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from webmail.mime.headers import split_fields, unfold
from webmail.mime.identifiers import normalise_id
from webmail.mime.text import safe_line
from webmail.mime.words import decode_words

LARGEST = 256 * 2**10  # octets of a report that are read
MOST_RECIPIENTS = 100
_LONGEST = 500

_DELIVERY: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_READING: Final = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_BLANK: Final = re.compile(rb"(?:\r?\n[ \t]*)+\r?\n")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")
_ACTIONS: Final = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the message for one recipient.

    `action` is failed, delayed, delivered, relayed, expanded (RFC 3464 section 2.3.3), displayed or deleted (RFC 8098
    section 3.2.6); `status` an enhanced code such as "5.1.1" or ""; `reply` the server's own words.
    """

    address: str
    action: str
    status: str = ""
    reply: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`original_id` is the Message-ID of what it is about, as far as the report names it; `envelope_id` what whoever
    submitted that called its envelope (RFC 3464 section 2.2.1).
    """

    kind: Literal["delivery", "reading"]
    fates: tuple[Fate, ...]
    reporter: str = ""
    original_id: str = ""
    envelope_id: str = ""


def is_report(media_type: str) -> bool:
    return media_type in _DELIVERY or media_type in _READING


def parse_report(media_type: str, content: bytes) -> Report | None:
    """The report in the decoded content of a part of that type; None when it says nothing about anybody."""
    blocks = [_fields(block) for block in _BLANK.split(content[:LARGEST].strip(), MOST_RECIPIENTS + 1)]
    report = _reading(blocks) if media_type in _READING else _delivery(blocks)
    return report if report.fates else None


def original_id(header: bytes) -> str:
    """The Message-ID in the header block of the message that came back."""
    return normalise_id(_fields(header[:LARGEST]).get("message-id", ""))


def _fields(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in split_fields(block.lstrip(b"\r\n"))[0]:
        found.setdefault(name.lower(), safe_line(decode_words(unfold(value)[:4_000])))
    return found


def _delivery(blocks: list[dict[str, str]]) -> Report:
    fates = [_fate(block) for block in blocks if "final-recipient" in block or "original-recipient" in block]
    head = blocks[0] if blocks else {}
    return Report(
        kind="delivery",
        fates=tuple(fate for fate in fates if fate is not None)[:MOST_RECIPIENTS],
        reporter=_typed(head.get("reporting-mta", ""))[:_LONGEST],
        original_id=normalise_id(head.get("original-message-id", "")),
        envelope_id=normalise_id(_plain(head.get("original-envelope-id", ""))),
    )


def _plain(xtext: str) -> str:
    """RFC 3461 section 4."""
    return _XTEXT.sub(lambda code: chr(int(code[1], 16)), xtext)


def _fate(block: Mapping[str, str]) -> Fate | None:
    address = _address(block)
    action = block.get("action", "").lower().partition(" ")[0]
    status = found[0] if (found := _STATUS.search(block.get("status", ""))) else ""
    if action not in _ACTIONS:
        action = {"5": "failed", "4": "delayed", "2": "delivered"}.get(status[:1], "")
    if not action or not address:
        return None
    return Fate(
        address=address,
        action=action,
        status=status,
        reply=_typed(block.get("diagnostic-code", ""))[:_LONGEST],
        server=_typed(block.get("remote-mta", ""))[:_LONGEST],
    )


def _address(block: Mapping[str, str]) -> str:
    """The address as its sender knows it: what was asked for before what it was forwarded to."""
    for name in ("original-recipient", "final-recipient"):
        address = _plain(_typed(block.get(name, ""))).strip("<> ")
        if "@" in address:
            return safe_line(address)[:_LONGEST]
    return _typed(block.get("final-recipient", "")).strip("<> ")[:_LONGEST]


def _typed(value: str) -> str:
    """The value after its type: `rfc822; anna@example.org`, `dns; mx.example.org`, `smtp; 550 no`."""
    before, mark, after = value.partition(";")
    return after.strip() if mark and before.strip().replace("-", "").replace("/", "").isalnum() else value.strip()


def _reading(blocks: list[dict[str, str]]) -> Report:
    fields = {name: value for block in reversed(blocks) for name, value in block.items()}
    disposition = fields.get("disposition", "").rpartition(";")[2].strip().lower()
    action = disposition.partition("/")[0].strip()
    action = action if action in ("displayed", "deleted", "dispatched", "processed", "denied", "failed") else ""
    address = _address(fields)
    fates = (Fate(address, action, reply=fields.get("error", "")[:_LONGEST]),) if address and action else ()
    return Report(
        kind="reading",
        fates=fates,
        reporter=fields.get("reporting-ua", "")[:_LONGEST],
        original_id=normalise_id(fields.get("original-message-id", "")),
    )
