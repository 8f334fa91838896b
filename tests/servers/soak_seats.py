"""The accounts of the soak, of every variety, each with both its owners and its way to the server."""

from __future__ import annotations

import random
from dataclasses import dataclass

from accounts.models import MailAccount
from deploy.demo.tls import DemoCertificate
from tests.servers.soak_lines import Line
from tests.servers.soaking import KINDS, POP_KINDS, Elsewhere, Person
from tests.servers.sync_rig import account_on, message
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy

RESTLESS = 7  # of so many accounts, the server of one renumbers more often than can be followed
PLAIN = ("QRESYNC", "CONDSTORE", "ESEARCH", "LIST-STATUS", "MOVE")
# what stands between an account and Dovecot, in turn: protocol, whether through a proxy, what that hides
VARIETIES: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    ("imap", False, ()),
    ("imap", True, PLAIN),
    ("pop3", True, ()),
    ("imap", True, ()),
    ("imap", True, ("QRESYNC",)),
)


@dataclass(slots=True)
class Seat:
    """An account with both its owners and its way to the server."""

    account: MailAccount
    person: Person
    elsewhere: Elsewhere
    before: int
    line: Line | None = None
    busy: bool = False

    @property
    def is_pop(self) -> bool:
        return self.account.protocol == MailAccount.Protocol.POP3


def seats(dovecot: Dovecot, certificate: DemoCertificate, count: int, seed: int) -> list[Seat]:
    """So many accounts with mail, of all varieties in turn, nothing synced yet."""
    made = []
    for number in range(count):
        protocol, through, hidden = VARIETIES[number % len(VARIETIES)]
        pop = protocol == "pop3"
        endpoint = dovecot.pop3_endpoint() if pop else dovecot.imap_endpoint()
        line = Line(FaultProxy(endpoint, certificate, literals=not pop), hidden) if through else None
        at = line.proxy.endpoint if line is not None else endpoint
        account = account_on(at, dovecot.add_user(), protocol=protocol)
        if pop and number // len(VARIETIES) % 2:
            account.pop_policy = MailAccount.PopPolicy.DELETE
            account.save(update_fields=["pop_policy"])
        before = 700 if number % len(VARIETIES) == 0 else 100
        letters = (message(n, parent=n - 1 if n % 3 else None) for n in range(before))
        dovecot.load_maildir(account.address, letters)
        person = Person(account, random.Random(f"{seed}:person:{number}"), kinds=POP_KINDS if pop else KINDS)
        chance = random.Random(f"{seed}:elsewhere:{number}")
        elsewhere = Elsewhere(dovecot, account, chance, restless=number % RESTLESS == 0)
        made.append(Seat(account, person, elsewhere, before, line))
    return made
