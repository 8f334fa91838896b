"""Mail of the demo, kept in one SQLite file so that a restart finds everything again.

Invariants:
- within one mailbox UIDs only grow and are never reused under the same UIDVALIDITY (RFC 3501 section 2.3.1.1);
- every change of a mailbox, an expunge included, takes a new mod-sequence, so an unchanged HIGHESTMODSEQ means
  an unchanged mailbox (RFC 7162 section 3.1.1);
- the bytes of a message never change; copies share them, and the last message to go takes them along.
Every method commits before it returns and then wakes those who watch the mailbox.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.demo.structure import body_structure, envelope
from deploy.demo.wiremime import parse_message

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mailbox (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account, name TEXT NOT NULL,
    special_use TEXT NOT NULL, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1,
    highestmodseq INTEGER NOT NULL DEFAULT 1, subscribed INTEGER NOT NULL DEFAULT 1, UNIQUE (account, name));
CREATE TABLE IF NOT EXISTS content (
    id INTEGER PRIMARY KEY, header BLOB NOT NULL, envelope BLOB NOT NULL, structure BLOB NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS message (
    mailbox INTEGER NOT NULL REFERENCES mailbox, uid INTEGER NOT NULL, modseq INTEGER NOT NULL, flags TEXT NOT NULL,
    internaldate INTEGER NOT NULL, size INTEGER NOT NULL, content INTEGER NOT NULL REFERENCES content,
    PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_content ON message (content);
"""

