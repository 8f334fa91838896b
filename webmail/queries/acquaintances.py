"""Whom a person knows: what tells a stranger from somebody written to before, and from one who takes their name.

One look at the senders of a conversation costs one query; two more when strangers are among them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from accounts.discovery import is_public
from accounts.models import User
from webmail.mime.domains import ascii_domain, domain_of, site
from webmail.models import Correspondent, Mailbox, Placement
from webmail.models.search_document import FIELD_PREFIX, account_lexeme, lexeme
from webmail.search.words import query_terms

MOST_DOMAINS = 1_000
NEWS = timedelta(days=30)  # who wrote for the first time longer ago is no news
MOST_ANSWERS = 20  # addresses of Reply-To that are looked at
_FEW_PLACES = 200

_DOMAINS = """
SELECT DISTINCT split_part(address, '@', 2) FROM webmail_correspondent WHERE user_id = %s LIMIT %s
"""
_WROTE_BEFORE = """
SELECT EXISTS (
    SELECT 1
      FROM (SELECT s.message_id FROM webmail_messagesearch AS s
             WHERE s.account_id = %(account)s AND s.document @@ %(words)s::tsquery AND s.received_at < %(before)s
             LIMIT %(few)s) AS hit
      JOIN webmail_message AS m ON m.id = hit.message_id
      JOIN webmail_placement AS p ON p.message_id = m.id
      JOIN webmail_mailbox AS box ON box.id = p.mailbox_id
     WHERE lower(m.from_address) = %(address)s AND m.thread_id <> %(thread)s AND box.role <> 'junk')
"""


@dataclass(frozen=True, slots=True)
class Acquaintances:
    """What of a person's acquaintance matters for the senders at hand; addresses and domains in lower case.

    ``own`` are their addresses, ``own_domains`` those of them that no public provider gives to everybody, ``written``
    of the senders and of those who get the answers the ones they have written to, ``names`` addresses by the name of
    somebody known, ``domains`` those of everybody known, ``sites`` where those and the own ones are registered,
    ``newcomers`` senders of whom nothing had come before.
    """

    own: frozenset[str] = frozenset()
    own_domains: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    newcomers: frozenset[str] = frozenset()

    def knows(self, address: str) -> bool:
        return address.lower() in self.own or address.lower() in self.written


def of_senders(user: User, placements: Sequence[Placement], *, own: frozenset[str]) -> Acquaintances:
    """What the person knows of those who sent these messages of one conversation, oldest first."""
    theirs = [one for one in placements if one.message.from_address.lower() not in own]
    if not theirs:
        return Acquaintances(own=own)
    addresses = {one.message.from_address.lower() for one in theirs}
    names = {one.message.from_name for one in theirs if " " in one.message.from_name}
    answers = {str(pair[1]).lower() for one in theirs for pair in one.message.people.get("reply_to", [])[:MOST_ANSWERS]}
    found = Correspondent.objects.filter(Q(address__in=addresses | answers) | Q(name__in=names), user=user)
    people = list(found.values_list("address", "name"))
    written = frozenset(address for address, _ in people if address in addresses | answers)
    own_domains = frozenset(domain for domain in map(domain_of, own) if domain and not is_public(domain))
    domains = _domains(user) if addresses - written else frozenset()
    return Acquaintances(
        own=own,
        own_domains=own_domains,
        written=written,
        names={name: address for address, name in people},
        domains=domains,
        sites=frozenset(map(site, domains | own_domains)),
        newcomers=_newcomers(theirs, written),
    )


def _domains(user: User) -> frozenset[str]:
    with connection.cursor() as cursor:
        cursor.execute(_DOMAINS, [user.pk, MOST_DOMAINS])
        return frozenset(map(ascii_domain, (domain for (domain,) in cursor.fetchall()))) - {""}


def _newcomers(theirs: Sequence[Placement], written: Collection[str]) -> frozenset[str]:
    """The newest message's sender, if a person of whom no mail had come before this conversation, spam left out."""
    newest = theirs[-1]
    message, address = newest.message, newest.message.from_address.lower()
    if address in written or message.list_id or message.extra.get("auto_submitted"):
        return frozenset()
    if "@" not in address or newest.received_at < timezone.now() - NEWS:
        return frozenset()
    words = [lexeme(FIELD_PREFIX["from"] + term) for term in query_terms(address)]
    with connection.cursor() as cursor:
        cursor.execute(
            _WROTE_BEFORE,
            {
                "account": newest.account_id,
                "words": " & ".join([account_lexeme(newest.account_id), *words]),
                "before": newest.received_at,
                "few": _FEW_PLACES,
                "address": address,
                "thread": newest.thread_id,
            },
        )
        before = cursor.fetchone()[0]
    if before or _still_coming(newest.account_id):
        return frozenset()
    return frozenset({address})


def _still_coming(account_id: int) -> bool:
    """Whether older mail of the account is yet to come down: then nobody can be called new."""
    early = (Mailbox.Phase.NEW, Mailbox.Phase.INITIAL)
    return Mailbox.objects.filter(account=account_id, phase__in=early).exclude(role=Mailbox.Role.JUNK).exists()
