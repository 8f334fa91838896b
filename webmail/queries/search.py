"""Finding mail: a search tree becomes one SQL statement on the narrow search table, newest hits first.

Words meet only ``models.search_document``'s lexemes, as parameters of a tsquery literal; every statement is confined to
the person's accounts by a lexeme in the index and by a column, and ends itself after two seconds (criterion S27).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from webmail.mime.folder_names import BadName
from webmail.models import Flag, Mailbox
from webmail.models.search_document import FIELD_PREFIX, account_lexeme, lexeme
from webmail.search import Query, highlight, normalise, tree

from . import access, labels
from .lists import make_cursor, own_addresses, parse_cursor, sender_words, with_groups
from .nav import display_name
from .values import Row

_TIMEOUT_MS = 2000
_HITS = 150  # messages read for a page of conversations
_ASIDE = (Mailbox.Role.TRASH.value, Mailbox.Role.JUNK.value)

# One lateral scan per account, merged: with its account fixed, the planner may walk the index of dates from the newest
# down, which ends early for a common word, or scan the word's own postings, which are few for a rare one.
_SQL = """
SELECT hit.*
  FROM unnest(%(accounts)s::bigint[]) AS mine(id)
 CROSS JOIN LATERAL (
       SELECT m.thread_id, m.id, s.received_at, m.subject, m.snippet, m.from_name, m.from_address, m.people,
              m.has_attachment, m.has_invite, spot.mailbox_id, spot.flags, s.account_id, spot.keywords
         FROM webmail_messagesearch AS s
         JOIN webmail_message AS m ON m.id = s.message_id
        CROSS JOIN LATERAL (
              SELECT p.mailbox_id, p.flags, p.keywords
                FROM webmail_placement AS p JOIN webmail_mailbox AS box ON box.id = p.mailbox_id
               WHERE p.message_id = s.message_id AND p.state = 0 AND p.flags & {deleted} = 0 AND {aside}
               ORDER BY box.role = 'inbox' DESC, p.id LIMIT 1) AS spot
        WHERE s.account_id = mine.id AND (s.received_at, s.message_id) < (%(at)s, %(key)s) AND {condition}
        ORDER BY s.received_at DESC, s.message_id DESC
        LIMIT {hits}) AS hit
 ORDER BY hit.received_at DESC, hit.id DESC
 LIMIT {hits}
"""


@dataclass(frozen=True, slots=True)
class SearchPage:
    rows: tuple[Row, ...]
    older: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class _Sql:
    """A condition with its parameters gathered under unique names."""

    parameters: dict[str, Any]

    def add(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"


def search(user: User, query: Query, *, after: str = "") -> SearchPage:
    """A page of conversations with a hit, newest hit first; a hit in Spam or Trash counts only if asked for there."""
    boxes = {box.pk: box for box in access.mailboxes(user)}
    accounts = sorted({box.account_id for box in boxes.values()})
    if query.root is None or not accounts:
        return SearchPage(rows=(), older="")
    at, key = parse_cursor(after) or (datetime(9999, 1, 1, tzinfo=UTC), 2**63 - 1)
    sql = _Sql({"accounts": accounts, "at": at, "key": key})
    condition = " AND ".join(_conditions(query.root, sql, accounts, boxes))
    aside = "TRUE" if _asks_aside(query.root) else f"box.role NOT IN {_ASIDE!r}"
    text = _SQL.format(condition=condition, aside=aside, deleted=int(Flag.DELETED), hits=_HITS)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_TIMEOUT_MS}")
            cursor.execute(text, sql.parameters)
            hits = cursor.fetchall()
    except OperationalError:
        return SearchPage(rows=(), older="", timed_out=True)
    return _page(user, hits, query, boxes)


def _conditions(root: tree.Node, sql: _Sql, accounts: list[int], boxes: dict[int, Mailbox]) -> Iterable[str]:
    """What is words alone becomes one tsquery with the accounts' lexeme, for one scan of the index."""
    nodes = root.nodes if isinstance(root, tree.And) else (root,)
    words = [text for node in nodes if (text := _words(node)) is not None]
    if words:
        mine = " | ".join(account_lexeme(account) for account in accounts)
        whole = " & ".join((f"({mine})", *words))
        yield f"s.document @@ {sql.add(whole)}::tsquery"
    for node in nodes:
        if _words(node) is None:
            yield _condition(node, sql, boxes)


def _words(node: tree.Node) -> str | None:
    """The node as tsquery text, or None when it asks for something the index does not hold."""
    match node:
        case tree.Text():
            return _text(node)
        case tree.Not():
            inner = _words(node.node)
            return None if inner is None else f"!({inner})"
        case tree.And() | tree.Or():
            parts = [_words(inner) for inner in node.nodes]
            known = [part for part in parts if part is not None]
            glue = " & " if isinstance(node, tree.And) else " | "
            return f"({glue.join(known)})" if len(known) == len(parts) else None
    return None


def _text(node: tree.Text) -> str | None:
    words = node.words
    if not words:
        return None
    if node.field == "subject":
        operands = [
            lexeme(word) + (":A" if index < len(words) - 1 or not node.prefix else ":*A")
            for index, word in enumerate(words)
        ]
        return f"({' <-> '.join(operands)})"
    if node.field != "text":
        prefix = FIELD_PREFIX[node.field]
        return f"({' & '.join(lexeme(prefix + word, prefix=True) for word in words)})"
    last = len(words) - 1
    return f"({' <-> '.join(lexeme(w, prefix=node.prefix and i == last) for i, w in enumerate(words))})"


