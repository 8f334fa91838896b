"""Texts to begin messages with, filled in for whom they are written to.

In braces: ``{name}`` and ``{first name}`` of the first recipient, ``{my name}`` and ``{date}``.
What is not known stays as it stands, so that it is seen before it is sent.
"""

import re
from dataclasses import dataclass
from html import escape

from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from webmail.mime.addresses import Address, parse_addresses
from webmail.models import TextTemplate

VARIABLES = ("first name", "name", "my name", "date")
_VARIABLE = re.compile(r"\{ ?([a-z ]{1,20}?) ?\}", re.IGNORECASE)


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


def _values(first: Address, user: User) -> dict[str, str]:
    name = first.name.strip()
    given = name.partition(",")[2].strip() if "," in name else name  # "Okafor, Amara"
    today = date_format(timezone.localdate(), "DATE_FORMAT")
    return {"name": name, "first name": given.split(" ")[0], "my name": user.name, "date": today}
