"""Who may write the rows of an address book server: the same rules as `sync.lease` keeps for mail accounts.

Invariants: one worker at a time; taking the lease raises the fencing token; every write of the sync holds the server's
row with that token, so that nothing is written by whoever slept through its lease, or works for somebody who has
disconnected. The clock is the database's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from webmail.models import CardBook
from webmail.sync.lease import LeaseLost, owner_name

_TAKE = """
UPDATE accounts_cardserver
SET lease_token = lease_token + 1, lease_owner = %(owner)s, queued_at = NULL,
    lease_expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(server)s AND removed_at IS NULL AND (lease_expires_at IS NULL OR lease_expires_at < now())
RETURNING lease_token, woken_at
"""
_HOLD = """
UPDATE accounts_cardserver SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
WHERE id = %(server)s AND lease_token = %(token)s AND removed_at IS NULL
RETURNING id
"""
_RELEASE = """
UPDATE accounts_cardserver SET lease_expires_at = NULL, lease_owner = ''
WHERE id = %(server)s AND lease_token = %(token)s
"""


@dataclass(frozen=True, slots=True)
class CardLease:
    """The right to write one server's rows; ``woken_at`` is the wake-up that the pass answers."""

    server_id: int
    token: int
    woken_at: datetime | None

    @property
    def values(self) -> dict[str, int]:
        return {"server": self.server_id, "token": self.token, "seconds": settings.MAILROOM["LEASE_SECONDS"]}


def take(server_id: int) -> CardLease | None:
    """The lease, or None while somebody else holds it or the server is disconnected."""
    values = {"server": server_id, "owner": owner_name(), "seconds": settings.MAILROOM["LEASE_SECONDS"]}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
    return CardLease(server_id, row[0], row[1]) if row else None


def release(lease: CardLease) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, lease.values)


@contextmanager
def guarded(lease: CardLease, book_id: int | None = None) -> Iterator[None]:
    """A transaction that only the holder of the lease can begin, and that extends it; with a book, only while its
    owner follows that. Raises LeaseLost.

    Never open a socket or wait for one inside it.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, lease.values)
            if cursor.fetchone() is None:
                raise LeaseLost
        if book_id is not None and not CardBook.objects.filter(pk=book_id, chosen=True).exists():
            raise LeaseLost
        yield