def _condition(node: tree.Node, sql: _Sql, boxes: dict[int, Mailbox]) -> str:
    match node:
        case tree.Text():
            text = _text(node)
            return f"s.document @@ {sql.add(text)}::tsquery" if text else "TRUE"
        case tree.In():
            return _placed(f"p.mailbox_id = ANY({sql.add(_named(node.mailbox, boxes))})")
        case tree.Is():
            return _placed(_STATES[node.state])
        case tree.Label():
            return _placed(f"{sql.add(_keyword(node))} = ANY(lower(p.keywords::text)::text[])")
        case tree.HasAttachment():
            return "m.has_attachment"
        case tree.Dated():
            since = f"s.received_at >= {sql.add(_midnight(node.since))}" if node.since else "TRUE"
            until = f"s.received_at < {sql.add(_midnight(node.until))}" if node.until else "TRUE"
            return f"({since} AND {until})"
        case tree.Larger():
            return f"m.size > {sql.add(node.octets)}"
        case tree.Smaller():
            return f"m.size < {sql.add(node.octets)}"
        case tree.Not():
            return f"NOT ({_condition(node.node, sql, boxes)})"
        case tree.And():
            return "(" + " AND ".join(_condition(inner, sql, boxes) for inner in node.nodes) + ")"
        case tree.Or():
            return "(" + " OR ".join(_condition(inner, sql, boxes) for inner in node.nodes) + ")"


_STATES = {
    "unread": f"p.flags & {int(Flag.SEEN)} = 0",
    "read": f"p.flags & {int(Flag.SEEN)} > 0",
    "starred": f"p.flags & {int(Flag.FLAGGED)} > 0",
    "answered": f"p.flags & {int(Flag.ANSWERED)} > 0",
    "draft": f"p.flags & {int(Flag.DRAFT)} > 0",
}

_EXISTS = """EXISTS (
    SELECT 1 FROM webmail_placement AS p WHERE p.message_id = s.message_id AND p.state = 0 AND {condition})"""


def _placed(condition: str) -> str:
    return _EXISTS.format(condition=condition)


def _named(name: str, boxes: dict[int, Mailbox]) -> list[int]:
    """Mailboxes of that role, whole name or last level; ``spam`` and ``bin`` as people call them.

    Where none is called that, those whose name begins so: ``in:pier`` looks in “Pier 4”.
    """
    wanted = normalise(name)
    role = {"spam": "junk", "bin": "trash", "draft": "drafts"}.get(wanted, wanted)
    names = {box.pk: (normalise(box.name), normalise(box.leaf), normalise(display_name(box))) for box in boxes.values()}
    called = [pk for pk, own in names.items() if role == boxes[pk].role or wanted in own]
    return called or [pk for pk, own in names.items() if wanted and any(one.startswith(wanted) for one in own)]


def _keyword(node: tree.Label) -> str:
    """The keyword of the label with this name; a name that cannot be a label's is none's."""
    try:
        return labels.typed(node.name).lower()
    except BadName:
        return ""


def _asks_aside(node: tree.Node) -> bool:
    match node:
        case tree.In():
            return True
        case tree.And() | tree.Or():
            return any(_asks_aside(inner) for inner in node.nodes)
    return False


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone.get_current_timezone())


def _page(user: User, hits: list[tuple[Any, ...]], query: Query, boxes: dict[int, Mailbox]) -> SearchPage:
    size: int = settings.MAILROOM["LIST_PAGE"]
    own, words = own_addresses(user), query.words
    rows: dict[int, Row] = {}
    older = ""
    for hit in hits:
        one = hit[0] if user.conversations else hit[1]
        if one in rows:
            continue
        if len(rows) == size:
            break
        rows[one] = _row(hit, own=own, words=words, boxes=boxes, hues=user.label_hues, grouped=user.conversations)
        older = make_cursor(hit[2], hit[1])
    more = len(hits) == _HITS or len(rows) == size
    return SearchPage(rows=tuple(with_groups(rows.values())), older=older if more else "")


def _row(
    hit: tuple[Any, ...],
    *,
    own: frozenset[str],
    words: tuple[str, ...],
    boxes: dict[int, Mailbox],
    hues: Mapping[str, int],
    grouped: bool,
) -> Row:
    thread_id, message_id, at, subject, snippet, from_name, from_address = hit[:7]
    _, attachment, invite, mailbox_id, flags, account = hit[7:-1]
    subject = subject or gettext("(no subject)")
    return Row(
        thread_id=thread_id,
        message_id=0 if grouped else message_id,
        url=reverse("mail:thread", args=[account, mailbox_id, thread_id])
        if grouped
        else reverse("mail:single", args=[account, mailbox_id, thread_id, message_id]),
        senders=sender_words([[from_name, from_address]], own),
        count=0,
        subject=subject,
        snippet=snippet,
        when=at,
        unread=not flags & Flag.SEEN,
        starred=bool(flags & Flag.FLAGGED),
        attachment=attachment,
        answered=bool(flags & Flag.ANSWERED),
        forwarded=bool(flags & Flag.FORWARDED),
        invite=invite,
        avatar_name=from_name,
        avatar_address=from_address,
        folder=display_name(boxes[mailbox_id]) if mailbox_id in boxes else "",
        mailbox_id=mailbox_id,
        chips=labels.chips(hit[-1], hues),
        subject_marks=tuple(highlight(subject, words)),
        snippet_marks=tuple(highlight(snippet, words)),
    )
