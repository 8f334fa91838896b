"""Both sides change at random, workers die at named places, mailboxes are renumbered: in the end both sides agree.

One account at a time and one step after the other, so that a seed repeats it exactly; `tests.soak` does it all at once.
"""

from __future__ import annotations

import random

import pytest

from accounts.models import MailAccount
from tests.servers.soaking import Elsewhere, Person, settle
from tests.servers.sync_rig import check, forbid, imap_account, message, other_client, sync
from tests.support.dovecot import Dovecot
from tests.support.loopback import LoopbackServer
from webmail.models import RemoteOp
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = ("before batch", "after batch", "before vanish", "before cursor", "op claimed", "op sent")
ROUNDS = 12


@pytest.mark.parametrize("seed", [4])
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
    chance = random.Random(seed)
    work(Person(account, chance), Elsewhere(dovecot, account, chance), ROUNDS)
    check(dovecot, account)


@pytest.mark.parametrize(
    ("kind", "prefix", "seed"), [("cyrus", "", 2), ("cyrus", "", 3), ("courier", "INBOX.", 2)], ids=str
)
def test_both_sides_agree_on_other_servers(request: pytest.FixtureRequest, kind: str, prefix: str, seed: int) -> None:
    server: LoopbackServer = request.getfixturevalue(kind)
    account = imap_account(server)
    server.deliver(account.address, *(message(n, parent=n - 1 if n % 3 else None) for n in range(40)))
    chance = random.Random(seed)
    elsewhere = Elsewhere(server, account, chance, prefix)
    with other_client(server, account.address) as client:
        for name in elsewhere.special:
            client.create(name)
    sync(account)
    work(Person(account, chance, kinds=("read", "unread", "move", "delete")), elsewhere, 6)
    check(server, account)


def work(person: Person, elsewhere: Elsewhere, rounds: int) -> None:
    """Rounds of a few steps on either side and a pass that may die; then passes until nothing is owed."""
    chance = person.chance
    for _ in range(rounds):
        for step in [chance.choice([person.act, elsewhere.act]) for _ in range(4)]:
            step()
        if chance.random() < 0.15:
            elsewhere.renumber()
        worker(person.account, chance)
    settle(person.account)


def worker(account: MailAccount, chance: random.Random) -> None:
    """A pass that may die on the way; the time for undo has passed."""
    RemoteOp.objects.filter(account=account, kind="expunge", state="queued").update(not_before=None)
    if chance.random() < 0.7:
        failpoints.arm(chance.choice(PLACES), exit)
    try:
        sync_account(account.pk)
    except SystemExit:
        return
    finally:
        failpoints.disarm()