MAILBOX_COLUMNS = "id, account, name, special_use, uidvalidity, uidnext, highestmodseq, subscribed"
ROW_COLUMNS = "uid, modseq, flags, internaldate, size, content"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox; `name` is decoded and '/' separates its levels, `special_use` is '' or such as '\\Sent'."""

    id: int
    account: int
    name: str
    special_use: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One message in one mailbox; `internaldate` in seconds since 1970, `size` in bytes."""

    uid: int
    modseq: int
    flags: tuple[str, ...]
    internaldate: int
    size: int
    content: int


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is needed to file a message: bytes with CRLF, flags, and when it came (seconds since 1970)."""

    raw: bytes
    flags: tuple[str, ...] = ()
    internaldate: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """Where copies went (RFC 4315 section 3): the two UID lists run side by side."""

    uidvalidity: int
    source: tuple[int, ...]
    target: tuple[int, ...]


class Store:
    """Owns the SQLite connection and the list of those who want to hear about changes."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._watchers: dict[int, set[Callable[[], None]]] = {}

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept or nothing is; nests, the outermost commits."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # people

    def is_empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM account LIMIT 1").fetchone() is None

    def add_account(self, address: str, *, name: str, password: str) -> int:
        """Add somebody with an INBOX. An empty password means that mail arrives but nobody can sign in."""
        with self.transaction():
            cursor = self._db.execute(
                "INSERT INTO account (address, name, password) VALUES (?, ?, ?)", (address.lower(), name, password)
            )
            account = int(cursor.lastrowid or 0)
            self.create_mailbox(account, "INBOX")
        return account

    def find_account(self, address: str) -> int | None:
        row = self._db.execute("SELECT id FROM account WHERE address = ?", (address.lower(),)).fetchone()
        return None if row is None else int(row[0])

    def password_of(self, account: int) -> str:
        return str(self._db.execute("SELECT password FROM account WHERE id = ?", (account,)).fetchone()[0])

    # mailboxes

    def mailboxes(self, account: int) -> list[Mailbox]:
        """All mailboxes of an account, INBOX first, then by name."""
        found = self._db.execute(
            f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE account = ? ORDER BY name != 'INBOX', name",  # noqa: S608 - columns are a constant
            (account,),
        )
        return [_mailbox(row) for row in found]

    def find_mailbox(self, account: int, name: str) -> Mailbox | None:
        row = self._db.execute(
            f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE account = ? AND name = ?",  # noqa: S608 - columns are a constant
            (account, normal_name(name)),
        ).fetchone()
        return None if row is None else _mailbox(row)

    def get_mailbox(self, mailbox: int) -> Mailbox | None:
        row = self._db.execute(
            f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE id = ?",  # noqa: S608 - columns are a constant
            (mailbox,),
        ).fetchone()
        return None if row is None else _mailbox(row)

    def create_mailbox(self, account: int, name: str, *, special_use: str = "") -> Mailbox:
        """Create a mailbox and the levels above it that are missing; raises ValueError when it exists."""
        name = normal_name(name)
        if self.find_mailbox(account, name) is not None:
            raise ValueError(name)
        with self.transaction():
            parent = name.rpartition("/")[0]
            if parent and self.find_mailbox(account, parent) is None:
                self.create_mailbox(account, parent)
            highest = self._db.execute("SELECT coalesce(max(uidvalidity), 0) FROM mailbox").fetchone()[0]
            self._db.execute(
                "INSERT INTO mailbox (account, name, special_use, uidvalidity) VALUES (?, ?, ?, ?)",
                (account, name, special_use, max(int(time.time()), highest + 1)),
            )
        created = self.find_mailbox(account, name)
        assert created is not None
        return created

    def delete_mailbox(self, mailbox: int) -> None:
        with self.transaction():
            self.expunge(mailbox, self.uids(mailbox))
            self._db.execute("DELETE FROM mailbox WHERE id = ?", (mailbox,))
        self._wake(mailbox)

    def rename_mailbox(self, box: Mailbox, name: str) -> None:
        """Rename with everything below and make the levels above; the caller has seen that the new name is free."""
        with self.transaction():
            parent = name.rpartition("/")[0]
            if parent and self.find_mailbox(box.account, parent) is None:
                self.create_mailbox(box.account, parent)
            for other in self.mailboxes(box.account):
                if other.name == box.name or other.name.startswith(box.name + "/"):
                    renamed = name + other.name[len(box.name) :]
                    self._db.execute("UPDATE mailbox SET name = ? WHERE id = ?", (renamed, other.id))

    def subscribe(self, mailbox: int, subscribed: bool) -> None:
        self._db.execute("UPDATE mailbox SET subscribed = ? WHERE id = ?", (int(subscribed), mailbox))

    # messages

    def uids(self, mailbox: int) -> list[int]:
        return [
            uid for (uid,) in self._db.execute("SELECT uid FROM message WHERE mailbox = ? ORDER BY uid", (mailbox,))
        ]

    def rows(self, mailbox: int, *, changed_since: int = -1) -> list[Row]:
        """The messages of a mailbox by UID, or those whose mod-sequence is above `changed_since`."""
        found = self._db.execute(
            f"SELECT {ROW_COLUMNS} FROM message WHERE mailbox = ? AND modseq > ? ORDER BY uid",  # noqa: S608 - columns are a constant
            (mailbox, changed_since),
        )
        return [_row(row) for row in found]

    def raw(self, content: int) -> bytes:
        return self._cached(content, "raw")

    def header(self, content: int) -> bytes:
        return self._cached(content, "header")

    def envelope(self, content: int) -> bytes:
        return self._cached(content, "envelope")

    def structure(self, content: int) -> bytes:
        return self._cached(content, "structure")

    def _cached(self, content: int, column: Literal["raw", "header", "envelope", "structure"]) -> bytes:
        """One column of a message's bytes; b'' when another session has expunged the message meanwhile."""
        row = self._db.execute(f"SELECT {column} FROM content WHERE id = ?", (content,)).fetchone()  # noqa: S608 - one of four literals
        return b"" if row is None else bytes(row[0])

    def append(self, mailbox: int, messages: Sequence[NewMessage]) -> list[int]:
        """File messages and return their UIDs."""
        with self.transaction():
            contents = [self._keep(message.raw) for message in messages]
            uids = self._file(
                mailbox,
                [(m.flags, m.internaldate, len(m.raw), content) for m, content in zip(messages, contents, strict=True)],
            )
        self._wake(mailbox)
        return uids

    def _keep(self, raw: bytes) -> int:
        root = parse_message(raw)
        cursor = self._db.execute(
            "INSERT INTO content (header, envelope, structure, raw) VALUES (?, ?, ?, ?)",
            (root.header_bytes, envelope(root), body_structure(root), raw),
        )
        return int(cursor.lastrowid or 0)

    def _file(self, mailbox: int, entries: Sequence[tuple[tuple[str, ...], int, int, int]]) -> list[int]:
        uidnext, modseq = self._db.execute(
            "SELECT uidnext, highestmodseq + 1 FROM mailbox WHERE id = ?", (mailbox,)
        ).fetchone()
        uids = list(range(uidnext, uidnext + len(entries)))
        self._db.executemany(
            f"INSERT INTO message (mailbox, {ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - columns are a constant
            [
                (mailbox, uid, modseq, " ".join(flags), date, size, content)
                for uid, (flags, date, size, content) in zip(uids, entries, strict=True)
            ],
        )
        self._db.execute(
            "UPDATE mailbox SET uidnext = ?, highestmodseq = ? WHERE id = ?", (uidnext + len(uids), modseq, mailbox)
        )
        return uids

    def store_flags(self, mailbox: int, flags_by_uid: dict[int, tuple[str, ...]]) -> int:
        """Give messages these flags; returns the mod-sequence that all of them took."""
        with self.transaction():
            modseq = self._next_modseq(mailbox)
            self._db.executemany(
                "UPDATE message SET flags = ?, modseq = ? WHERE mailbox = ? AND uid = ?",
                [(" ".join(flags), modseq, mailbox, uid) for uid, flags in flags_by_uid.items()],
            )
        self._wake(mailbox)
        return modseq

    def copy(self, mailbox: int, uids: Sequence[int], target: Mailbox) -> Copied:
        wanted = set(uids)
        with self.transaction():
            rows = [row for row in self.rows(mailbox) if row.uid in wanted]
            new = self._file(target.id, [(row.flags, row.internaldate, row.size, row.content) for row in rows])
        self._wake(target.id)
        return Copied(uidvalidity=target.uidvalidity, source=tuple(row.uid for row in rows), target=tuple(new))

    def move(self, mailbox: int, uids: Sequence[int], target: Mailbox) -> Copied:
        with self.transaction():
            copied = self.copy(mailbox, uids, target)
            self.expunge(mailbox, copied.source)
        return copied

    def expunge(self, mailbox: int, uids: Iterable[int]) -> None:
        """Remove these messages for good."""
        gone = [(mailbox, uid) for uid in uids]
        if not gone:
            return
        with self.transaction():
            contents = []
            for key in gone:
                contents += self._db.execute(
                    "SELECT content FROM message WHERE mailbox = ? AND uid = ?", key
                ).fetchall()
            self._db.executemany("DELETE FROM message WHERE mailbox = ? AND uid = ?", gone)
            self._db.executemany(
                "DELETE FROM content WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE content = ?1)", contents
            )
            self._next_modseq(mailbox)
        self._wake(mailbox)

    def _next_modseq(self, mailbox: int) -> int:
        (modseq,) = self._db.execute(
            "UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = ? RETURNING highestmodseq", (mailbox,)
        ).fetchone()
        return int(modseq)

    # news

    def watch(self, mailbox: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after each change of a mailbox, from the same thread; returns what ends it."""
        self._watchers.setdefault(mailbox, set()).add(callback)
        return lambda: self._watchers.get(mailbox, set()).discard(callback)

    def _wake(self, mailbox: int) -> None:
        for callback in list(self._watchers.get(mailbox, ())):
            callback()


def normal_name(name: str) -> str:
    """INBOX is INBOX in any case (RFC 3501 section 5.1); a trailing separator means nothing."""
    name = name.rstrip("/")
    return "INBOX" if name.upper() == "INBOX" else name


def _mailbox(row: tuple[int, int, str, str, int, int, int, int]) -> Mailbox:
    return Mailbox(*row[:7], subscribed=bool(row[7]))


def _row(row: tuple[int, int, str, int, int, int]) -> Row:
    uid, modseq, flags, internaldate, size, content = row
    return Row(uid, modseq, tuple(flags.split()), internaldate, size, content)
