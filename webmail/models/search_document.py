"""What MessageSearch indexes, as the text of a ``tsvector``. Postgres' own parser is not involved: words are those of
``webmail.search.terms`` on both sides, so that a query finds exactly what was indexed.

Weights: A subject, B names and addresses of all people, C text of the body and names of attachments. The lexeme
``acct:<account id>`` carries no position, nor do those that say where a word stands: ``f:word`` in From, ``t:word`` in
To, ``c:word`` in Cc, ``n:word`` in an attachment's name. Queries are written as ``tsquery`` literals (``lexeme``),
never through ``to_tsquery``, which would take words apart again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from webmail.search import terms
from webmail.search.words import MAX_TERM

LAST_POSITION = 16_383
LONGEST_PLACES = 1_200  # characters of one word's positions: about 200 of them, Postgres keeps 255
FIELD_GAP = 10  # positions between fields, so that no phrase spans two
LONGEST_TEXT = 200_000  # characters of a body that can be found
MOST_WORDS = 20_000  # different ones of a message
PEOPLE_EACH = 50  # of one field that can be found by the field
SHORT = 20_000  # characters
SHORT_SUBJECT = 500  # characters

FIELD_PREFIX = {"from": "f:", "to": "t:", "cc": "c:", "filename": "n:"}

_ASCII_WORD = re.compile(r"[a-z0-9]+")

People = Mapping[str, Sequence[Sequence[str]]]


def lexeme(word: str, *, prefix: bool = False) -> str:
    """The word as an operand of a tsquery literal: ``'word'`` or ``'word':*``."""
    return quote(word) + (":*" if prefix else "")


def account_lexeme(account_id: int) -> str:
    """The operand that confines a query to one account."""
    return quote(f"acct:{account_id}")


def quote(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def header_document(account_id: int, subject: str, people: People) -> str:
    """The document of a message whose body is not here: the text of the same ``tsvector`` as ``document`` gives.

    Where neither positions nor words can run out, a word is written as often as it stands there; Postgres joins them.
    """
    if len(subject) > SHORT_SUBJECT or sum(map(len, people.values())) > PEOPLE_EACH:
        return document(account_id, subject, people, ())
    words = _words(subject)
    lexemes = [f"'{word}':{place}A" for place, word in enumerate(words, 1)]
    place = len(words) + 1 + FIELD_GAP
    seen: set[str] = set()
    for field, members in people.items():
        for name, address in members:
            words, placed = _person_lexemes(field, name, address)
            if address not in seen or not address:
                seen.add(address)
                lexemes += [f"'{word}':{at}B" for at, word in enumerate(words, place)]
                place += len(words) + FIELD_GAP
            if placed:
                lexemes.append(placed)
    lexemes.append(account_lexeme(account_id))
    return " ".join(lexemes)


def document(
    account_id: int, subject: str, people: People, texts: Iterable[str], *, filenames: Iterable[str] = ()
) -> str:
    """The whole document of a message whose body is here, with its attachments' names. For ``%s::tsvector``."""
    found: dict[str, str] = {}
    place = _add(found, _words(subject), 1, "A")
    seen: set[str] = set()
    placed: set[str] = set()
    for field, members in people.items():
        prefix = FIELD_PREFIX.get(field)
        for number, (name, address) in enumerate(members):
            words = _person(name, address)
            if address not in seen or not address:
                seen.add(address)
                place = _add(found, words, place, "B")
            if prefix is not None and number < PEOPLE_EACH:
                placed.update([prefix + word for word in words])
    for text in texts:
        place = _add(found, _words(text[:LONGEST_TEXT]), place, "C")
    for filename in filenames:
        words = _words(filename)
        place = _add(found, words, place, "C")
        placed.update([FIELD_PREFIX["filename"] + word for word in words])
    # no word of ``terms`` holds a quote or a backslash, so none needs escaping
    lexemes = [f"'{word}':{places}" for word, places in found.items()]
    lexemes += [f"'{word}'" for word in placed]
    lexemes.append(account_lexeme(account_id))
    return " ".join(lexemes)


def _words(text: str) -> Sequence[str]:
    """``terms``, the short way where the text is plain."""
    if len(text) <= SHORT and text.isascii():
        return [word[:MAX_TERM] for word in _ASCII_WORD.findall(text.lower())]
    return terms(text)


@lru_cache(maxsize=8192)
def _person(name: str, address: str) -> Sequence[str]:
    """The words of a name and address: the same few people stand in most messages of an account."""
    return tuple(_words(f"{name} {address}"))


@lru_cache(maxsize=8192)
def _person_lexemes(field: str, name: str, address: str) -> tuple[Sequence[str], str]:
    """A person's words, and their lexemes that name the field, ready to be written."""
    words, prefix = _person(name, address), FIELD_PREFIX.get(field)
    return words, " ".join(f"'{prefix}{word}'" for word in dict.fromkeys(words)) if prefix else ""


def _add(found: dict[str, str], words: Sequence[str], place: int, weight: str) -> int:
    """Notes the words from this position on; returns where the next field begins."""
    for word in words:
        places = found.get(word)
        if places is None:
            if len(found) >= MOST_WORDS:
                continue
            found[word] = f"{place}{weight}"
        elif place < LAST_POSITION and len(places) < LONGEST_PLACES:
            found[word] = f"{places},{place}{weight}"
        if place < LAST_POSITION:
            place += 1
    return min(place + FIELD_GAP, LAST_POSITION)
