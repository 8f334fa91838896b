"""Summaries of placements, recomputed in SQL for what a transaction touched: lines, threads, counters.

Call these last in the transaction that changed Placement or Message rows, ``refresh_lines`` once with everything it
touched. The threads are locked in order of id first, so that two writers of one conversation cannot count each
other's rows as they were before. Visible means live and not flagged \\Deleted; a message lying twice in a mailbox
counts once.
"""

from collections.abc import Collection

from django.db import connection

from .label_views import refresh_views

# Keywords are atoms, without spaces: joined and split again they cost next to nothing where there are none.
# Both halves of the join key are arrays: a batch touches one or two mailboxes and up to a thousand threads.
_LINES = """
WITH fresh AS (
    SELECT p.mailbox_id, p.thread_id, min(p.account_id) AS account_id, max(p.received_at) AS newest_at,
           (array_agg(p.message_id ORDER BY p.received_at DESC, p.message_id DESC))[1] AS newest_message_id,
           count(DISTINCT p.message_id) AS message_count,
           count(DISTINCT p.message_id) FILTER (WHERE p.flags & 1 = 0) AS unread_count,
           bit_or(p.flags) AS flags_any,
           string_agg(nullif(array_to_string(p.keywords, ' '), ''), ' ') AS words,
           bool_or(m.has_attachment) AS has_attachment, bool_or(m.has_invite) AS has_invite
    FROM webmail_placement p JOIN webmail_message m ON m.id = p.message_id
    WHERE p.mailbox_id = ANY(%(mailboxes)s) AND p.thread_id = ANY(%(threads)s) AND p.state = 0 AND p.flags & 32 = 0
    GROUP BY p.mailbox_id, p.thread_id
), lines AS (
    SELECT fresh.*, CASE WHEN words IS NULL THEN '{}' ELSE ARRAY(
        SELECT word FROM (SELECT DISTINCT unnest(string_to_array(words, ' ')) AS word) each ORDER BY word COLLATE "C"
    ) END::varchar(100)[] AS keywords FROM fresh
), old AS (
    SELECT id, mailbox_id, thread_id, message_count, unread_count FROM webmail_mailboxthread
    WHERE mailbox_id = ANY(%(mailboxes)s) AND thread_id = ANY(%(threads)s)
), emptied AS (
    DELETE FROM webmail_mailboxthread WHERE id IN (
        SELECT o.id FROM old o LEFT JOIN fresh f USING (mailbox_id, thread_id) WHERE f.thread_id IS NULL)
), written AS (
    INSERT INTO webmail_mailboxthread AS line (account_id, mailbox_id, thread_id, newest_at, newest_message_id,
        message_count, unread_count, flags_any, keywords, has_attachment, has_invite)
    SELECT account_id, mailbox_id, thread_id, newest_at, newest_message_id,
        message_count, unread_count, flags_any, keywords, has_attachment, has_invite
    FROM lines
    ON CONFLICT (mailbox_id, thread_id) DO UPDATE SET newest_at = excluded.newest_at,
        newest_message_id = excluded.newest_message_id, message_count = excluded.message_count,
        unread_count = excluded.unread_count, flags_any = excluded.flags_any,
        keywords = excluded.keywords, has_attachment = excluded.has_attachment, has_invite = excluded.has_invite
    WHERE (line.newest_at, line.newest_message_id, line.message_count, line.unread_count, line.flags_any,
           line.keywords, line.has_attachment, line.has_invite)
        IS DISTINCT FROM (excluded.newest_at, excluded.newest_message_id, excluded.message_count,
           excluded.unread_count, excluded.flags_any, excluded.keywords, excluded.has_attachment,
           excluded.has_invite)
), delta AS (
    SELECT mailbox_id, sum(coalesce(f.message_count, 0) - coalesce(o.message_count, 0)) AS total,
           sum(coalesce(f.unread_count, 0) - coalesce(o.unread_count, 0)) AS unread
    FROM fresh f FULL JOIN old o USING (mailbox_id, thread_id) GROUP BY mailbox_id
), moved AS (
    SELECT box.id, delta.total, delta.unread FROM webmail_mailbox box JOIN delta ON delta.mailbox_id = box.id
    WHERE delta.total <> 0 OR delta.unread <> 0 ORDER BY box.id FOR NO KEY UPDATE OF box
)
UPDATE webmail_mailbox box
SET total = greatest(box.total + moved.total, 0), unread = greatest(box.unread + moved.unread, 0)
FROM moved WHERE moved.id = box.id
"""

