"""What time has made superfluous: tombstones after seven days, messages without a place, finished operations.

Invariants: small batches, each its own transaction; nothing that a person can see or take back is touched; references
to messages outlive them, since a reply may still come.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import CardServer
from webmail.models import Action, Message, RemoteOp
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.sync import remote_images

BATCH = 2_000
ACTIONS = 200
_OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)

_STRANDED = """
UPDATE webmail_placement SET state = 1, gone_at = now() WHERE uid IS NULL AND id IN (
SELECT q.id FROM webmail_placement q JOIN accounts_mailaccount a ON a.id = q.account_id AND a.protocol = 'imap'
WHERE q.uid IS NULL AND q.origin_id IS NULL AND q.state <> 1 AND NOT EXISTS (
    SELECT 1 FROM webmail_remoteop op WHERE op.account_id = q.account_id AND q.id = ANY(op.placements)
    AND (op.state IN ('queued', 'inflight', 'failed') OR op.finished_at > now() - interval '1 day'))
LIMIT %(batch)s)
RETURNING mailbox_id, thread_id
"""
_TOMBSTONES = """
DELETE FROM webmail_placement WHERE state = 1 AND id IN (
    SELECT id FROM webmail_placement WHERE state = 1 AND gone_at < now() - interval '7 days' LIMIT %(batch)s)
RETURNING message_id
"""
_ORPHANS = """
SELECT m.id FROM webmail_message m WHERE m.id = ANY(%(messages)s)
AND NOT EXISTS (SELECT 1 FROM webmail_placement p WHERE p.message_id = m.id)
AND NOT EXISTS (SELECT 1 FROM webmail_draft d WHERE d.original_id = m.id AND d.closed_at IS NULL)
AND NOT EXISTS (SELECT 1 FROM webmail_outgoing o WHERE o.original_id = m.id AND o.state NOT IN ('sent', 'cancelled'))
"""
_OPS = """
DELETE FROM webmail_remoteop WHERE id IN (
    SELECT id FROM webmail_remoteop
    WHERE state IN ('done', 'cancelled') AND finished_at < now() - interval '7 days' LIMIT %(batch)s)
"""


def purge() -> int:
    """Deletes what is due; returns how many rows went."""
    gone = _stranded() + _card_servers()
    while removed := _tombstones() + _operations() + _actions() + remote_images.purge():
        gone += removed
    return gone


@transaction.atomic
def _stranded() -> int:
    """A local move whose message never showed up at the destination, a day after the last operation about it."""
    with connection.cursor() as cursor:
        cursor.execute(_STRANDED, {"batch": BATCH})
        rows = cursor.fetchall()
    threads = {row[1] for row in rows}
    refresh_lines({row[0] for row in rows}, threads)
    refresh_threads(threads)
    return len(rows)


def _card_servers() -> int:
    """Disconnected an hour ago: their passwords go too."""
    old = CardServer.objects.filter(removed_at__lt=timezone.now() - timedelta(hours=1))
    return old.delete()[1].get("accounts.CardServer", 0)


@transaction.atomic
def _tombstones() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_TOMBSTONES, {"batch": BATCH})
        messages = [row[0] for row in cursor.fetchall()]
        cursor.execute(_ORPHANS, {"messages": messages})
        orphans = [row[0] for row in cursor.fetchall()]
    Message.objects.filter(pk__in=orphans).delete()
    return len(messages)


def _actions() -> int:
    """What people did a week ago: undo is long past. Those with open operations wait for them."""
    old = Action.objects.filter(created_at__lt=timezone.now() - timedelta(days=7), whole=None)
    settled = old.exclude(ops__state__in=_OPEN)
    ids = list(settled.exclude(parts__ops__state__in=_OPEN).values_list("pk", flat=True)[:ACTIONS])
    Action.objects.filter(pk__in=ids).delete()
    return len(ids)


def _operations() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_OPS, {"batch": BATCH})
        return int(cursor.rowcount)
