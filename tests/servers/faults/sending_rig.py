"""What is sent at random, and the account of it afterwards: who was to get it, how often they did, what they saw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import redis
from django.conf import settings
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check, sync
from tests.servers.test_delivery import Sender
from tests.support.submission import Accepted
from webmail import connections
from webmail.delivery import kept
from webmail.delivery.submit import STALE_AFTER, recover, submit
from webmail.models import Outgoing
from webmail.tasks.send import file_copy_in_sent

_MESSAGE_ID = re.compile(rb"^message-id:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)
LONGER_THAN_ANY_CLAIM = 2 * STALE_AFTER


def headers(account: MailAccount, mailbox: bytes) -> list[bytes]:
    """Those of all messages in a mailbox of the person who signs in like this account."""
    with connections.open_imap(account) as session:
        seen = session.select(mailbox, read_only=True)
        uids = session.search_uids(1, max(seen.uidnext - 1, 1)) if seen.exists else ()
        return [session.fetch_section(uid, "HEADER", max_bytes=100_000) for uid in uids]


def ids(blocks: Iterable[bytes]) -> Counter[bytes]:
    """How often each Message-ID stands at the head of one of these."""
    found = (_MESSAGE_ID.search(block) for block in blocks)
    return Counter(one[1] for one in found if one is not None)


def received(account: MailAccount, mailbox: bytes) -> Counter[bytes]:
    """How often each Message-ID lies in a mailbox of the person who signs in like this account."""
    return ids(headers(account, mailbox))


def try_again(made: Outgoing) -> None:
    """The time of the next try has come."""
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    submit(made.pk)
    made.refresh_from_db()


def file(made: Outgoing) -> None:
    """The copy in Sent, asked for twice as a broker does that delivers a job again."""
    for _ in range(2):
        Outgoing.objects.filter(pk=made.pk).update(filing_after=timezone.now())
        file_copy_in_sent(made.pk)
    made.refresh_from_db()


def bury_connections() -> None:
    """So much time has passed that the places of dead workers among an account's connections are free again."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    for key in client.keys("connections:*"):
        client.delete(key)


def after_a_death(made: Outgoing) -> None:
    """So much time has passed that the dispatcher takes up what a dead worker left."""
    bury_connections()
    recover(timezone.now() + LONGER_THAN_ANY_CLAIM)
    made.refresh_from_db()


@dataclass
class Post:
    """A sender, the people written to, and what each letter was to come to."""

    sender: Sender
    people: list[str]  # whose mailboxes are looked into
    hidden: list[str]  # the same, of those named in Bcc alone
    wanted: dict[bytes, set[str]] = field(default_factory=dict)
    blind: dict[bytes, set[str]] = field(default_factory=dict)
    not_ours: set[bytes] = field(default_factory=set)  # whose copy in Sent is the server's, and names nobody hidden

    @classmethod
    def of(cls, sender: Sender, *, people: int = 4, hidden: int = 2) -> Post:
        users = [sender.dovecot.add_user() for _ in range(people + hidden)]
        return cls(sender, users[:people], users[people:])

    def hand_over(self, chance: Random, *also: str) -> Outgoing:
        """A letter to some of the people, and mostly to somebody hidden; `also` stand among those in To."""
        to = chance.sample(self.people, chance.randint(0 if also else 1, len(self.people)))
        bcc = chance.sample(self.hidden, chance.choice([0, 1, 1, len(self.hidden)]))
        named = [*to, *also]
        chance.shuffle(named)
        made = self.sender.hand_over(", ".join(named), bcc=", ".join(bcc))
        self.wanted[made.message_id.encode()] = {*named, *bcc}
        self.blind[made.message_id.encode()] = set(bcc)
        return made

    def taken(self, made: Outgoing) -> list[tuple[str, ...]]:
        """The recipients of each transaction in which the server took this letter, whoever is gone by now."""
        kept.sweep(older_than=0)
        self.sender.submission.quiet()
        return [one.rcpt_tos for one in self._accepted().get(made.message_id.encode(), [])]

    def _accepted(self) -> dict[bytes, list[Accepted]]:
        found: dict[bytes, list[Accepted]] = {}
        for one in self.sender.submission.accepted:
            for message_id in ids([one.content]):
                found.setdefault(message_id, []).append(one)
        return found

    def filed_by_server(self, made: Outgoing, it_was: bool) -> None:
        if it_was:
            self.not_ours.add(made.message_id.encode())

    def audit(self) -> None:
        """Nothing lost, nothing twice, nobody hidden seen by others; the sender's copies once, with whom they hid."""
        accepted = self._accepted()
        assert accepted.keys() == {message_id for message_id, people in self.wanted.items() if people}
        for message_id, transactions in accepted.items():
            got = Counter(address for one in transactions for address in one.rcpt_tos)
            assert got == Counter(self.wanted[message_id]), message_id
            assert len({one.content for one in transactions}) == 1
            for address in self.blind[message_id]:
                assert address.encode() not in transactions[0].content
        for address in (*self.people, *self.hidden):
            expected = Counter(one for one, people in self.wanted.items() if address in people)
            assert self._inbox(address) == expected, address
        self._audit_sent()
        sync(self.sender.account)
        check(self.sender.dovecot, self.sender.account)

    def _audit_sent(self) -> None:
        copies = headers(self.sender.account, b"Sent")
        assert ids(copies) == Counter(message_id for message_id, people in self.wanted.items() if people)
        for copy in copies:
            (message_id,) = ids([copy])
            named = {address for address in self.hidden if address.encode() in copy}
            assert named == (set() if message_id in self.not_ours else self.blind[message_id])

    def _inbox(self, address: str) -> Counter[bytes]:
        found = self.sender.dovecot.doveadm("fetch", "-u", address, "hdr.message-id", "mailbox", "INBOX", "all")
        return Counter(re.findall(rb"<([^>]+)>", found.encode()))
