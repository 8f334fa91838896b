"""How many connections we hold at a mail server, and how many it takes: for an account, and for its host from here.

Invariants: a cap is learnt from the server's own refusal and kept in Postgres, never above what an administrator set;
who holds a place is counted in Redis for all processes together, each entry with an end of its own, so that a killed
worker's is forgotten. Without Redis everybody is let through and the server decides, which costs latency and a
refusal. A person's wish goes first: the sync leaves room for it where there is some, and gives its place up where
there is none; an IDLE connection is the first to be done without.
"""

import logging
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

import redis
from django.conf import settings
from django.utils import timezone

from accounts.models import MailAccount, MailServer
from webmail import live
from webmail.protocols.errors import TooManyConnections

log = logging.getLogger(__name__)
HELD_SECONDS = {"person": 180, "sync": 600, "idle": 900}  # an entry's end, unless it is given back or renewed
WANTED_SECONDS = 20
BUSY_SECONDS = 5.0
MOST = 1000  # connections to a host of which nothing is known
MOST_AT_HOME = 20_000  # the same of one that the installation's administrator named


class Use(StrEnum):
    """Who wants a connection: somebody who waits, the sync and what else runs behind, the watcher."""

    PERSON = "person"
    SYNC = "sync"
    IDLE = "idle"


class Busy(TooManyConnections):
    """Our own connections are as many as the server takes: no trouble, and soon over."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that is held, in the account's and in the host's count."""

    account_key: str
    host_key: str
    member: str
    use: Use


# places end by themselves; the sync waits while somebody wants a place and there is none to spare
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
local mine, all = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
local person = ARGV[4] == 'person'
if mine >= tonumber(ARGV[5]) or all >= tonumber(ARGV[6]) then return 0 end
if not person and redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
if person then redis.call('DEL', KEYS[3]) end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], ARGV[2], ARGV[3])
  redis.call('EXPIRE', KEYS[i], 3600)
end
return 1
"""


def learnt(cap: int | None, at: datetime | None, now: datetime) -> int | None:
    """The cap as it is believed now: one more for each day gone by, since other programs come and go. Pure."""
    return None if cap is None or at is None else cap + max((now - at).days, 0)


def account_cap(account: MailAccount, now: datetime) -> int:
    """Connections of this account at once."""
    cap = learnt(account.connection_cap, account.connection_cap_at, now)
    most = max(account.incoming.max_connections, 1)
    return most if cap is None else max(min(cap, most), 1)


def may_idle(cap: int | None, at: datetime | None, most: int, now: datetime) -> bool:
    """Whether a connection may be spent on waiting for news: not the only one. Pure."""
    return min(learnt(cap, at, now) or MOST, most) > 1


def host_cap(server: MailServer, now: datetime) -> int:
    """Connections of all accounts to the server's host, from this installation's address."""
    cap = learnt(server.host_cap, server.host_cap_at, now)
    most = server.host_connections or (MOST_AT_HOME if server.trusted else MOST)
    return most if cap is None else max(min(cap, most), 1)


def room(use: Use, cap: int, host: int) -> tuple[int, int]:
    """How many of (the account's, the host's) places may be held for this use to get one more. Pure.

    With a single place nobody idles on it; from three on one is kept free of the sync, and of a host's a fifth.
    """
    if use is Use.PERSON:
        return cap, host
    if use is Use.SYNC:
        return (cap if cap < 3 else cap - 1), max(host - host // 5, 1)
    return (cap - 1 if cap < 3 else cap - 2), host // 2


def take(account: MailAccount, use: Use) -> Slot | None:
    """A place for one connection; None when nobody counts at the moment. Raises Busy."""
    now = timezone.now()
    host = sys.intern(f"connections:{settings.MAILROOM['EGRESS']}:{account.incoming.host}")  # one for thousands
    slot = Slot(f"connections:{account.pk}", host, f"{use}:{uuid.uuid4().hex}", use)
    mine, all_ = room(use, account_cap(account, now), host_cap(account.incoming, now))
    until = time.time() + HELD_SECONDS[use]
    try:
        given = _script()(
            keys=[slot.account_key, slot.host_key, _wanted_key(account.pk)],
            args=[time.time(), until, slot.member, use.value, mine, all_],
        )
    except redis.RedisError as error:
        log.warning("connections are not counted: %s", type(error).__name__)
        return None
    if not given:
        raise Busy(retry_after=BUSY_SECONDS)
    return slot


def release(slot: Slot | None) -> None:
    """Gives the place back; nothing happens the second time."""
    if slot is not None:
        _quietly(lambda pipe: (pipe.zrem(slot.account_key, slot.member), pipe.zrem(slot.host_key, slot.member)))


def renew(slot: Slot | None) -> None:
    """Holds the place for longer."""
    if slot is not None:
        until = time.time() + HELD_SECONDS[slot.use]
        places = {slot.member: until}
        _quietly(lambda pipe: (pipe.zadd(slot.account_key, places), pipe.zadd(slot.host_key, places)))


def learn(account: MailAccount, slot: Slot | None, error: TooManyConnections) -> bool:
    """Keeps what a refusal teaches, after ``release``; True when it was our own connections that filled the place.

    A refusal before the login is about our address, one after it about the account.
    """
    mine, all_ = _held(slot)
    now = timezone.now()
    if error.at_greeting:
        servers = MailServer.objects.filter(host=account.incoming.host, protocol=account.incoming.protocol)
        servers.update(host_cap=max(all_, 1), host_cap_at=now)
        return all_ > 0
    account.connection_cap, account.connection_cap_at = max(mine, 1), now
    MailAccount.objects.filter(pk=account.pk).update(connection_cap=max(mine, 1), connection_cap_at=now)
    return mine > 0


def want(account_id: int) -> None:
    """Somebody waits for a connection of this account: whoever syncs it gives way."""
    _quietly(lambda pipe: pipe.set(_wanted_key(account_id), 1, ex=WANTED_SECONDS))


def wanted(account_id: int) -> bool:
    """Whether somebody waits; False when nobody knows."""
    try:
        return bool(live.connection().exists(_wanted_key(account_id)))
    except redis.RedisError:
        return False


def _wanted_key(account_id: int) -> str:
    return f"connections:wanted:{account_id}"


def _held(slot: Slot | None) -> tuple[int, int]:
    if slot is None:
        return 0, 0
    try:
        with live.connection().pipeline(transaction=False) as pipe:
            for key in (slot.account_key, slot.host_key):
                pipe.zcount(key, time.time(), "+inf")
            mine, all_ = pipe.execute()
            return int(mine), int(all_)
    except redis.RedisError:
        return 0, 0


def _quietly(work: Callable[["redis.client.Pipeline"], object]) -> None:
    try:
        with live.connection().pipeline() as pipe:
            work(pipe)
            pipe.execute()
    except redis.RedisError as error:
        log.warning("connections are not counted: %s", type(error).__name__)


@cache
def _script() -> "redis.commands.core.Script":
    return live.connection().register_script(_TAKE)
