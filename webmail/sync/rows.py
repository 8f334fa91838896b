"""From a fetched row to the values of our rows. Pure.

Invariants: any header block gives a row; equal blocks of equal size are one message (the fingerprint), an equal
Message-ID alone is not; references of any length become 128-bit hashes before they meet an index.
RFC 5322 section 3.6.4, RFC 8474 for EMAILID and THREADID.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from webmail.mime.addresses import Address
from webmail.mime.headers import HeaderSummary, parse_header_block
from webmail.mime.identifiers import ref_hash
from webmail.mime.structure import has_attachments
from webmail.models import Flag
from webmail.models.search_document import header_document
from webmail.protocols.values import HeaderRow
from webmail.sync.label_names import label_texts

MOST_REFS = 120
MOST_PEOPLE = 500  # addresses kept of one field
_INVITE = re.compile(rb'"text" "calendar"', re.IGNORECASE)
_REPLY = re.compile(
    r"^\s*(?:(?:re|aw|sv|vs|antw|odp|ynt|res|rif|回复|答复|回覆)(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE
)
_FORWARD = re.compile(r"^\s*(?:(?:fwd?|wg|tr|vb|doorst|i|转发|轉寄)\s*[:：]\s*)+", re.IGNORECASE)
_DELETED = int(Flag.DELETED)  # members of a flag are slow to compute with
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message of a batch, ready to be written. Hashes are hexadecimal; ``people`` and ``extra`` are JSON text."""

    uid: int
    flags: int
    keywords: tuple[str, ...]
    modseq: int | None
    received_at: datetime
    sent_at: datetime | None
    size: int
    fingerprint: str
    email_id: str
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    subject: str
    from_name: str
    from_address: str
    people: str
    has_attachment: bool
    has_invite: bool
    list_id: str
    extra: str
    structure: bytes
    refs: tuple[str, ...]
    document: str
    problem: str = ""
    labels: tuple[str, ...] | None = None

    @property
    def visible(self) -> bool:
        return not self.problem and not self.flags & _DELETED

    @property
    def bare_reply(self) -> bool:
        """A reply by its subject that names nothing it replies to: only then may the subject decide."""
        return not self.in_reply_to and not self.references and _REPLY.match(self.subject) is not None


