"""One IMAP connection: what it has selected, what it has been told, and the loop that answers commands.

Invariants:
- a client hears of an EXPUNGE only where sequence numbers may change (not during FETCH, STORE, SEARCH by number;
  RFC 3501 section 7.4.1), and always before it hears of new messages;
- flags changed by others are told once, flags changed here are told by the command itself.
"""

import asyncio
import re
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from deploy.demo.imap.wire import Bad, No, Token, TooLong, atom, read_command, tokenize
from deploy.demo.store import Mailbox, Row, Store

CAPABILITIES = (
    "IMAP4rev1 LITERAL+ ID ENABLE NAMESPACE IDLE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE "
    "LIST-EXTENDED LIST-STATUS CONDSTORE ESEARCH AUTH=PLAIN SASL-IR"
)
IDLE_TIMEOUT = 35 * 60.0
# by sequence number: between these commands and their answers the numbers must stand still
KEEPS_NUMBERS = {"FETCH", "STORE", "SEARCH"}

Handler = Callable[["Session", list[Token]], Awaitable[str]]


@dataclass(slots=True)
class Selected:
    """The selected mailbox as this client knows it: `uids` by sequence number, and up to where it has been told."""

    mailbox: int
    read_only: bool
    uids: list[int]
    told: int
    flags_told: int
    stop_watching: Callable[[], None]

    def number(self, uid: int) -> int:
        """The sequence number of a UID; 0 when the client does not know of it."""
        at = bisect_left(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else 0


@dataclass(slots=True)
class Session:
    """One client, from greeting to logout."""

    store: Store
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    account: int | None = None
    selected: Selected | None = None
    condstore: bool = False
    closing: bool = False
    tag: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, line: str | bytes) -> None:
        """Queue one response line, with CRLF put behind it."""
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def signed_in(self) -> int:
        if self.account is None:
            raise Bad("Please sign in first")
        return self.account

    def mailbox(self, name: str) -> Mailbox:
        found = self.store.find_mailbox(self.signed_in(), name)
        if found is None:
            raise No("[NONEXISTENT] There is no such mailbox")
        return found

    def chosen(self, *, to_write: bool = False) -> Selected:
        if self.selected is None:
            raise Bad("Please select a mailbox first")
        if to_write and self.selected.read_only:
            raise No("[READ-ONLY] The mailbox was opened for reading")
        return self.selected

    def select(self, box: Mailbox, *, read_only: bool) -> Selected:
        self.unselect()
        high = box.highestmodseq
        self.selected = Selected(
            mailbox=box.id,
            read_only=read_only,
            uids=self.store.uids(box.id),
            told=high,
            flags_told=high,
            stop_watching=self.store.watch(box.id, self.news.set),
        )
        return self.selected

    def unselect(self) -> None:
        if self.selected is not None:
            self.selected.stop_watching()
            self.selected = None

    def tell_news(self, *, numbers_may_change: bool = True) -> None:
        """Send EXPUNGE, EXISTS and FETCH for what changed since the client was last told."""
        self.news.clear()
        selected = self.selected
        if selected is None:
            return
        box = self.store.get_mailbox(selected.mailbox)
        if box is not None and box.highestmodseq == selected.told:
            return
        current = self.store.uids(selected.mailbox)
        if numbers_may_change:
            self._tell_expunged(selected, set(current))
        newest = selected.uids[-1] if selected.uids else 0
        arrived = [uid for uid in current if uid > newest]
        for row in self.store.rows(selected.mailbox, changed_since=selected.flags_told):
            if selected.number(row.uid):
                self.send(self.flags_line(row))
        if arrived:
            selected.uids += arrived
            self.send(f"* {len(selected.uids)} EXISTS")
        if box is not None:
            selected.flags_told = box.highestmodseq
            if selected.uids == current:
                selected.told = box.highestmodseq

    def _tell_expunged(self, selected: Selected, current: set[int]) -> None:
        for at in range(len(selected.uids) - 1, -1, -1):
            if selected.uids[at] not in current:
                del selected.uids[at]
                self.send(f"* {at + 1} EXPUNGE")

    def flags_line(self, row: Row, *, silent: bool = False) -> str:
        """An unasked FETCH with a message's flags; `silent` leaves all but the mod-sequence out."""
        parts = [f"UID {row.uid}"]
        if not silent:
            parts.append(f"FLAGS ({' '.join(row.flags)})")
        if self.condstore:
            parts.append(f"MODSEQ ({row.modseq})")
        number = self.selected.number(row.uid) if self.selected else 0
        return f"* {number} FETCH ({' '.join(parts)})"

    async def run(self, handlers: dict[str, Handler]) -> None:
        """Serve until the client leaves or goes silent for too long."""
        self.send(f"* OK [CAPABILITY {CAPABILITIES}] Mailroom demo at your service")
        try:
            while not self.closing:
                await self.writer.drain()
                pieces = await asyncio.wait_for(read_command(self.reader, self.invite), IDLE_TIMEOUT)
                await self._answer(pieces, handlers)
            await self.writer.drain()
        except TooLong:
            self.send("* BYE That is more than fits")
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            self.unselect()
            self.writer.close()

    def invite(self) -> None:
        self.send("+ Go ahead")

    async def _answer(self, pieces: list[bytes], handlers: dict[str, Handler]) -> None:
        self.tag, verb = _tag(pieces[0]), ""
        try:
            tokens = tokenize(pieces)
            verb = atom(tokens[1]).upper()
            handler = handlers.get(verb)
            if handler is None:
                raise Bad("I do not know that command")
            reply = "OK " + await handler(self, tokens[2:])
        except No as refusal:
            reply = f"NO {refusal}"
        except Bad as refusal:
            reply = f"BAD {refusal}"
        except IndexError:
            reply = "BAD Something is missing from that command"
        self.tell_news(numbers_may_change=verb not in KEEPS_NUMBERS)
        self.send(f"{self.tag} {reply}")


def _tag(line: bytes) -> str:
    """The tag of a command, also of one that makes no sense, so that its BAD finds the way back."""
    found = re.match(rb"[A-Za-z0-9.,:;_/$#!?@^~|=<>'`-]+", line)
    return found[0].decode() if found else "*"
