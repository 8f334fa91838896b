"""Header blocks to values (RFC 5322 section 3.6): the hot path of header sync.

Invariants: `parse_header_block` never raises; every string is one clean line that Postgres takes; sizes and counts are
capped before anything is decoded (security S49); of fields that may occur once, the first wins, except that every From
counts, because a hidden second author is how one spoofs (S45).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webmail.mime.addresses import MAX_ADDRESSES, Address, parse_addresses
from webmail.mime.charset import codec_of, decode_text, guess_codec, is_utf8
from webmail.mime.dates import parse_date
from webmail.mime.identifiers import normalise_id, parse_ids
from webmail.mime.text import BIDI, CONTROL, PADDING, ZERO_WIDTH, clean_line, safe_line
from webmail.mime.words import decode_words

MAX_FIELDS = 500
MAX_BYTES = 256 * 1024
_MAX_SUBJECT = 2_000
_MAX_LINE = 4_000
_MAX_RESULTS = 20
_SPOOFING: Final = frozenset(
    {BIDI, ZERO_WIDTH, CONTROL, PADDING, "address-in-name", "several-addresses", "encoded-address", "invalid-address"}
)


@dataclass(frozen=True, slots=True)
class HeaderSummary:
    """What lists, threads and trust decisions need of a header block. Absent text is "", absent lists are ().

    `message_id`, `in_reply_to` and `references` are normalised, without angle brackets. `authentication_results` are
    raw values, topmost first. `importance` is "high", "low" or "". Warning codes: those of `Address` found in From or
    Sender; multiple-from, multiple-authors, no-from, too-many-headers, headers-too-large, too-many-addresses;
    subject-bidi, subject-zero-width, subject-control, subject-padding.
    """

    subject: str = ""
    from_: tuple[Address, ...] = ()
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    date: datetime | None = None
    list_id: str = ""
    list_post: str = ""
    list_unsubscribe: str = ""
    list_unsubscribe_post: str = ""
    auto_submitted: str = ""
    importance: str = ""
    content_type: str = ""
    authentication_results: tuple[str, ...] = ()
    disposition_notification_to: tuple[Address, ...] = ()
    warnings: frozenset[str] = frozenset()


_FIELD: Final = re.compile(r"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_WANTED_NAMES: Final = (
    "subject from sender reply-to to cc bcc message-id in-reply-to references date list-id list-post list-unsubscribe "
    "list-unsubscribe-post auto-submitted importance x-priority priority content-type authentication-results "
    "disposition-notification-to"
)
_WANTED: Final = frozenset(_WANTED_NAMES.split())
_BODY_CHARSET: Final = re.compile(
    rb"^content-type[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*?charset=\"?([\w.:-]{1,40})", re.IGNORECASE | re.MULTILINE
)
_LEADING: Final = b"\r\n\0 \t"


def split_fields(raw: bytes) -> tuple[list[tuple[str, str]], set[str]]:
    """The (name, value) pairs of the header block at the start of `raw`, and warnings.

    Values keep their encoded words and their folding (as LF and blank); 8-bit ones are decoded as UTF-8, else by the
    body's charset, else by a guess over the whole block.
    """
    warnings: set[str] = set()
    if len(raw) > MAX_BYTES:
        raw = raw[:MAX_BYTES]
        if b"\n\n" not in raw and b"\n\r\n" not in raw:
            warnings.add("headers-too-large")
    if raw[:1] in (b"\r", b"\n", b"\0", b" ", b"\t"):
        raw = raw.lstrip(_LEADING)
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    end = raw.find(b"\n\n")
    if end >= 0:
        raw = raw[:end]
    fields = _FIELD.findall(_decode_block(raw))
    if len(fields) > MAX_FIELDS:
        del fields[MAX_FIELDS:]
        warnings.add("too-many-headers")
    return fields, warnings


def _decode_block(raw: bytes) -> str:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    if is_utf8(raw) and b"\x1b" not in raw:
        return decode_text(raw, "utf-8")
    declared = _BODY_CHARSET.search(raw)
    codec = codec_of(declared[1].decode("ascii", "replace")) if declared else None
    if codec in (None, "ascii", "utf_8", "utf_16", "utf_32", "utf_7"):
        codec = guess_codec(b"\n".join(line for line in raw.split(b"\n") if not line.isascii() or b"\x1b" in line))
    return "\n".join(
        line.decode("ascii")
        if line.isascii() and b"\x1b" not in line
        else decode_text(line, "utf-8" if is_utf8(line) and b"\x1b" not in line else codec)
        for line in raw.split(b"\n")
    )


def unfold(value: str) -> str:
    """A field value on one line (RFC 5322 section 2.2.3), blanks around it removed."""
    return value.replace("\n", "").replace("\t", " ").strip() if "\n" in value or "\t" in value else value.strip()


def parse_header_block(raw: bytes) -> HeaderSummary:
    """The summary of a header block (all fields or some, CRLF or LF, a body after the blank line ignored)."""
    fields, warnings = split_fields(raw)
    return summarise(fields, warnings)


def summarise(fields: list[tuple[str, str]], warnings: set[str]) -> HeaderSummary:
    """The summary of fields that `split_fields` gave; `warnings` is added to."""
    values: dict[str, list[str]] = {}
    for field_name, value in fields:
        name = field_name.lower()
        if name in _WANTED:
            if name in values:
                values[name].append(unfold(value))
            else:
                values[name] = [unfold(value)]
    get = values.get
    from_ = _authors(values, warnings)
    sender = _addresses(get("sender"), warnings)
    for address in (*from_, *sender):
        if address.warnings:
            warnings |= address.warnings & _SPOOFING
    in_subject: set[str] = set()
    return HeaderSummary(
        subject=_subject(get("subject"), in_subject),
        from_=from_,
        sender=sender,
        reply_to=_addresses(get("reply-to"), warnings),
        to=_addresses(get("to"), warnings),
        cc=_addresses(get("cc"), warnings),
        bcc=_addresses(get("bcc"), warnings),
        message_id=normalise_id(get("message-id", [""])[0]),
        in_reply_to=normalise_id(get("in-reply-to", [""])[0]),
        references=parse_ids(" ".join(get("references", ()))),
        date=parse_date(get("date", [""])[0]) if "date" in values else None,
        list_id=_list_id(get("list-id")),
        list_post=_line(get("list-post")),
        list_unsubscribe=_line(get("list-unsubscribe")),
        list_unsubscribe_post=_line(get("list-unsubscribe-post")),
        auto_submitted=_line(get("auto-submitted")).lower(),
        importance=_importance(values),
        content_type=_line(get("content-type")),
        authentication_results=tuple(
            safe_line(value[:_MAX_LINE]) for value in get("authentication-results", ())[:_MAX_RESULTS]
        ),
        disposition_notification_to=_addresses(get("disposition-notification-to"), warnings),
        warnings=frozenset(warnings).union(f"subject-{code}" for code in in_subject),
    )


def _authors(values: dict[str, list[str]], warnings: set[str]) -> tuple[Address, ...]:
    fields = values.get("from")
    authors = _addresses(fields, warnings)
    if fields and len(fields) > 1:
        warnings.add("multiple-from")
    elif len(authors) > 1:
        warnings.add("multiple-authors")
    elif not authors:
        warnings.add("no-from")
    return authors


def _addresses(fields: list[str] | None, warnings: set[str]) -> tuple[Address, ...]:
    if not fields:
        return ()
    if len(fields) == 1:
        found = parse_addresses(fields[0])
    else:
        found = tuple(address for value in fields[:50] for address in parse_addresses(value))
    if len(found) >= MAX_ADDRESSES:
        warnings.add("too-many-addresses")
        return found[:MAX_ADDRESSES]
    return found


def _subject(fields: list[str] | None, warnings: set[str]) -> str:
    if not fields:
        return ""
    subject = fields[0]
    if "=?" in subject:
        subject = decode_words(subject[: _MAX_SUBJECT * 8])
    return clean_line(subject, warnings)[:_MAX_SUBJECT]


def _line(fields: list[str] | None) -> str:
    return safe_line(fields[0][:_MAX_LINE]) if fields else ""


def _list_id(fields: list[str] | None) -> str:
    """The identifier inside the angle brackets (RFC 2919 section 3), lower case."""
    value = _line(fields)
    _, bracket, rest = value.rpartition("<")
    return (rest.partition(">")[0] if bracket else value).strip().lower()[:500]


def _importance(values: dict[str, list[str]]) -> str:
    for name in ("importance", "x-priority", "priority"):
        if name in values:
            word = values[name][0].lower()
            if word.startswith(("high", "urgent", "1", "2")):
                return "high"
            if word.startswith(("low", "non-urgent", "4", "5")):
                return "low"
    return ""
