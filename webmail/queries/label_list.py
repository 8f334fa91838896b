"""The labels of a person, for the page that renames, colours and removes them."""

from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from webmail.mime.keywords import WELL_KNOWN, is_label

from . import labels

# every third of tokens.css' hues, by the name people give them
COLOURS = (
    (0, _("Rose")), (3, _("Red")), (6, _("Orange")), (9, _("Yellow")), (12, _("Lime")), (15, _("Green")),
    (18, _("Teal")), (21, _("Cyan")), (24, _("Blue")), (27, _("Indigo")), (30, _("Violet")), (33, _("Pink")),
)  # fmt: skip

_CARRIED = """
SELECT lower(word), array_agg(DISTINCT word), count(DISTINCT line.thread_id)
  FROM webmail_mailboxthread AS line
  JOIN accounts_mailaccount AS account ON account.id = line.account_id, unnest(line.keywords) AS word
 WHERE account.user_id = %s AND line.keywords <> '{}'
 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Label:
    """One line: ``keyword`` names it, ``spelled`` are its spellings on messages, ``count`` conversations carry it."""

    keyword: str
    name: str
    hue: int
    shared: bool  # one of the five that mail programs share: its name is not a person's to change
    spelled: tuple[str, ...]
    count: int


def rows(user: User) -> tuple[Label, ...]:
    """The person's own and those on their messages by name, then the five that all have; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_CARRIED, [user.pk])
        carried = {key: (tuple(sorted(words)), count) for key, words, count in cursor.fetchall() if is_label(key)}
    offered = {word.lower(): word for word in (*WELL_KNOWN, *user.labels)}
    offered |= {key: words[0] for key, (words, _) in carried.items() if key not in offered}
    order = {key: place for place, key in enumerate(WELL_KNOWN)}
    found = [_label(user, key, word, *carried.get(key, ((), 0))) for key, word in offered.items()]
    return tuple(sorted(found, key=lambda label: (order.get(label.keyword.lower(), -1), label.name.casefold())))


def _label(user: User, key: str, word: str, spelled: tuple[str, ...], count: int) -> Label:
    chip = labels.chip(word, user.label_hues)
    return Label(word, chip.name, chip.hue, key in WELL_KNOWN, spelled, count)


def one(user: User, keyword: str) -> Label | None:
    """The label with this keyword, however it is spelled."""
    return next((label for label in rows(user) if label.keyword.lower() == keyword.lower()), None)
