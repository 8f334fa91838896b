"""The conversation of a reply that names no message: by subject, under strict conditions.

Only a subject with a reply prefix, only where a participant is common, only within thirty days: merging by subject
alone once joined strangers' mail.
"""

import json
from datetime import timedelta

from django.db import connection

from webmail.models.search_document import account_lexeme, quote
from webmail.search import terms
from webmail.sync.rows import Incoming, base_subject

WITHIN = timedelta(days=30)
MOST_CANDIDATES = 20
MOST_WORDS = 12

_CANDIDATES = """
SELECT m.subject, m.people::text, m.thread_id, t.message_count
FROM webmail_messagesearch s
JOIN webmail_message m ON m.id = s.message_id
JOIN webmail_thread t ON t.id = m.thread_id
WHERE s.document @@ %s::tsquery AND s.account_id = %s AND s.received_at BETWEEN %s AND %s
ORDER BY s.received_at DESC LIMIT %s
"""


def find_by_subject(account_id: int, row: Incoming) -> tuple[int, int] | None:
    """The (thread, its size) this reply most likely belongs to, or None."""
    base = base_subject(row.subject)
    words = list(dict.fromkeys(terms(base)))[:MOST_WORDS]
    if not words:
        return None
    query = " & ".join([account_lexeme(account_id), *(f"{quote(word)}:A" for word in words)])
    span = (row.received_at - WITHIN, row.received_at + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, [query, account_id, *span, MOST_CANDIDATES])
        candidates = cursor.fetchall()
    mine = addresses(row.people)
    for subject, people, thread, size in candidates:
        if base_subject(subject) == base and mine & addresses(people):
            return int(thread), int(size)
    return None


def addresses(people: str) -> set[str]:
    """The addresses in a ``people`` value given as JSON text, in lower case."""
    return {address.lower() for members in json.loads(people).values() for _, address in members if address}
