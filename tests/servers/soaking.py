"""An account with two owners who act at random: the person here and another mail program there; and how it settles.

Each owner draws from a source of chance of its own and may act in a thread of its own.
"""

from __future__ import annotations

import imaplib
import random
from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check_summaries, message, other_client, quoted, sync
from tests.support.dovecot import Dovecot
from tests.support.loopback import LoopbackServer
from webmail.models import Action, BulkJob, Mailbox, Message, Placement, PopUid, RemoteOp
from webmail.services import bulk, intents, mailboxes, targets, undo
from webmail.services.ops import done_again

SPECIAL = ("INBOX", "Archive", "Trash", "Junk")
FLAG_KINDS = ("read", "unread", "star", "unstar")
KINDS = (*FLAG_KINDS, "archive", "junk", "notjunk", "delete", "move", "move", "copy")
POP_KINDS = tuple(kind for kind in KINDS if kind != "copy")
FOLDERS = [f"Folder {number}" for number in range(1, 7)]
OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)


class Person:
    """The owner here, who does what the pages offer."""

    def __init__(self, account: MailAccount, chance: random.Random, *, kinds: Sequence[str] = KINDS) -> None:
        self.account, self.user, self.chance, self.kinds = account, account.user, chance, kinds
        self.done: list[Action] = []

    def act(self, *, folders: float = 0.0) -> str:
        """Does something to mail, with the given chance to a folder, or takes the last thing back; says what."""
        try:
            if self.done and self.chance.random() < 0.2:
                action = self.done.pop()
                done_again(lambda: undo.undo(self.user, action))
                return "undo"
            if self.chance.random() < folders:
                return self._folder()
        except mailboxes.NotPossible:
            return "not possible"
        return self._mail()

    def _mail(self) -> str:
        boxes = [box for box in Mailbox.objects.filter(account=self.account).order_by("pk") if box.selectable]
        if not boxes:
            return "nothing"
        box, kind = self.chance.choice(boxes), self.chance.choice(self.kinds)
        others = [other for other in boxes if other != box]
        if kind in intents.WITH_DESTINATION and not others:
            return "nothing"
        to = self.chance.choice(others) if kind in intents.WITH_DESTINATION else None
        everything = self.chance.random() < 0.05
        action = done_again(lambda: self._perform(kind, box, to, everything=everything))
        if action is None:
            return "nothing"
        self.done.append(action)
        return kind

    def _perform(self, kind: str, box: Mailbox, to: Mailbox | None, *, everything: bool) -> Action | None:
        if everything and bulk.wanted(box):
            return bulk.begin(self.user, kind, box, to)
        rows = targets.in_mailbox(self.user, box)
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        chosen = ids if everything else self.chance.sample(ids, min(len(ids), self.chance.randint(1, 8)))
        spots = targets.lock(rows.filter(pk__in=chosen))
        return intents.perform(self.user, kind, spots, to) if spots else None

    def _folder(self) -> str:
        own = [box for box in Mailbox.objects.filter(account=self.account, role="").order_by("pk") if box.selectable]
        what, name = self.chance.choice(["create", "rename", "remove", "subscribe"]), self.chance.choice(FOLDERS)
        box = self.chance.choice(own) if own else None
        wanted = self.chance.random() < 0.5
        if what == "create" or box is None:
            parent = box if self.chance.random() < 0.3 else None
            action = done_again(lambda: mailboxes.create(self.user, self.account, name, parent))
        elif what == "rename":
            action = done_again(lambda: mailboxes.rename(self.user, box, name))
        elif what == "remove":
            action = done_again(lambda: mailboxes.remove(self.user, box))
        else:
            action = done_again(lambda: mailboxes.subscribe(self.user, box, wanted=wanted))
        self.done.append(action)
        return what


