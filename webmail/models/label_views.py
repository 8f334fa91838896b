"""Views over labels: where a server keeps every message once and folders are labels (Gmail), a label's mailbox shows
placements derived from those of the labelled mailbox.

Invariants: a view's placement exists exactly while its origin is live in the labelled mailbox and carries the label
(for ``\\Starred``: the flag), and mirrors the origin's flags; nothing else writes such placements, and nobody acts on
them. ``summaries.refresh_lines`` calls ``refresh_views``, so whoever keeps the lines right keeps the views right.
"""

from collections.abc import Collection, Sequence

from django.db import connection

from .mailbox import Mailbox

INBOX, SENT, DRAFT, STARRED, IMPORTANT = "\\Inbox", "\\Sent", "\\Draft", "\\Starred", "\\Important"

# Accounts without labels pay one look at the mailboxes: the gate closes everything behind it.
_VIEWS = r"""
WITH gate AS (
    SELECT 1 FROM webmail_mailbox WHERE id = ANY(%(mailboxes)s) AND (labelled OR label <> '') LIMIT 1
), wanted AS (
    SELECT root.id AS origin_id, box.id AS mailbox_id, box.gen, root.account_id, root.message_id, root.thread_id,
           root.received_at, root.flags, root.keywords
    FROM webmail_placement root
    JOIN webmail_mailbox home ON home.id = root.mailbox_id AND home.labelled
    JOIN webmail_mailbox box ON box.account_id = root.account_id AND box.label <> '' AND box.phase <> 'gone'
         AND (box.label = ANY(root.labels) OR (box.label = '\Starred' AND root.flags & 2 > 0))
    WHERE root.thread_id = ANY(%(threads)s) AND root.state = 0 AND EXISTS (SELECT 1 FROM gate)
), old AS (
    SELECT id, mailbox_id, origin_id FROM webmail_placement
    WHERE thread_id = ANY(%(threads)s) AND origin_id IS NOT NULL AND EXISTS (SELECT 1 FROM gate)
), dropped AS (
    DELETE FROM webmail_placement WHERE id IN (
        SELECT old.id FROM old LEFT JOIN wanted USING (origin_id, mailbox_id) WHERE wanted.message_id IS NULL)
    RETURNING mailbox_id
), written AS (
    INSERT INTO webmail_placement AS view (account_id, mailbox_id, gen, message_id, thread_id, received_at, flags,
        server_flags, pending_mask, keywords, server_keywords, pending_keywords, origin_id, state, problem)
    SELECT account_id, mailbox_id, gen, message_id, thread_id, received_at, flags, flags, 0, keywords, keywords, '{}',
           origin_id, 0, ''
    FROM wanted
    ON CONFLICT (origin_id, mailbox_id) WHERE origin_id IS NOT NULL DO UPDATE SET gen = excluded.gen,
        message_id = excluded.message_id, thread_id = excluded.thread_id, received_at = excluded.received_at,
        flags = excluded.flags, server_flags = excluded.flags, keywords = excluded.keywords,
        server_keywords = excluded.keywords, state = 0, gone_at = NULL
    WHERE (view.gen, view.message_id, view.thread_id, view.received_at, view.flags, view.keywords, view.state)
        IS DISTINCT FROM (excluded.gen, excluded.message_id, excluded.thread_id, excluded.received_at,
           excluded.flags, excluded.keywords, 0)
    RETURNING mailbox_id
)
SELECT mailbox_id FROM dropped UNION SELECT mailbox_id FROM written
"""
_RELABEL = """
UPDATE webmail_placement SET labels = ARRAY(
    SELECT DISTINCT label FROM unnest(coalesce(labels, '{}') || %s::text[]) AS label WHERE label <> ALL(%s::text[])
    ORDER BY label)
WHERE id = ANY(%s)
"""
_LOCK = """
SELECT id FROM webmail_placement
WHERE id IN (SELECT origin_id FROM webmail_placement WHERE mailbox_id = %s AND origin_id IS NOT NULL)
ORDER BY id FOR NO KEY UPDATE
"""
_RENAME = """
UPDATE webmail_placement SET labels = array_replace(labels, %(old)s, %(new)s),
       server_labels = array_replace(server_labels, %(old)s, %(new)s)
WHERE id IN (SELECT origin_id FROM webmail_placement WHERE mailbox_id = %(view)s AND origin_id IS NOT NULL)
"""
_REMOVE = _RENAME.replace("array_replace", "array_remove").replace(", %(new)s", "")
_CARRIERS = """
SELECT DISTINCT root.thread_id FROM webmail_placement root
JOIN webmail_mailbox home ON home.id = root.mailbox_id AND home.labelled
WHERE home.account_id = %s AND root.state = 0 AND (%s = ANY(root.labels) OR (%s AND root.flags & 2 > 0))
"""


def refresh_views(mailbox_ids: Collection[int], thread_ids: Collection[int]) -> frozenset[int]:
    """Brings the views of these conversations in line with the labels, if any of the mailboxes has to do with labels.
    Call with the threads locked; returns the mailboxes of views that changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_VIEWS, {"mailboxes": sorted(mailbox_ids), "threads": sorted(thread_ids)})
        return frozenset(row[0] for row in cursor.fetchall())


def home_of(account_id: int) -> Mailbox | None:
    """The account's labelled mailbox; None where folders are folders."""
    return Mailbox.objects.filter(account=account_id, labelled=True).exclude(phase=Mailbox.Phase.GONE).first()


def relabel(placements: Collection[int], *, add: Sequence[str], remove: Sequence[str]) -> None:
    """Changes the labels that people see. The caller holds the rows and refreshes the lines."""
    with connection.cursor() as cursor:
        cursor.execute(_RELABEL, [list(add), list(remove), list(placements)])


def rename_label(view: Mailbox, label: str) -> None:
    """Another name for a label, on the mailbox and on every message that shows there; the empty one takes it off."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [view.pk])
        cursor.execute(_RENAME if label else _REMOVE, {"old": view.label, "new": label, "view": view.pk})
    if label:
        view.label = label
        Mailbox.objects.filter(pk=view.pk).update(label=label)


def carriers(view: Mailbox) -> list[int]:
    """The conversations that belong into a view, read from the labels themselves: for one that is new."""
    with connection.cursor() as cursor:
        cursor.execute(_CARRIERS, [view.account_id, view.label, view.label == STARRED])
        return [row[0] for row in cursor.fetchall()]
