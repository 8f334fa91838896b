"""The POP3 face (RFC 1939, CAPA of RFC 2449) on the INBOX of an account.

Invariants: one session at a time holds a maildrop; what it lists never changes while it lasts; messages marked with
DELE go only at QUIT, and a connection that breaks deletes nothing.
"""

import asyncio
import re
from dataclasses import dataclass, field

from deploy.demo.imap.signing_in import verify
from deploy.demo.store import Mailbox, Row, Store

TIMEOUT = 600.0  # RFC 1939 section 3 asks for at least ten minutes
CAPABILITIES = ("USER", "UIDL", "TOP", "RESP-CODES", "PIPELINING", "EXPIRE NEVER", "IMPLEMENTATION Mailroom-demo")


class Refused(Exception):
    """Answered with -ERR and this sentence."""


@dataclass(slots=True)
class PopSession:
    """One client; `locked` is shared by all sessions and holds the ids of maildrops in use."""

    store: Store
    locked: set[int]
    user: str = ""
    box: Mailbox | None = None
    rows: list[Row] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)
    closing: bool = False

    def answer(self, line: str) -> bytes:
        """The whole answer to one command line; raises Refused."""
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if verb == "CAPA":
            return _lines("+OK", [entry.encode() for entry in CAPABILITIES])
        if verb == "QUIT":
            return self._quit()
        if self.box is None:
            return self._authorization(verb, rest)
        return self._transaction(verb, rest.split())

    def _authorization(self, verb: str, rest: str) -> bytes:
        if verb == "USER":
            self.user = rest.strip()
            return b"+OK And the password?\r\n"
        if verb != "PASS":
            raise Refused("Please sign in first")
        account = verify(self.store, self.user, rest)
        box = None if account is None else self.store.find_mailbox(account, "INBOX")
        if box is None:
            raise Refused("[AUTH] The address or the password is wrong")
        if box.id in self.locked:
            raise Refused("[IN-USE] Somebody else is reading this mailbox")
        self.locked.add(box.id)
        self.box, self.rows = box, self.store.rows(box.id)
        return b"+OK %d messages\r\n" % len(self.rows)

    def _transaction(self, verb: str, args: list[str]) -> bytes:
        match verb:
            case "STAT":
                kept = [row for _, row in self._kept()]
                return b"+OK %d %d\r\n" % (len(kept), sum(row.size for row in kept))
            case "LIST" | "UIDL":
                return self._list(verb, args)
            case "RETR" | "TOP":
                _, row = self._row(args)
                raw = self.store.raw(row.content)
                if verb == "TOP":
                    raw = top(raw, _number(args[1:]))
                return _lines(f"+OK {row.size} octets", raw.removesuffix(b"\r\n").split(b"\r\n"))
            case "DELE":
                number, _ = self._row(args)
                self.deleted.add(number)
                return b"+OK It goes when you leave\r\n"
            case "RSET":
                self.deleted.clear()
                return b"+OK Nothing will be deleted\r\n"
            case "NOOP":
                return b"+OK\r\n"
        raise Refused("I do not know that command")

    def _kept(self) -> list[tuple[int, Row]]:
        return [(number, row) for number, row in enumerate(self.rows, 1) if number not in self.deleted]

    def _row(self, args: list[str]) -> tuple[int, Row]:
        number = _number(args[:1])
        found = dict(self._kept()).get(number)
        if found is None:
            raise Refused("There is no such message")
        return number, found

    def _list(self, verb: str, args: list[str]) -> bytes:
        def value(row: Row) -> str:
            return str(row.size) if verb == "LIST" else self._unique_id(row)

        if args:
            number, row = self._row(args)
            return f"+OK {number} {value(row)}\r\n".encode()
        return _lines("+OK", [f"{number} {value(row)}".encode() for number, row in self._kept()])

    def _unique_id(self, row: Row) -> str:
        assert self.box is not None
        return f"{self.box.uidvalidity}.{row.uid}"

    def _quit(self) -> bytes:
        self.closing = True
        if self.box is not None:
            self.store.expunge(self.box.id, [self.rows[number - 1].uid for number in self.deleted])
        return b"+OK See you\r\n"

    def release(self) -> None:
        if self.box is not None:
            self.locked.discard(self.box.id)


def _number(args: list[str]) -> int:
    if not args or re.fullmatch(r"\d{1,9}", args[0]) is None:
        raise Refused("A number was expected")
    return int(args[0])


def _lines(first: str, lines: list[bytes]) -> bytes:
    """A multi-line answer with dots stuffed and the closing dot."""
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"\r\n".join([first.encode(), *stuffed, b".\r\n"])


def top(raw: bytes, count: int) -> bytes:
    """The header, the empty line, and `count` lines of the body."""
    header, separator, body = raw.partition(b"\r\n\r\n")
    return header + separator + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:count])


async def serve_pop3(
    store: Store, locked: set[int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection to its end; never raises for what a client does."""
    session = PopSession(store, locked)
    writer.write(b"+OK Mailroom demo\r\n")
    try:
        while not session.closing:
            await writer.drain()
            line = await asyncio.wait_for(reader.readuntil(b"\n"), TIMEOUT)
            try:
                writer.write(session.answer(line.decode("utf-8", "replace").rstrip("\r\n")))
            except Refused as refusal:
                writer.write(f"-ERR {refusal}\r\n".encode())
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
        pass
    finally:
        session.release()
        writer.close()
