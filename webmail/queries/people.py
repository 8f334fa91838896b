"""Whom a person may mean while typing a recipient: people written to first, then people who wrote."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from accounts.models import User
from webmail.models import Correspondent
from webmail.models.search_document import FIELD_PREFIX, account_lexeme, lexeme
from webmail.search import normalise
from webmail.search.words import query_terms

from . import access, contacts
from .composing import format_people

MOST = 8
MOST_TOGETHER = 500  # recipients of one message
_TIMEOUT_MS = 300  # a suggestion that comes later is of no use
_MACHINES = re.compile(r"(?:no-?reply|do-?not-?reply|mailer-daemon|bounces?|notifications?)\b", re.IGNORECASE)

_SENDERS = """
SELECT max(m.from_name), lower(m.from_address), max(hit.received_at), count(*)
  FROM (SELECT s.message_id, s.received_at
          FROM webmail_messagesearch AS s
         WHERE s.account_id = ANY(%(accounts)s) AND s.document @@ %(words)s::tsquery
         ORDER BY s.received_at DESC LIMIT 200) AS hit
  JOIN webmail_message AS m ON m.id = hit.message_id
 WHERE m.from_address <> '' AND EXISTS (
       SELECT 1 FROM webmail_placement AS p JOIN webmail_mailbox AS box ON box.id = p.mailbox_id
        WHERE p.message_id = m.id AND box.role NOT IN ('junk', 'trash'))
 GROUP BY lower(m.from_address)
 ORDER BY count(*) DESC, max(hit.received_at) DESC
 LIMIT 24
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Somebody to write to; of a group, ``everyone`` is a list of addresses as a field holds it."""

    name: str
    address: str
    hint: str
    everyone: str = ""


def suggestions(user: User, typed: str) -> tuple[Suggestion, ...]:
    """At most eight people with a word of name or address beginning so, best known first; none for nothing typed."""
    prefix = normalise(typed.replace("\0", "").strip())[:100]
    if not prefix:
        return ()
    starts = Q(search__startswith=prefix) | Q(search__contains=f" {prefix}")
    written = Correspondent.objects.filter(starts, user=user).order_by("-times", "-last_at")[: MOST * 4]
    month = timezone.now() - timedelta(days=30)
    ranked = sorted(
        written, key=lambda one: (one.times + (10 if one.last_at > month else 0), one.last_at), reverse=True
    )
    found = {one.address: Suggestion(one.name, one.address, _written(one)) for one in ranked[:MOST]}
    kept = _contacts(user, typed)
    for address in found.keys() & kept.keys():
        found[address] = replace(found[address], name=kept[address].name or found[address].name)
    for address, one in kept.items():
        if len(found) < MOST:
            found.setdefault(address, one)
    if len(found) < MOST:
        for one in _senders(user, typed):
            found.setdefault(one.address, one)
    return (*_groups(user, prefix), *found.values())[:MOST]


def _contacts(user: User, typed: str) -> dict[str, Suggestion]:
    """Those of the address book, by the addresses that they have."""
    found = contacts.matching(user, typed=typed).exclude(mails=[]).order_by("sort", "pk")[:MOST]
    return {
        mail.lower(): Suggestion(one.name, mail, one.organisation or gettext("in your contacts"))
        for one in found
        for mail in one.mails[:3]
    }


def _groups(user: User, prefix: str) -> list[Suggestion]:
    """At most two that begin so, of those whose people one message can go to."""
    named = [group for group in access.contact_groups(user) if normalise(group.name).startswith(prefix)]
    found: list[Suggestion] = []
    for group in named[:4]:
        members = contacts.matching(user, group=group).exclude(mails=[]).order_by("sort", "pk")
        people = [[name, mails[0]] for name, mails in members.values_list("name", "mails")[: MOST_TOGETHER + 1]]
        hint = ngettext("%d person", "%d people", len(people)) % len(people)
        if people and len(people) <= MOST_TOGETHER and len(found) < 2:
            found.append(Suggestion(group.name, "", hint, format_people(people)))
    return found


def _senders(user: User, typed: str) -> list[Suggestion]:
    """People whose mail is here; machines that nobody answers are left out."""
    accounts = list(access.accounts(user).values_list("pk", flat=True))
    terms = query_terms(typed)[:5]
    if not accounts or not terms:
        return []
    mine = " | ".join(account_lexeme(account) for account in accounts)
    words = " & ".join(lexeme(FIELD_PREFIX["from"] + term, prefix=True) for term in terms)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_TIMEOUT_MS}")
            cursor.execute(_SENDERS, {"accounts": accounts, "words": f"({mine}) & {words}"})
            found = cursor.fetchall()
    except OperationalError:
        return []
    return [
        Suggestion(name, address, _wrote(at, count))
        for name, address, at, count in found
        if not _MACHINES.match(address)
    ]


def _written(one: Correspondent) -> str:
    days = _days(one.last_at)
    if days <= 1:
        return gettext("written to today") if days <= 0 else gettext("written to yesterday")
    return _count(one.times, one.last_at)


def _wrote(at: datetime, count: int) -> str:
    days = _days(at)
    if days <= 1:
        return gettext("wrote today") if days <= 0 else gettext("wrote yesterday")
    return _count(count, at)


def _count(times: int, at: datetime) -> str:
    if times == 1:
        local = timezone.localtime(at)
        month = date_format(local, "F" if local.year == timezone.localdate().year else "F Y")
        return gettext("once, in %s") % month
    return ngettext("%d message", "%d messages", times) % times


def _days(at: datetime) -> int:
    return (timezone.localdate() - timezone.localtime(at).date()).days
