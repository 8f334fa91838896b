"""Keywords of placements that a person changed and the server has or refuses. Call inside ``guarded``.

Invariant: people see the server's keywords but for those in ``pending_keywords``, of which they see their own word; as
``pending_mask`` does for flags. Keywords are equal whatever their case (RFC 9051 section 2.3.2).
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from webmail.sync.owed import owed_keywords
from webmail.sync.sql import ask, change

KeywordChange = tuple[tuple[str, ...], tuple[str, ...]]  # to add, to remove; the first as it is spelled on the wire
_Words = tuple[str, ...]

_SEEN = """ARRAY(
    SELECT word FROM (
        SELECT word FROM unnest({said}::varchar(100)[]) AS word WHERE lower(word) <> ALL({row}pending_keywords)
        UNION SELECT word FROM unnest({row}keywords) AS word WHERE lower(word) = ANY({row}pending_keywords)
    ) AS each ORDER BY word COLLATE "C")"""


def seen(said: str, row: str = "") -> str:
    """SQL: what people see of a placement about which the server says the keywords ``said``, another SQL expression."""
    return _SEEN.format(said=said, row=row)


_LOCK = """
SELECT id, server_keywords, pending_keywords, keywords FROM webmail_placement
WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
_WRITE = """
UPDATE webmail_placement SET server_keywords = %s, pending_keywords = %s, keywords = %s WHERE id = ANY(%s)
"""


def settle(
    account_id: int, changes: Mapping[KeywordChange, Collection[int]], *, unkept: Collection[str], besides: list[int]
) -> None:
    """The server has these changes, but for the ``unkept`` keywords (lower case): those stay masked, to remain here."""
    of = {pk: words for words, placements in changes.items() for pk in placements}

    def after(pk: int, server: _Words, pending: set[str]) -> tuple[_Words, set[str]]:
        add, remove = of[pk]
        kept = [word for word in add if word.lower() not in unkept]
        gone = {word.lower() for word in remove} - set(unkept)
        return changed(server, kept, gone), pending - lowered((*add, *remove)) | lowered((*add, *remove)) & set(unkept)

    _write(account_id, of, after, besides=besides)


def take_back(account_id: int, changes: Mapping[KeywordChange, Collection[int]], *, besides: list[int]) -> None:
    """The server refused: people see what it has, with what others still owe."""
    of = {pk: words for words, placements in changes.items() for pk in placements}

    def after(pk: int, server: _Words, pending: set[str]) -> tuple[_Words, set[str]]:
        add, remove = of[pk]
        return server, pending - lowered((*add, *remove))

    _write(account_id, of, after, besides=besides)


def changed(words: Iterable[str], add: Iterable[str], remove: Collection[str]) -> _Words:
    """The keywords with some more and some less (these in lower case), sorted."""
    found = {word.lower(): word for word in add} | {word.lower(): word for word in words}
    return tuple(sorted(word for key, word in found.items() if key not in remove))


def lowered(words: Iterable[str]) -> set[str]:
    return {word.lower() for word in words}


def _write(
    account_id: int,
    placements: Collection[int],
    after: Callable[[int, _Words, set[str]], tuple[_Words, set[str]]],
    *,
    besides: list[int],
) -> None:
    """Locks first: what a person owes is asked for when nobody can add to it any more."""
    rows = ask(_LOCK, [sorted(placements)])
    owed = owed_keywords(account_id, placements, besides=besides)
    groups: dict[tuple[_Words, _Words, _Words], list[int]] = {}
    for pk, server, pending, shown in rows:
        now, mask = after(pk, tuple(server), set(pending))
        mask |= owed.get(pk, set())
        own = [word for word in shown if word.lower() in mask]
        visible = tuple(sorted({*own, *(word for word in now if word.lower() not in mask)}))
        groups.setdefault((now, tuple(sorted(mask)), visible), []).append(pk)
    for (server_words, mask_words, visible), members in groups.items():
        change(_WRITE, [list(server_words), list(mask_words), list(visible), members])
