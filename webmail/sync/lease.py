"""Who may write an account's rows: one worker at a time, proven anew in every transaction.

Invariants: a lease is taken only when nobody holds a living one; taking it raises the fencing token; every write
transaction of the sync begins by holding the account's row with that token, so a worker that slept through its lease
cannot write, nor one whose account was paused or suspended meanwhile. The clock is the database's. Redis and advisory
locks play no part: both can be lost unnoticed.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

RENEW_SECONDS = 30.0

_TAKE = """
UPDATE accounts_mailaccount
SET lease_token = lease_token + 1, lease_owner = %(owner)s, queued_at = NULL,
    lease_expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(account)s AND (lease_expires_at IS NULL OR lease_expires_at < now())
RETURNING lease_token, woken_at
"""
# Their second column is for what follows in the transaction: plans of foreign key checks are made once for a session,
# and one made while a table is known to be empty would read all of it for each row of a first sync.
_HOLD = """
SELECT woken_at, set_config('enable_seqscan', 'off', true) FROM accounts_mailaccount
WHERE id = %(account)s AND lease_token = %(token)s AND state NOT IN ('paused', 'suspended') FOR SHARE
"""
_RENEW = """
UPDATE accounts_mailaccount SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(account)s AND lease_token = %(token)s AND state NOT IN ('paused', 'suspended')
RETURNING woken_at, set_config('enable_seqscan', 'off', true)
"""
_RELEASE = """
UPDATE accounts_mailaccount SET lease_expires_at = NULL, lease_owner = ''
WHERE id = %(account)s AND lease_token = %(token)s
"""


class LeaseLost(Exception):
    """Another worker took the account over, or it was paused, or it is gone: stop without writing."""


@dataclass(slots=True)
class Lease:
    """The right to write one account's rows. ``woken_at`` is the newest wake-up seen while writing."""

    account_id: int
    token: int
    woken_at: datetime | None = None
    renewed: float = field(default_factory=time.monotonic)

    @property
    def renewal_due(self) -> bool:
        return time.monotonic() - self.renewed > RENEW_SECONDS


def owner_name() -> str:
    """This process, in a form an operator recognises."""
    return f"{os.uname().nodename[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"[:100]


def take(account_id: int, *, owner: str = "") -> Lease | None:
    """The lease, or None while somebody else holds it or the account is gone."""
    values = {"account": account_id, "owner": owner or owner_name(), "seconds": settings.MAILROOM["LEASE_SECONDS"]}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
    return Lease(account_id, row[0], row[1]) if row else None


def renew(lease: Lease) -> None:
    """Extends the lease; also learns of wake-ups. Raises LeaseLost."""
    _hold(lease, _RENEW)
    lease.renewed = time.monotonic()


def release(lease: Lease) -> None:
    """Gives the account free at once; nothing happens when the lease was lost."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, {"account": lease.account_id, "token": lease.token})


@contextmanager
def guarded(lease: Lease) -> Iterator[None]:
    """A transaction that only the holder of the lease can begin, renewed when its time comes. Raises LeaseLost.

    Never open a socket or wait for one inside it.
    """
    with transaction.atomic():
        if lease.renewal_due:
            renew(lease)
        else:
            _hold(lease, _HOLD)
        yield


def _hold(lease: Lease, sql: str) -> None:
    values = {"account": lease.account_id, "token": lease.token, "seconds": settings.MAILROOM["LEASE_SECONDS"]}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost
    lease.woken_at = row[0]