def fingerprint(header: bytes, size: int) -> str:
    """128-bit BLAKE2 of the fetched header block and the size in octets."""
    return blake2b(header, digest_size=16, salt=(size & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(16, "big")).hexdigest()


def base_subject(subject: str) -> str:
    """The subject without reply prefixes, in one case, for comparing."""
    return " ".join(_REPLY.sub("", subject).split()).casefold()


def is_forward(subject: str) -> bool:
    """Whether the subject says that a message was passed on."""
    return _FORWARD.match(subject) is not None


def incoming(account_id: int, row: HeaderRow, *, now: datetime) -> Incoming:
    """The row's values. ``now`` stands in for a date that neither the server nor the sender gave. Never raises."""
    head = parse_header_block(row.header)
    flags, keywords = Flag.from_wire(row.flags)
    email_id = row.emailid or (f"gm:{row.gm_msgid}" if row.gm_msgid else "")
    thread = row.threadid or (f"gm:{row.gm_thrid}" if row.gm_thrid else "")
    return _incoming(
        account_id,
        head,
        uid=row.uid,
        flags=flags,
        keywords=tuple(keywords),
        modseq=row.modseq,
        received_at=_moment(row.internaldate) or _moment(head.date) or now,
        size=row.size,
        mark=fingerprint(row.header, row.size),
        email_id=email_id,
        thread=thread,
        has_attachment=has_attachments(row.bodystructure),
        has_invite=_INVITE.search(row.bodystructure) is not None,
        structure=row.bodystructure,
        labels=label_texts(row.labels),
    )


def local(
    account_id: int, head: HeaderSummary, *, received_at: datetime, size: int, mark: str, attachment: bool, invite: bool
) -> Incoming:
    """A message that is here whole (POP3): unread, without a server's numbers."""
    return _incoming(
        account_id,
        head,
        uid=0,
        flags=0,
        keywords=(),
        modseq=None,
        received_at=_moment(received_at) or received_at,
        size=size,
        mark=mark,
        email_id="",
        thread="",
        has_attachment=attachment,
        has_invite=invite,
        structure=b"",
    )


def stub(account_id: int, uid: int, *, mailbox_id: int, gen: int, problem: str, now: datetime) -> Incoming:
    """Stands for a message that the server lists and cannot hand over; replaced when it can."""
    return _incoming(
        account_id,
        HeaderSummary(),
        uid=uid,
        flags=int(Flag.SEEN),
        keywords=(),
        modseq=None,
        received_at=now,
        size=0,
        mark=fingerprint(b"%d:%d:%d" % (mailbox_id, gen, uid), 0),
        email_id="",
        thread="",
        has_attachment=False,
        has_invite=False,
        structure=b"",
        problem=problem,
    )


def _incoming(
    account_id: int,
    head: HeaderSummary,
    *,
    uid: int,
    flags: int,
    keywords: tuple[str, ...],
    modseq: int | None,
    received_at: datetime,
    size: int,
    mark: str,
    email_id: str,
    thread: str,
    has_attachment: bool,
    has_invite: bool,
    structure: bytes,
    problem: str = "",
    labels: tuple[str, ...] | None = None,
) -> Incoming:
    author = (head.from_ or head.sender or (_NOBODY,))[0]
    people = _people(head)
    return Incoming(
        uid=uid,
        flags=flags,
        keywords=keywords,
        modseq=modseq,
        received_at=received_at,
        sent_at=_moment(head.date),
        size=size,
        fingerprint=mark,
        email_id=email_id[:255],
        message_id=head.message_id,
        in_reply_to=head.in_reply_to,
        references=head.references,
        subject=head.subject,
        from_name=author.name,
        from_address=author.addr_spec,
        people=_people_text(people),
        has_attachment=has_attachment,
        has_invite=has_invite,
        list_id=head.list_id,
        extra=_extra(head),
        structure=structure,
        refs=_refs(head, thread=thread),
        document=header_document(account_id, head.subject, people),
        problem=problem,
        labels=labels,
    )


_NOBODY = Address("", "")
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _people(head: HeaderSummary) -> dict[str, tuple[tuple[str, str], ...]]:
    fields: Iterable[tuple[str, Sequence[Address]]] = (
        ("from", head.from_),
        ("sender", head.sender),
        ("reply_to", head.reply_to),
        ("to", head.to),
        ("cc", head.cc),
        ("bcc", head.bcc),
    )
    return {name: tuple((one.name, one.addr_spec) for one in found[:MOST_PEOPLE]) for name, found in fields if found}


def _people_text(people: Mapping[str, tuple[tuple[str, str], ...]]) -> str:
    """The people as JSON, put together of fields: most are one person who stands in many messages."""
    return "{" + ",".join([f'"{name}":{_members(found)}' for name, found in people.items()]) + "}"


def _members(found: tuple[tuple[str, str], ...]) -> str:
    return _few(found) if len(found) <= 2 else _dump(found)


_few: Final = lru_cache(maxsize=4096)(_dump)


def _extra(head: HeaderSummary) -> str:
    rarer = {
        "list_post": head.list_post,
        "list_unsubscribe": head.list_unsubscribe,
        "list_unsubscribe_post": head.list_unsubscribe_post,
        "auto_submitted": head.auto_submitted,
        "importance": head.importance,
        "authentication_results": head.authentication_results,
        "disposition_notification_to": [one.addr_spec for one in head.disposition_notification_to],
        "warnings": sorted(head.warnings),
    }
    found = {name: value for name, value in rarer.items() if value}
    return _dump(found) if found else "{}"


def _refs(head: HeaderSummary, *, thread: str) -> tuple[str, ...]:
    named = dict.fromkeys((head.message_id, head.in_reply_to, *reversed(head.references)))
    refs = [ref_hash(identifier) for identifier in named if identifier][:MOST_REFS]
    return (ref_hash(f"thread id\0{thread}"), *refs) if thread else tuple(refs)


def _moment(when: datetime | None) -> datetime | None:
    """The date if a mailbox can be sorted by it; senders claim the years 1 and 9999."""
    if when is None:
        return None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    try:
        return when if _EARLIEST < when < _LATEST else None
    except OverflowError:
        return None
