"""Labels change at random on both sides, workers die at named places: in the end every folder is the server's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from accounts.models import MailAccount
from deploy.demo.tls import DemoCertificate
from tests.servers.gmail_rig import box, check, gmail_account, spots
from tests.servers.sync_rig import check_summaries, message, sync
from tests.support.gmail import Gmail
from tests.support.gmail_mail import ALL, SPAM, STARRED, TRASH, Mailboxes
from webmail.models import Action, Flag, Mailbox, RemoteOp
from webmail.services import actions, undo
from webmail.services.ops import Spot
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
PLACES = ("before batch", "after batch", "before vanish", "before cursor", "op claimed", "op sent")
LABELS = ("Work", "Vendors/Harbour")
FOLDERS = ("INBOX", ALL, TRASH, SPAM, STARRED, *LABELS)
ROUNDS = 15


@pytest.fixture(scope="module")
def gmail(certificates: DemoCertificate) -> Iterator[Gmail]:
    made = Gmail(certificates)
    yield made
    made.stop()


class Soak:
    """One account with two owners."""

    def __init__(self, boxes: Mailboxes, account: MailAccount, chance: random.Random) -> None:
        self.boxes, self.account, self.chance = boxes, account, chance
        self.done: list[Action] = []
        self.count = 1000

    def person(self) -> None:
        """Does something to a few messages of a folder, or takes the last thing back."""
        if self.done and self.chance.random() < 0.25:
            undo.undo(self.account.user, self.done.pop())
            return
        found = spots(self.account, self.chance.choice(FOLDERS))
        some = self.chance.sample(found, min(len(found), self.chance.randint(1, 5)))
        if some:
            self.done.append(self.chance.choice([self.flags, self.move, self.move, self.archive, self.delete])(some))
            RemoteOp.objects.filter(kind="expunge", state="queued").update(not_before=None)

    def flags(self, some: list[Spot]) -> Action:
        bit = self.chance.choice([Flag.SEEN, Flag.FLAGGED])
        set_, clear = self.chance.choice([(bit, 0), (0, bit)])
        return actions.change_flags(self.account.user, "read", some, set_=int(set_), clear=int(clear))

    def move(self, some: list[Spot]) -> Action:
        return actions.move(self.account.user, "move", some, box(self.account, self.chance.choice(FOLDERS)))

    def archive(self, some: list[Spot]) -> Action:
        return actions.to_role(self.account.user, "archive", some, Mailbox.Role.ARCHIVE)

    def delete(self, some: list[Spot]) -> Action:
        return actions.delete(self.account.user, some)

    def elsewhere(self) -> None:
        """Gmail's own page does something."""
        mails = self.chance.sample(self.boxes.mails, min(len(self.boxes.mails), 4))
        what = self.chance.choice(["new", "label", "flag", "put", "expunge"])
        if what == "new":
            self.count += 1
            label = self.chance.choice(["\\Inbox", "\\Sent", *LABELS])
            self.boxes.deliver(message(self.count, parent=self.chance.randint(0, 39)), labels=[label])
        elif what == "label":
            lying = [mail for mail in mails if mail.place == ALL]
            label = self.chance.choice(["\\Inbox", "\\Starred", *LABELS])
            self.boxes.relabel(lying, [label], add=self.chance.random() < 0.5)
        elif what == "flag":
            self.boxes.flag(mails, ["\\Seen"], add=self.chance.random() < 0.5)
        elif what == "put":
            self.boxes.put(mails[0], self.chance.choice(FOLDERS))
        else:
            trash = self.boxes.folders[TRASH]
            self.boxes.expunge(trash, list(trash.uids)[:1])

    def worker(self) -> None:
        """A pass that may die on the way."""
        if self.chance.random() < 0.6:
            failpoints.arm(self.chance.choice(PLACES), exit)
        try:
            sync_account(self.account.pk)
        except SystemExit:
            return
        finally:
            failpoints.disarm()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_sides_agree_in_the_end(gmail: Gmail, seed: int) -> None:
    address = f"soak{seed}@gmail.test"
    boxes = gmail.add_user(address)
    for name in LABELS:
        boxes.create(name)
    chance = random.Random(seed)
    for number in range(40):
        labels = chance.sample(["\\Inbox", *LABELS], chance.randint(0, 3))
        boxes.deliver(message(number, parent=number - 1 if number % 3 else None), labels=labels)
    account = gmail_account(gmail, address)
    sync(account)
    soak = Soak(boxes, account, chance)
    for _ in range(ROUNDS):
        steps: list[Callable[[], None]] = [chance.choice([soak.person, soak.elsewhere]) for _ in range(4)]
        for step in steps:
            step()
        soak.worker()
    check_summaries(account)
    for _ in range(4):
        RemoteOp.objects.filter(state__in=["queued", "inflight"]).update(not_before=None)
        sync(account)
    check(boxes, account)
