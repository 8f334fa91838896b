"""What the IMAP adapter hands to the sync: frozen values, nothing of the wire left in them but opaque slices.

Invariants: names of mailboxes are the server's own bytes (their identity; `imap_names` makes them readable); a flag
is text as the server wrote it; numbers a server may keep to itself are None, never invented. RFC 9051 sections 2.3
and 7, RFC 7162 (CONDSTORE, QRESYNC), RFC 8474 (OBJECTID).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from webmail.protocols.uidset import MAX_UID, UidSet

__all__ = [
    "MAX_UID",
    "AppendResult",
    "BadRow",
    "CopyResult",
    "Event",
    "Exists",
    "Expunged",
    "FlagRow",
    "HeaderRow",
    "ListedMailbox",
    "MailboxStatus",
    "MoveResult",
    "Namespace",
    "Notice",
    "Selected",
    "UidSet",
    "Unidentified",
    "Vanished",
]


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """One STATUS reply. uidvalidity and uidnext are 0 when the server does not tell: no stable UIDs, no skip."""

    messages: int
    uidnext: int
    uidvalidity: int
    unseen: int | None = None
    highestmodseq: int | None = None
    mailbox_id: str | None = None


@dataclass(frozen=True, slots=True)
class ListedMailbox:
    """One mailbox of LIST. Attributes are lower-cased (`\\sent`, `\\noselect`); delimiter is None for a flat name."""

    wire_name: bytes
    delimiter: str | None
    attributes: frozenset[str]
    subscribed: bool
    status: MailboxStatus | None = None

    @property
    def selectable(self) -> bool:
        """Whether SELECT may work on it."""
        return not self.attributes & {"\\noselect", "\\nonexistent"}

    @property
    def mailbox_id(self) -> str | None:
        """The server's own identity of the mailbox (RFC 8474), where it came with the listing."""
        return self.status.mailbox_id if self.status else None


LABELS = "X-GM-EXT-1"  # the capability of Gmail, where folders are labels


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a person's own mailboxes live (RFC 2342): a prefix such as `INBOX.`, empty on most servers."""

    prefix: bytes = b""
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """One message as the list needs it. `header` is the raw block of the fields asked for, `size` in bytes.

    `bodystructure` is the opaque parenthesised list, literals in it rewritten as quoted strings; empty when the
    server gave none or nested it beyond reason. `internaldate` is None when the server's date makes no sense.
    `labels` are Gmail's, undecoded (modified UTF-7); None on other servers.
    """

    uid: int
    flags: frozenset[str]
    internaldate: datetime | None
    size: int
    bodystructure: bytes
    header: bytes
    modseq: int | None = None
    emailid: str | None = None
    threadid: str | None = None
    gm_msgid: int | None = None
    gm_thrid: int | None = None
    labels: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class FlagRow:
    """The flags of one message, asked for or volunteered by the server."""

    uid: int
    flags: frozenset[str]
    modseq: int | None = None
    labels: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A FETCH row that could not be read. `reason` is ours and quotes no mail; uid is None when even that is lost."""

    uid: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """UIDs the server says are gone (RFC 7162 section 3.2.10); may name UIDs that never were.

    `earlier` ones answer a question about the past and are not news about this session.
    """

    uids: UidSet
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """The mailbox now holds this many messages."""

    count: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """The message of this sequence number is gone and all later numbers moved down by one."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Some message changed, but the server did not name its UID. Only good for knowing that there is news."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Words of the server outside any answer: an ALERT, a BYE, or more news than is kept (code `OVERFLOW`)."""

    code: str
    text: str


Event: TypeAlias = Exists | Expunged | Vanished | FlagRow | Unidentified | Notice


@dataclass(frozen=True, slots=True)
class Selected:
    """A mailbox at the moment of its selection: the snapshot a pass builds upon.

    highestmodseq is None when the mailbox keeps no mod-sequences. `vanished` and `changed` are what came with a
    QRESYNC selection; `resynced` says that they are complete. uidvalidity 0: the server has no stable UIDs.
    """

    wire_name: bytes
    read_only: bool
    exists: int
    uidvalidity: int
    uidnext: int
    highestmodseq: int | None = None
    flags: frozenset[str] = frozenset()
    permanent_flags: frozenset[str] = frozenset()
    mailbox_id: str | None = None
    resynced: bool = False
    vanished: UidSet = field(default_factory=UidSet)
    changed: tuple[FlagRow, ...] = ()

    def keeps_flag(self, flag: str) -> bool:
        """Whether a STORE of this flag would last (RFC 9051 section 7.1, PERMANENTFLAGS)."""
        kept = {known.lower() for known in self.permanent_flags}
        return flag.lower() in kept or ("\\*" in kept and not flag.startswith("\\"))


@dataclass(frozen=True, slots=True)
class AppendResult:
    """Where an appended message landed (RFC 4315); both None when the server does not say."""

    uidvalidity: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class CopyResult:
    """Source UID to destination UID, as far as the server says (RFC 4315)."""

    uids: Mapping[int, int] = field(default_factory=dict)
    uidvalidity: int | None = None


@dataclass(frozen=True, slots=True)
class MoveResult:
    """As CopyResult. `left_deleted` are sources that only carry \\Deleted: the server cannot expunge just these."""

    uids: Mapping[int, int] = field(default_factory=dict)
    uidvalidity: int | None = None
    left_deleted: UidSet = field(default_factory=UidSet)
