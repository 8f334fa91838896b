"""Both sides change at random, workers die at named places, mailboxes are renumbered: in the end both sides agree."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, forbid, imap_account, lock, message, other_client, sync
from tests.support.dovecot import Dovecot
from tests.support.loopback import LoopbackServer
from webmail.models import Action, Flag, Mailbox, RemoteOp
from webmail.services import actions, targets, undo
from webmail.services.ops import Spot
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("INBOX", "Archive", "Trash", "Junk")
PLACES = ("before batch", "after batch", "before vanish", "before cursor", "op claimed", "op sent")
ROUNDS = 12
SERVERS = {
    "qresync": (),
    "condstore": ("QRESYNC",),
    "plain": ("QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "MOVE"),
}


class Soak:
    """One account with two owners: the person here and another mail program."""

    def __init__(self, server: LoopbackServer, account: MailAccount, chance: random.Random, prefix: str = "") -> None:
        self.server, self.account, self.chance = server, account, chance
        self.names = [name if name == "INBOX" else prefix + name for name in NAMES]
        self.done: list[Action] = []
        self.count = 1000

    def person(self) -> None:
        """Does something to a few messages, or takes the last thing back."""
        box = self.box(self.chance.choice(self.names))
        rows = targets.in_mailbox(self.account.user, box)
        ids = list(rows.values_list("pk", flat=True))
        some = lock(rows.filter(pk__in=self.chance.sample(ids, min(len(ids), self.chance.randint(1, 8)))))
        if self.done and self.chance.random() < 0.2:
            undo.undo(self.account.user, self.done.pop())
        elif some:
            self.done.append(self.chance.choice([self.read, self.unread, self.move, self.delete])(box, some))

    def box(self, name: str) -> Mailbox:
        return Mailbox.objects.get(account=self.account, wire_name=name.encode())

    def read(self, box: Mailbox, some: list[Spot]) -> Action:
        return actions.change_flags(self.account.user, "read", some, set_=Flag.SEEN, clear=0)

    def unread(self, box: Mailbox, some: list[Spot]) -> Action:
        return actions.change_flags(self.account.user, "unread", some, set_=0, clear=Flag.SEEN)

    def move(self, box: Mailbox, some: list[Spot]) -> Action:
        to = self.chance.choice([name for name in self.names if name.encode() != bytes(box.wire_name)])
        return actions.move(self.account.user, "move", some, self.box(to))

    def delete(self, box: Mailbox, some: list[Spot]) -> Action:
        action = actions.delete(self.account.user, some)
        RemoteOp.objects.filter(kind="expunge", state="queued").update(not_before=None)
        return action

    def elsewhere(self) -> None:
        """The other mail program does something."""
        name = self.chance.choice(self.names)
        with other_client(self.server, self.account.address, name) as client:
            uids = [uid.decode() for uid in client.uid("SEARCH", "ALL")[1][0].split()]
            some = ",".join(self.chance.sample(uids, min(len(uids), 6)))
            what = self.chance.choice(["new", "seen", "unseen", "move", "expunge"])
            if what == "new" or not some:
                self.count += 1
                client.append(name, None, None, message(self.count, parent=self.chance.randint(0, 99)))
            elif what == "move":
                to = self.chance.choice([other for other in self.names if other != name])
                if "MOVE" in client.capabilities:
                    client.uid("MOVE", some, to)
                elif client.uid("COPY", some, to)[0] == "OK":
                    client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
                    client.uid("EXPUNGE", some)
            elif what == "expunge":
                client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
                client.expunge()
            else:
                client.uid("STORE", some, "+FLAGS" if what == "seen" else "-FLAGS", r"(\Seen \Flagged)")

    def renumber(self) -> None:
        if not isinstance(self.server, Dovecot):
            return
        number = str(self.chance.randint(100, 10**6))
        name = self.chance.choice(NAMES)
        self.server.doveadm("mailbox", "update", "-u", self.account.address, "--uid-validity", number, name)

    def worker(self) -> None:
        """A pass that may die on the way."""
        if self.chance.random() < 0.7:
            failpoints.arm(self.chance.choice(PLACES), exit)
        try:
            sync_account(self.account.pk)
        except SystemExit:
            return
        finally:
            failpoints.disarm()

    def settle(self) -> None:
        """Passes without trouble, nothing postponed."""
        for _ in range(5):
            RemoteOp.objects.filter(state__in=["queued", "inflight"]).update(not_before=None)
            Mailbox.objects.filter(account=self.account).update(full_flags_at=None)
            sync(self.account)


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize(
    "lacking",
    [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "MOVE")],
    ids=["all", "some", "few"],
)
def test_both_sides_agree_in_the_end(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...], seed: int
) -> None:
    forbid(monkeypatch, *lacking)
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n, parent=n - 1 if n % 3 else None) for n in range(100)])
    sync(account)
    soak = Soak(dovecot, account, random.Random(seed))
    work(soak, ROUNDS)
    check(dovecot, account)


@pytest.mark.parametrize(
    ("kind", "prefix", "seed"), [("cyrus", "", 2), ("cyrus", "", 3), ("courier", "INBOX.", 2)], ids=str
)
def test_both_sides_agree_on_other_servers(request: pytest.FixtureRequest, kind: str, prefix: str, seed: int) -> None:
    server: LoopbackServer = request.getfixturevalue(kind)
    account = imap_account(server)
    server.deliver(account.address, *(message(n, parent=n - 1 if n % 3 else None) for n in range(40)))
    soak = Soak(server, account, random.Random(seed), prefix)
    with other_client(server, account.address) as client:
        for name in soak.names:
            client.create(name)
    sync(account)
    work(soak, 6)
    check(server, account)


def work(soak: Soak, rounds: int) -> None:
    """Rounds of a few steps on either side and a pass that may die; then passes until nothing is owed."""
    chance = soak.chance
    for _ in range(rounds):
        steps: list[Callable[[], None]] = [chance.choice([soak.person, soak.elsewhere]) for _ in range(4)]
        for step in [*steps, *([soak.renumber] if chance.random() < 0.15 else [])]:
            step()
        soak.worker()
    soak.settle()
