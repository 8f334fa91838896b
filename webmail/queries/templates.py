"""Texts to begin messages with, filled in for whom they are written to.

In braces: ``{name}`` and ``{first name}`` of the first recipient, ``{my name}`` and ``{date}``.
What is not known stays as it stands, so that it is seen before it is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape

from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from webmail.mime.addresses import Address, parse_addresses
from webmail.models import TextTemplate

VARIABLES = ("first name", "name", "my name", "date")
_VARIABLE = re.compile(r"\{ ?([a-z ]{1,20}?) ?\}", re.IGNORECASE)
_COLUMN = re.compile(r"\{ ?([^{}<>\n]{1,120}?) ?\}")  # of a table: by whatever name it has
# the same where tags of characters, not of blocks, stand between its letters: half of a name was made bold
_TAG = re.compile(r"</?(?:a|b|code|em|font|i|mark|s|small|span|strike|strong|sub|sup|u)(?: [^<>{}]{0,300})?>")
_COLUMN_IN_HTML = re.compile(rf"\{{((?:[^{{}}<>]|{_TAG.pattern}){{1,120}})\}}")


@dataclass(frozen=True, slots=True)
class Filled:
    subject: str
    html: str


def templates(user: User) -> list[TextTemplate]:
    return list(TextTemplate.objects.filter(user=user, removed_at=None).order_by("name"))


def filled(template: TextTemplate, user: User, *, to: str) -> Filled:
    """``to`` is a list of recipients as a field holds it."""
    people = parse_addresses(to)
    values = _values(people[0] if people else Address("", ""), user)

    def value(found: re.Match[str]) -> str:
        return values.get(" ".join(found[1].lower().split())) or found[0]

    html = _VARIABLE.sub(lambda found: escape(value(found)), template.html)
    return Filled(subject=_VARIABLE.sub(value, template.subject), html=html)


def filled_from(subject: str, html: str, values: Mapping[str, str], *, lines: bool = False) -> Filled:
    """A text with the cells of one row in the place of its columns' names, which are keys in lower case.

    With ``lines`` the first is a text of many lines, else a subject, which stays one.
    """

    def cell(name: str, found: re.Match[str]) -> str:
        return values.get(" ".join(name.lower().split()), found[0])

    def within(found: re.Match[str]) -> str:
        name = unescape(_TAG.sub("", found[1]))
        if " ".join(name.lower().split()) not in values:
            return found[0]
        return escape(cell(name, found)).replace("\n", "<br>") + "".join(_TAG.findall(found[1]))

    def plain(found: re.Match[str]) -> str:
        words = cell(found[1], found)
        return words if lines else " ".join(words.split())

    return Filled(subject=_COLUMN.sub(plain, subject), html=_COLUMN_IN_HTML.sub(within, html))


def named_in(*texts: str) -> list[str]:
    """What stands in braces, in the order of their first appearance; texts, not HTML."""
    found = (" ".join(one[1].split()) for text in texts for one in _COLUMN.finditer(text))
    return list(dict.fromkeys(found))


def _values(first: Address, user: User) -> dict[str, str]:
    name = first.name.strip()
    given = name.partition(",")[2].strip() if "," in name else name  # "Okafor, Amara"
    today = date_format(timezone.localdate(), "DATE_FORMAT")
    return {"name": name, "first name": given.split(" ")[0], "my name": user.name, "date": today}
