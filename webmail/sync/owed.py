"""What queued operations still owe to the server, as far as reading the server must respect it.

A message that a person moved or deleted stays on the server under its old UID until the operation has been replayed;
meanwhile that UID must neither be stored again nor be missed.
"""

from collections.abc import Iterable

from django.db import connection

from webmail.protocols.values import UidSet

_LEAVING = """
SELECT DISTINCT uid FROM webmail_remoteop, unnest(uids) AS uid
WHERE account_id = %s AND mailbox_id = %s AND gen = %s AND state IN ('queued', 'inflight')
  AND kind IN ('move', 'expunge') AND uid IS NOT NULL
"""
_COVERED = """
SELECT p.id, coalesce(bit_or(op.set_flags | op.clear_flags), 0) FROM webmail_placement p
LEFT JOIN webmail_remoteop op ON op.account_id = p.account_id AND op.kind = 'flags'
     AND op.state IN ('queued', 'inflight') AND p.id = ANY(op.placements) AND op.id <> ALL(%s)
WHERE p.id = ANY(%s) GROUP BY p.id
"""


def leaving_uids(account_id: int, mailbox_id: int, gen: int) -> frozenset[int]:
    """UIDs that an open move or expunge takes out of this mailbox."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVING, [account_id, mailbox_id, gen])
        return frozenset(row[0] for row in cursor.fetchall())


def leaving_set(account_id: int, mailbox_id: int, gen: int) -> UidSet:
    return UidSet.collect(leaving_uids(account_id, mailbox_id, gen))


def still_pending(placements: Iterable[int], *, besides: Iterable[int]) -> dict[int, int]:
    """For each placement the flag bits that open operations other than these still owe."""
    with connection.cursor() as cursor:
        cursor.execute(_COVERED, [list(besides), list(placements)])
        return dict(cursor.fetchall())
