"""Messages and their conversations: found by what they are, or made. Call inside ``guarded``.

Invariants: a message is its fingerprint, or the server's own identity; a conversation that another one absorbs stays
as a signpost; a reference that is stored once is never stored again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from webmail.sync.conversations import Grouping, group
from webmail.sync.digests import ThreadDigest, thread_digests
from webmail.sync.rows import Incoming
from webmail.sync.sql import array, ask, change, copy, draw
from webmail.sync.subjects import find_by_subject

_BY_FINGERPRINT = """
SELECT id, fingerprint, thread_id FROM webmail_message WHERE account_id = %s AND fingerprint = ANY(%s::uuid[])
"""
_BY_EMAIL_ID = """
SELECT id, email_id, thread_id FROM webmail_message WHERE account_id = %s AND email_id <> '' AND email_id = ANY(%s)
"""
_REFS = """
SELECT r.ref, r.thread_id, t.message_count FROM webmail_threadref r JOIN webmail_thread t ON t.id = r.thread_id
WHERE r.account_id = %s AND r.ref = ANY(%s::uuid[])
"""
_MERGE = (
    """
UPDATE webmail_threadref row SET thread_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE row.thread_id = pair.loser
""",
    """
UPDATE webmail_message row SET thread_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE row.thread_id = pair.loser
""",
    """
UPDATE webmail_thread row SET merged_into_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner)
WHERE row.id = pair.loser OR row.merged_into_id = pair.loser
""",
)
_LOCK = "SELECT id FROM webmail_placement WHERE thread_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_MERGE_PLACEMENTS = """
UPDATE webmail_placement row SET thread_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE row.thread_id = pair.loser
"""
_LINED = "SELECT DISTINCT mailbox_id FROM webmail_mailboxthread WHERE thread_id = ANY(%s)"
_THREAD = "webmail_thread (id, account_id, subject, newest_at, message_count, participants)"
_REF = "webmail_threadref (account_id, ref, thread_id)"
_SEARCH = "webmail_messagesearch (message_id, account_id, received_at, document, with_body)"
_MESSAGE = """webmail_message (id, account_id, thread_id, fingerprint, email_id, message_id, in_reply_to, "references",
subject, from_name, from_address, people, sent_at, received_at, size, snippet, has_attachment, has_invite, list_id,
extra, structure)"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that is here."""

    id: int
    thread: int


@dataclass(frozen=True, slots=True)
class Threads:
    """Conversations after a batch: ``new`` were made for it, ``touched`` were here and must be summed up again.

    ``boxes`` are mailboxes where a merged one has lines; ``merges`` maps the absorbed to the absorbing.
    """

    new: frozenset[int]
    touched: frozenset[int]
    boxes: frozenset[int]
    merges: Mapping[int, int]


NO_THREADS = Threads(frozenset(), frozenset(), frozenset(), {})


def known_messages(account_id: int, rows: Sequence[Incoming]) -> dict[str, Stored]:
    """Messages here already, by the fingerprint of the row they are."""
    marks = [row.fingerprint for row in rows]
    found = {UUID(str(mark)).hex: Stored(pk, thread) for pk, mark, thread in ask(_BY_FINGERPRINT, [account_id, marks])}
    by_email = {row.email_id: row.fingerprint for row in rows if row.email_id and row.fingerprint not in found}
    if by_email:
        for pk, email_id, thread in ask(_BY_EMAIL_ID, [account_id, list(by_email)]):
            found[by_email[email_id]] = Stored(pk, thread)
    return found


def known_message(account_id: int, row: Incoming) -> int | None:
    """The id under which this message is stored already."""
    found = known_messages(account_id, [row]).get(row.fingerprint)
    return found.id if found is not None else None


def make_messages(
    account_id: int, rows: Sequence[Incoming], *, visible: frozenset[str]
) -> tuple[dict[str, Stored], Threads]:
    """Stores messages that are new, each in its conversation; ``visible`` are fingerprints that lists will show."""
    if not rows:
        return {}, NO_THREADS
    known, sizes = _known_refs(account_id, {ref for row in rows for ref in row.refs})
    _add_by_subject(account_id, rows, known, sizes)
    grouping = group([row.refs for row in rows], known, sizes)
    new_nodes = sorted({node for node in grouping.nodes if node < 0}, reverse=True)
    names = dict(zip(new_nodes, draw("webmail_thread", len(new_nodes)), strict=True))
    threads = [names.get(node, node) for node in grouping.nodes]
    ids = draw("webmail_message", len(rows))
    new = frozenset(names.values())
    _copy_threads(account_id, thread_digests(rows, threads, new, visible))
    _copy_messages(account_id, rows, threads, ids)
    copy(_REF, ((account_id, ref, names.get(node, node)) for ref, node in grouping.refs.items()))
    made = {row.fingerprint: Stored(pk, thread) for row, pk, thread in zip(rows, ids, threads, strict=True)}
    return made, _threads(grouping, threads, new)


def _threads(grouping: Grouping, threads: Sequence[int], new: frozenset[int]) -> Threads:
    boxes = _merge(grouping.merges) if grouping.merges else frozenset()
    touched = (set(threads) - new) | set(grouping.merges) | set(grouping.merges.values())
    return Threads(new, frozenset(touched), boxes, grouping.merges)


def _known_refs(account_id: int, refs: Collection[str]) -> tuple[dict[str, int], dict[int, int]]:
    """Conversations of references, and how large they are."""
    found = ask(_REFS, [account_id, list(refs)])
    return {UUID(str(ref)).hex: thread for ref, thread, _ in found}, {thread: count for _, thread, count in found}


def _add_by_subject(account_id: int, rows: Sequence[Incoming], known: dict[str, int], sizes: dict[int, int]) -> None:
    """Replies that name no message join the conversation their subject, people and date point to."""
    for row in rows:
        if row.bare_reply and not any(ref in known for ref in row.refs):
            found = find_by_subject(account_id, row)
            if found is not None:
                thread, sizes[found[0]] = found
                known |= dict.fromkeys(row.refs, thread)


def _merge(merges: Mapping[int, int]) -> frozenset[int]:
    """Joins conversations for good; returns the mailboxes where they have lines."""
    pairs = [list(merges), list(merges.values())]
    for statement in _MERGE:
        change(statement, pairs)
    while ask(_LOCK, [list(merges)]):  # a person who held one of them may have made a copy of it
        change(_MERGE_PLACEMENTS, pairs)
    return frozenset(row[0] for row in ask(_LINED, [[*merges, *merges.values()]]))


def _copy_threads(account_id: int, digests: Sequence[ThreadDigest]) -> None:
    copy(_THREAD, ((d.thread, account_id, d.subject, d.newest_at, d.count, d.participants) for d in digests))


def _copy_messages(account_id: int, rows: Sequence[Incoming], threads: Sequence[int], ids: Sequence[int]) -> None:
    copy(
        _MESSAGE,
        (
            (
                pk,
                account_id,
                thread,
                row.fingerprint,
                row.email_id,
                row.message_id,
                row.in_reply_to,
                array(row.references),
                row.subject,
                row.from_name,
                row.from_address,
                row.people,
                row.sent_at,
                row.received_at,
                row.size,
                "",
                row.has_attachment,
                row.has_invite,
                row.list_id,
                row.extra,
                row.structure,
            )
            for row, thread, pk in zip(rows, threads, ids, strict=True)
        ),
    )
    copy(_SEARCH, ((pk, account_id, row.received_at, row.document, False) for row, pk in zip(rows, ids, strict=True)))
