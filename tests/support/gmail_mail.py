"""Gmail's mail as far as IMAP shows it: messages that exist once, and folders that follow from their labels.

Invariants: a message lies in All Mail, Spam or Trash; only while in All Mail it shows in its labels' folders; every
folder gives it a UID of its own, new each time it comes; one counter of mod-sequences for everything. Renaming or
removing a label changes no message's mod-sequence, and Trash forgets labels: the less convenient of what is known.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

ALL, TRASH, SPAM = "[Gmail]/All Mail", "[Gmail]/Trash", "[Gmail]/Spam"
SENT, DRAFTS, STARRED = "[Gmail]/Sent Mail", "[Gmail]/Drafts", "[Gmail]/Starred"
SPECIAL = {ALL: "\\All", TRASH: "\\Trash", SPAM: "\\Junk", SENT: "\\Sent", DRAFTS: "\\Drafts", STARRED: "\\Flagged"}
_LABELS = {"INBOX": "\\Inbox", SENT: "\\Sent", DRAFTS: "\\Draft", STARRED: "\\Starred"}
_validities = count(1000)


@dataclass(slots=True)
class Mail:
    """A message. ``place`` is one of ALL, TRASH, SPAM; ``labels`` as on the wire, never ``\\Starred``."""

    msgid: int
    thrid: int
    raw: bytes
    date: int
    place: str = ALL
    flags: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    modseq: int = 1


@dataclass(slots=True)
class Folder:
    """A mailbox: UIDs it gave, and to which message."""

    name: str
    uidvalidity: int = field(default_factory=lambda: next(_validities))
    uidnext: int = 1
    uids: dict[int, Mail] = field(default_factory=dict)

    def uid_of(self, mail: Mail) -> int:
        """The message's UID here; 0 if it is not."""
        return next((uid for uid, found in self.uids.items() if found is mail), 0)


class Mailboxes:
    """One person's mail. Every method leaves all folders in line with the labels; hold ``lock`` for several."""

    def __init__(self, *, hidden: Iterable[str] = ()) -> None:
        self.lock = threading.RLock()
        self.hidden = set(hidden)  # not shown in IMAP
        self.mails: list[Mail] = []
        self.modseq = 1
        self.folders = {name: Folder(name) for name in ("INBOX", *SPECIAL)}
        self._ids = count(1_278_455_344_230_334_865)

    def shown(self) -> list[Folder]:
        return [folder for name, folder in self.folders.items() if name not in self.hidden]

    def deliver(
        self,
        raw: bytes,
        *,
        labels: Iterable[str] = ("\\Inbox",),
        flags: Iterable[str] = (),
        thread: Mail | None = None,
        date: int = 1_704_103_200,
    ) -> Mail:
        """A new message in All Mail."""
        with self.lock:
            msgid = next(self._ids)
            mail = Mail(msgid, thread.thrid if thread else msgid, raw, date, flags=set(flags), labels=set(labels))
            self.mails.append(mail)
            self.touch(mail)
            return mail

    def touch(self, *mails: Mail) -> None:
        """Something about these messages changed: one mod-sequence for all, and the folders follow."""
        with self.lock:
            self.modseq += 1
            for mail in mails:
                mail.modseq = self.modseq
                self._follow(mail)

    def _follow(self, mail: Mail) -> None:
        for folder in self.folders.values():
            uid, wanted = folder.uid_of(mail), mail in self.mails and self.belongs(mail, folder.name)
            if wanted and not uid:
                folder.uids[folder.uidnext] = mail
                folder.uidnext += 1
            elif uid and not wanted:
                del folder.uids[uid]

    @staticmethod
    def belongs(mail: Mail, name: str) -> bool:
        if name in (ALL, TRASH, SPAM):
            return mail.place == name
        if name == STARRED:
            return mail.place == ALL and "\\Flagged" in mail.flags
        return mail.place == ALL and _LABELS.get(name, name) in mail.labels

    def put(self, mail: Mail, name: str, *, out_of: str = "") -> None:
        """COPY (or with ``out_of`` MOVE) of a message into a folder."""
        with self.lock:
            if name in (TRASH, SPAM):
                mail.place = name
                mail.labels.clear()
            else:
                mail.place = ALL
                if out_of and out_of not in SPECIAL:
                    mail.labels.discard(_LABELS.get(out_of, out_of))
                if name == STARRED:
                    mail.flags.add("\\Flagged")
                elif name != ALL:
                    mail.labels.add(_LABELS.get(name, name))
            self.touch(mail)

    def relabel(self, mails: Iterable[Mail], labels: Iterable[str], *, add: bool) -> None:
        """+X-GM-LABELS or -X-GM-LABELS; a label nobody has is made. Touches only what changes."""
        with self.lock:
            changed = []
            for mail in mails:
                for label in labels:
                    held, name = (mail.flags, "\\Flagged") if label == "\\Starred" else (mail.labels, label)
                    if add and not label.startswith("\\") and label not in self.folders:
                        self.folders[label] = Folder(label)
                    if (name in held) != add:
                        (held.add if add else held.discard)(name)
                        changed.append(mail)
            if changed:
                self.touch(*{id(mail): mail for mail in changed}.values())

    def flag(self, mails: Iterable[Mail], flags: Iterable[str], *, add: bool) -> None:
        """+FLAGS or -FLAGS; touches only what changes."""
        wanted = set(flags)
        with self.lock:
            changed = [mail for mail in mails if bool(wanted - mail.flags if add else wanted & mail.flags)]
            for mail in changed:
                mail.flags = mail.flags | wanted if add else mail.flags - wanted
            if changed:
                self.touch(*changed)

    def expunge(self, folder: Folder, uids: Iterable[int]) -> None:
        """Out of Spam or Trash for good; out of a label's folder the label goes."""
        with self.lock:
            for mail in [folder.uids[uid] for uid in uids if uid in folder.uids]:
                if folder.name in (TRASH, SPAM):
                    self.mails.remove(mail)
                elif folder.name == ALL:
                    mail.place = TRASH
                    mail.labels.clear()
                mail.labels.discard(_LABELS.get(folder.name, folder.name))
                mail.flags.discard("\\Deleted")
                self.touch(mail)

    def create(self, name: str) -> None:
        self.folders[name] = Folder(name)

    def rename(self, old: str, new: str) -> None:
        """The label gets another name on every message, and no message looks changed."""
        with self.lock:
            folder = self.folders.pop(old)
            folder.name = new
            self.folders[new] = folder
            for mail in self.mails:
                if old in mail.labels:
                    mail.labels = mail.labels - {old} | {new}

    def remove(self, name: str) -> None:
        """The label goes from every message, and no message looks changed."""
        with self.lock:
            del self.folders[name]
            for mail in self.mails:
                mail.labels.discard(name)
