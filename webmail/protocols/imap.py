"""A session with an IMAP server, in words of mail: the face the sync sees.

Invariants: a Session is logged in over verified TLS from the first moment; every wait is bounded by its deadline;
after ConnectionLost or ProtocolViolation it is closed and stays so; one command at a time, so rows still being
iterated are void once another method is called. Everything returned is a frozen value of `values`; everything raised
is of `errors`, or ValueError for an argument that no server should see. RFC 9051, RFC 7162 (CONDSTORE, QRESYNC).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import IO

from webmail.protocols import imap_change, imap_fetch, imap_mailboxes, imap_select
from webmail.protocols.imap_login import log_in
from webmail.protocols.imap_search import UidSearch
from webmail.protocols.imap_wire.limits import MIB
from webmail.protocols.imap_wire.wire import Wire
from webmail.protocols.net import Credential, Endpoint
from webmail.protocols.values import (
    AppendResult,
    BadRow,
    CopyResult,
    Event,
    Exists,
    FlagRow,
    HeaderRow,
    ListedMailbox,
    MailboxStatus,
    MoveResult,
    Namespace,
    Notice,
    Selected,
    UidSet,
    Vanished,
)


def connect(
    endpoint: Endpoint, credential: Credential, *, deadline: float = 60.0, sock: socket.socket | None = None
) -> Session:
    """Dial, secure, log in. `deadline`: seconds any one command may take (searches, copies and uploads get more).

    `sock` stands in for a dialled socket. Raises MailServerError: HostNotAllowed, Unreachable, TlsFailed,
    AuthenticationFailed, Throttled, ConnectionLost, ProtocolViolation.
    """
    return Session(log_in(endpoint, credential, deadline=deadline, sock=sock))


class Session:
    """One logged-in connection. Use as a context manager, or end it with `logout` or `close`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._search = UidSearch(wire)
        self._selected: Selected | None = None
        self._exists = 0
        self.ended: Callable[[], object] | None = None  # called once, when the connection is given up

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.logout()
        else:
            self.close()

    @property
    def capabilities(self) -> frozenset[str]:
        """Upper-case, as after the login; QRESYNC is there only if it could be enabled."""
        return self._wire.capabilities

    @property
    def closed(self) -> bool:
        """Whether the connection is gone; every command then raises ConnectionLost."""
        return self._wire.closed

    @property
    def selected(self) -> Selected | None:
        """The mailbox that is open, as it was at its selection."""
        return self._selected

    # mailboxes from outside

    def list_mailboxes(self) -> list[ListedMailbox]:
        """All mailboxes, with their status where the server gives it along. Raises CommandFailed."""
        return imap_mailboxes.list_mailboxes(self._wire)

    def namespace(self) -> Namespace:
        """Where new mailboxes of the person belong."""
        return imap_mailboxes.namespace(self._wire)

    def status(self, wire_name: bytes) -> MailboxStatus:
        """The counters of a mailbox other than the selected one. Raises CommandFailed."""
        return imap_mailboxes.status(self._wire, wire_name)

    def create(self, wire_name: bytes) -> str | None:
        """Make a mailbox; returns its MAILBOXID if told. Raises CommandFailed (ALREADYEXISTS, NOPERM...)."""
        return imap_mailboxes.create(self._wire, wire_name)

    def rename(self, wire_name: bytes, *, to: bytes) -> None:
        """Rename a mailbox and all below it. Raises CommandFailed."""
        imap_mailboxes.rename(self._wire, wire_name, to)

    def delete(self, wire_name: bytes) -> None:
        """Remove a mailbox with its messages. Raises CommandFailed."""
        imap_mailboxes.delete(self._wire, wire_name)

    def subscribe(self, wire_name: bytes) -> None:
        """Put the name on the list of subscriptions. Raises CommandFailed."""
        imap_mailboxes.subscribe(self._wire, wire_name, subscribed=True)

    def unsubscribe(self, wire_name: bytes) -> None:
        """Take the name off the list of subscriptions. Raises CommandFailed."""
        imap_mailboxes.subscribe(self._wire, wire_name, subscribed=False)

    # the selected mailbox

    def select(self, wire_name: bytes, *, read_only: bool, qresync: tuple[int, int] | None = None) -> Selected:
        """Open a mailbox. `qresync` = (UIDVALIDITY, HIGHESTMODSEQ) held: the answer brings what changed since.

        It is passed over on servers without QRESYNC (`resynced` is then False). Raises CommandFailed.
        News of the mailbox open before, if not drained, is dropped.
        """
        self._selected = None
        for event in self._wire.take_events():
            if isinstance(event, Notice):  # the rest was about the mailbox we leave
                self._wire.file_event(event)
        self._selected = imap_select.select(self._wire, wire_name, read_only=read_only, qresync=qresync)
        self._exists = self._selected.exists
        return self._selected

    def unselect(self) -> list[Event]:
        """Leave the mailbox, expunging nothing; returns the news that came until now. Raises CommandFailed."""
        if self._selected is not None:
            imap_select.unselect(self._wire, self._selected)
            self._selected = None
        return self.drain_events()

    def fetch_headers(
        self, uids: UidSet | None = None, *, sequence: tuple[int, int] | None = None, believe: bool = False
    ) -> Iterator[HeaderRow | BadRow]:
        """Rows of these UIDs, or of a range of sequence numbers, as they arrive. Asks nothing before it is iterated.

        UIDs the server passes over in silence are not proven absent. A message it refuses to show is a BadRow if it
        shows another one, or ``believe`` is set. Raises CommandFailed.
        """
        if (uids is None) == (sequence is None):
            raise ValueError("either UIDs or a range of sequence numbers")
        modseq = self._keeps_modseq
        return imap_fetch.fetch_headers(self._wire, uids=uids, sequence=sequence, modseq=modseq, believe=believe)

    def fetch_flags(self, uids: UidSet, *, changed_since: int | None = None) -> Iterator[FlagRow | Vanished | BadRow]:
        """Flags of these UIDs; with changed_since only of those changed after that mod-sequence.

        Under QRESYNC the latter also yields Vanished(earlier=True). Raises CommandFailed.
        """
        return imap_fetch.fetch_flags(
            self._wire, uids, changed_since=changed_since, modseq=self._keeps_modseq or changed_since is not None
        )

    def search_uids(self, low: int, high: int) -> UidSet:
        """The UIDs present from low to high: complete, else it raises. Raises CommandFailed."""
        return self._search.between(low, high, exists=self._known_exists())

    def search_message_id(self, message_id: str, *, since_uid: int) -> UidSet:
        """UIDs >= since_uid with this Message-ID, by reading headers. Raises CommandFailed."""
        return imap_fetch.search_message_id(self._wire, message_id, since_uid=since_uid)

    def fetch_section(self, uid: int, section: str, *, max_bytes: int, partial: tuple[int, int] | None = None) -> bytes:
        """A body section ("1.2", "TEXT", "" for all), still transfer-encoded, cut at max_bytes.

        `partial` is (offset, length). Raises CommandFailed with code NONEXISTENT when it is not there.
        """
        return imap_fetch.fetch_section(self._wire, uid, section, max_bytes=max_bytes, partial=partial)

    def fetch_sections(self, sections: Mapping[int, str], *, first_bytes: int) -> Iterator[tuple[int, bytes]]:
        """The beginning of one section each: (UID, bytes). What the server does not show is left out."""
        return imap_fetch.fetch_sections(self._wire, sections, first_bytes=first_bytes)

    def stream_body(self, uid: int, section: str, writer: Callable[[bytes], object], *, chunk: int = MIB) -> int:
        """Write a section piece by piece, in the memory of one chunk; returns its length in bytes.

        Raises CommandFailed (NONEXISTENT, TOOBIG); what was written before is then void.
        """
        return imap_fetch.stream_body(self._wire, uid, section, writer, chunk=chunk)

    def store_flags(self, uids: UidSet, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Add and remove flags; can be repeated without harm. Raises CommandFailed, ValueError."""
        imap_change.store_flags(self._wire, uids, add=add, remove=remove)

    def store_labels(self, uids: UidSet, *, add: Collection[bytes] = (), remove: Collection[bytes] = ()) -> None:
        """Add and remove labels on a server that offers X-GM-EXT-1. Raises CommandFailed, ValueError."""
        imap_change.store_labels(self._wire, uids, add=add, remove=remove)

    def copy(self, uids: UidSet, destination: bytes) -> CopyResult:
        """Copy to another mailbox. Raises CommandFailed (TRYCREATE, OVERQUOTA...)."""
        return imap_change.copy(self._wire, uids, destination)

    def move(self, uids: UidSet, destination: bytes) -> MoveResult:
        """Move to another mailbox; `left_deleted` tells what could only be marked. Raises CommandFailed."""
        return imap_change.move(self._wire, uids, destination)

    def expunge(self, uids: UidSet) -> bool:
        """Remove those that carry \\Deleted; False, nothing done, where the server cannot remove just these."""
        return imap_change.expunge(self._wire, uids)

    def append(
        self,
        wire_name: bytes,
        data: bytes | IO[bytes],
        *,
        flags: Collection[str] = (),
        internaldate: datetime | None = None,
    ) -> AppendResult:
        """Store a message with CRLF line ends, from memory or, in the memory of a piece, from a file.

        Raises CommandFailed (TRYCREATE, OVERQUOTA...), ValueError for what IMAP cannot carry: a NUL.
        """
        return imap_change.append(self._wire, wire_name, data, flags=flags, internaldate=internaldate)

    # news, and the end

    def noop(self) -> list[Event]:
        """Ask for news, and hear that the connection lives. Raises ConnectionLost."""
        self._wire.finish(b"NOOP")
        return self.drain_events()

    def drain_events(self) -> list[Event]:
        """What the server volunteered since the last time, in order."""
        self._known_exists()
        return self._wire.take_events()

    def logout(self) -> None:
        """Say goodbye and hang up. Never raises."""
        self._wire.leave()
        self._end()

    def close(self) -> None:
        """Hang up. Never raises."""
        self._wire.close()
        self._end()

    def _end(self) -> None:
        ended, self.ended = self.ended, None
        if ended is not None:
            ended()

    def detach(self) -> tuple[socket.socket, bytes]:
        """Give the socket away, with the bytes already read from it. The session is closed thereby."""
        channel, leftover = self._wire.detach()
        return channel.detach(), leftover

    @property
    def _keeps_modseq(self) -> bool:
        return self._selected is not None and self._selected.highestmodseq is not None

    def _known_exists(self) -> int:
        """The largest count heard of: between news of arrivals and of removals it errs towards more."""
        counts = [event.count for event in self._wire.events() if isinstance(event, Exists)]
        self._exists = max([self._exists, *counts])
        return self._exists