_THREADS = """
WITH seen AS (
    SELECT m.thread_id, m.id, m.received_at, m.subject, m.from_name, m.from_address,
           bool_or(box.role NOT IN ('trash', 'junk')) AS kept
    FROM webmail_message m
    JOIN webmail_placement p ON p.message_id = m.id AND p.state = 0 AND p.flags & 32 = 0
    JOIN webmail_mailbox box ON box.id = p.mailbox_id
    WHERE m.thread_id = ANY(%(threads)s) GROUP BY m.id
), chosen AS (
    SELECT * FROM (SELECT *, bool_or(kept) OVER (PARTITION BY thread_id) AS any_kept FROM seen) s
    WHERE kept OR NOT any_kept
), facts AS (
    SELECT thread_id, count(*) AS message_count, max(received_at) AS newest_at,
           (array_agg(subject ORDER BY received_at, id))[1] AS subject
    FROM chosen GROUP BY thread_id
), speakers AS (
    SELECT thread_id, lower(from_address) AS address, min(received_at) AS first_at,
           (array_agg(id ORDER BY received_at, id))[1] AS first_id,
           (array_agg(from_name ORDER BY (from_name = ''), received_at, id))[1] AS name
    FROM chosen GROUP BY thread_id, lower(from_address)
), people AS (
    SELECT thread_id, jsonb_agg(jsonb_build_array(name, address) ORDER BY first_at, first_id) AS participants
    FROM (SELECT *, row_number() OVER (PARTITION BY thread_id ORDER BY first_at, first_id) AS place FROM speakers) s
    WHERE place <= 8 GROUP BY thread_id
)
UPDATE webmail_thread t
SET message_count = coalesce(facts.message_count, 0), newest_at = coalesce(facts.newest_at, t.newest_at),
    subject = coalesce(facts.subject, t.subject), participants = coalesce(people.participants, t.participants)
FROM webmail_thread self LEFT JOIN facts ON facts.thread_id = self.id LEFT JOIN people ON people.thread_id = self.id
WHERE self.id = t.id AND t.id = ANY(%(threads)s)
  AND (t.message_count, t.newest_at, t.subject, t.participants) IS DISTINCT FROM (coalesce(facts.message_count, 0),
       coalesce(facts.newest_at, t.newest_at), coalesce(facts.subject, t.subject),
       coalesce(people.participants, t.participants))
"""

_COUNTS = """
UPDATE webmail_mailbox box SET total = coalesce(line.total, 0), unread = coalesce(line.unread, 0)
FROM webmail_mailbox self LEFT JOIN (
    SELECT mailbox_id, sum(message_count) AS total, sum(unread_count) AS unread
    FROM webmail_mailboxthread WHERE mailbox_id = ANY(%(mailboxes)s) GROUP BY mailbox_id
) line ON line.mailbox_id = self.id
WHERE self.id = box.id AND box.id = ANY(%(mailboxes)s)
  AND (box.total, box.unread) IS DISTINCT FROM (coalesce(line.total, 0), coalesce(line.unread, 0))
"""


def refresh_lines(mailbox_ids: Collection[int], thread_ids: Collection[int]) -> frozenset[int]:
    """Recomputes MailboxThread for these mailboxes x threads, deletes emptied lines, and adjusts Mailbox.total and
    Mailbox.unread by the difference. Views over labels follow first; returns the mailboxes, with those of views.
    """
    if not mailbox_ids or not thread_ids:
        return frozenset(mailbox_ids)
    lock_threads(thread_ids)
    boxes = refresh_views(mailbox_ids, thread_ids) | set(mailbox_ids)
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {"mailboxes": sorted(boxes), "threads": sorted(thread_ids)})
    return boxes


def refresh_threads(thread_ids: Collection[int]) -> None:
    """Recomputes the threads' counts, newest dates, subjects (the first message's) and first eight participants.

    Messages in Trash and Junk count only where a thread has no others.
    """
    if thread_ids:
        with connection.cursor() as cursor:
            lock_threads(thread_ids)
            cursor.execute(_THREADS, {"threads": sorted(thread_ids)})


def refresh_counts(mailbox_ids: Collection[int]) -> None:
    """Sets Mailbox.total and Mailbox.unread from the lines. A repair: ``refresh_lines`` keeps them by difference,
    which costs the same in a mailbox of ten and of a million messages, and this does not.
    """
    if mailbox_ids:
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS, {"mailboxes": sorted(mailbox_ids)})


def lock_threads(thread_ids: Collection[int]) -> None:
    """Holds the threads until the transaction ends; always in order of id, so that writers queue and never cross."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM webmail_thread WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(thread_ids)]
        )