class Elsewhere:
    """The other mail program, and the world that sends mail. ``tried`` and ``delivered`` count what came by LMTP.

    ``restless`` says that the server may renumber a mailbox more often than can be followed.
    """

    def __init__(
        self,
        server: LoopbackServer,
        account: MailAccount,
        chance: random.Random,
        prefix: str = "",
        *,
        restless: bool = False,
    ) -> None:
        """``prefix`` stands before every mailbox's name but INBOX."""
        self.server, self.account, self.chance = server, account, chance
        self.special = [name if name == "INBOX" else prefix + name for name in SPECIAL]
        self.tried = self.delivered = 0
        self._number = 10_000
        self._most = 10**6 if restless else Mailbox.RENUMBERED_AT_MOST
        self._renumbered = Counter[str]()

    def act(self, *, folders: float = 0.0) -> str:
        """Does something to mail, or with the given chance to a folder; says what. Raises OSError, imaplib's error."""
        with other_client(self.server, self.account.address) as client:
            names = _names(client)
            if self.chance.random() < folders:
                return self._folder(client, [name for name in names if name.startswith("Folder")])
            name = self.chance.choice([*self.special, *names])
            if client.select(quoted(name))[0] != "OK":
                return "nothing"
            others = [other for other in (*self.special, *names) if other != name]
            return self._mail(client, name, self.chance.choice(others))

    def _mail(self, client: imaplib.IMAP4_SSL, name: str, other: str) -> str:
        uids = [uid.decode() for uid in client.uid("SEARCH", "ALL")[1][0].split()]
        some = ",".join(self.chance.sample(uids, min(len(uids), 6)))
        what = self.chance.choice(["new", "seen", "unseen", "move", "expunge"])
        if what == "new" or not some:
            client.append(quoted(name), None, None, self._new())
            return "new"
        if what == "move" and "MOVE" in client.capabilities:
            client.uid("MOVE", some, quoted(other))
        elif what == "move":
            if client.uid("COPY", some, quoted(other))[0] == "OK":
                client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
                client.uid("EXPUNGE", some)
        elif what == "expunge":
            client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
            client.expunge()
        else:
            client.uid("STORE", some, "+FLAGS" if what == "seen" else "-FLAGS", r"(\Seen \Flagged)")
        return what

    def _folder(self, client: imaplib.IMAP4_SSL, own: Sequence[str]) -> str:
        what, name = self.chance.choice(["create", "rename", "remove"]), self.chance.choice(FOLDERS)
        if what == "create" or not own:
            client.create(quoted(name))
            return "create"
        if what == "rename":
            client.rename(quoted(self.chance.choice(own)), quoted(name))
        else:
            client.delete(quoted(self.chance.choice(own)))
        return what

    def deliver(self) -> None:
        """New mail comes by LMTP. Raises OSError."""
        self.tried += 1
        self.server.deliver(self.account.address, self._new())
        self.delivered += 1

    def renumber(self) -> bool:
        """A mailbox's UIDVALIDITY changes, where a Dovecot can be told so; whether it did. Raises RuntimeError."""
        number, name = str(self.chance.randint(100, 10**6)), self.chance.choice(SPECIAL)
        if not isinstance(self.server, Dovecot) or self._renumbered[name] >= self._most:
            return False
        self.server.doveadm("mailbox", "update", "-u", self.account.address, "--uid-validity", number, name)
        self._renumbered[name] += 1
        return True

    def _new(self) -> bytes:
        self._number += 1
        return message(self._number, parent=self.chance.randint(0, 99))


def _names(client: imaplib.IMAP4_SSL) -> list[str]:
    """Of the folders somebody made, those that can be selected."""
    lines = [line for line in client.list('""', quoted("Folder*"))[1] if isinstance(line, bytes)]
    return sorted(line.split(b'"/" ', 1)[1].strip(b'"').decode() for line in lines if b"\\NoSelect" not in line)


def time_passes(account: MailAccount) -> None:
    """Leases of the dead run out, servers want no more patience, and what was put off after a try is due."""
    now = timezone.now()
    MailAccount.objects.filter(pk=account.pk).update(next_run_at=now, lease_expires_at=None)
    RemoteOp.objects.filter(account=account, state__in=OPEN, attempts__gt=0).update(not_before=None)


def settle(account: MailAccount) -> None:
    """Passes without trouble, nothing postponed."""
    for job in BulkJob.objects.filter(mailbox__account=account).exclude(state=BulkJob.State.ENDED).order_by("pk"):
        while bulk.advance(job.pk):
            pass
    for _ in range(5):
        time_passes(account)
        RemoteOp.objects.filter(account=account, state__in=OPEN).update(not_before=None)
        Mailbox.objects.filter(account=account).update(full_flags_at=None)
        sync(account)


def check_pop(dovecot: Dovecot, account: MailAccount, *, before: int, mail: Elsewhere) -> None:
    """A POP3 account's invariants: everything that came is here once, the ledger and the server agree."""
    messages = Message.objects.filter(account=account)
    count = messages.count()
    assert before + mail.delivered <= count <= before + mail.tried, (before, mail.delivered, count, mail.tried)
    assert count == messages.values("fingerprint").distinct().count()
    assert count == Placement.objects.filter(account=account).count()
    fetched, deleted = PopUid.State.FETCHED, PopUid.State.DELETED
    kept = account.pop_policy == MailAccount.PopPolicy.KEEP
    assert set(PopUid.objects.filter(account=account).values_list("state", flat=True)) == {fetched if kept else deleted}
    left = dovecot.doveadm("search", "-u", account.address, "mailbox", "INBOX", "all").count("\n")
    assert left == (count if kept else 0), (left, count)
    check_summaries(account)
