"""Searches in 100,000 messages: words that stand in ten of them, in 500, in 10,000, and several together."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote_plus

from tests.bench.data import fill
from tests.bench.edge import signed_in
from tests.bench.letters import PLANTED
from tests.bench.registry import Row, Times, bench, timed
from tests.bench.servers import Servers

MESSAGES = 100_000


def queries() -> dict[str, list[str]]:
    """What is searched for, by kind; "harbour" begins a word of every message, the host of its reader."""
    rare, medium, common = PLANTED
    return {
        "rare": [rare, f"from:amara {rare}"],
        "medium": [medium, f"subject:{medium}", f"{medium} is:unread"],
        "common": [common, f"subject:{common}", f"{common} has:attachment", common[:-2], "from:amara", "harbour"],
        "both": [f"{common} {medium}", f"{medium} {rare}"],
    }


@bench("search-word", "ms", 50)
def search_word(servers: Servers) -> list[Row]:
    """Search pages at the HTTP edge, each query twenty times in turn."""
    servers.django()
    filled = fill(MESSAGES)
    edge = signed_in(servers.web().url, filled.user)
    kinds = queries()
    taken: dict[str, list[float]] = {query: [] for found in kinds.values() for query in found}
    for query in taken:
        if 'class="row' not in edge.page(_url(query)) and query in PLANTED:
            raise RuntimeError(f"Nothing was found for {query}.")
    for _ in range(20):
        for query in taken:
            taken[query] += timed(partial(edge.get, _url(query)), repeat=1, warm=0).seconds
    every = Times(tuple(second for seconds in taken.values() for second in seconds))
    rows = [Row("search-word", every.p95 * 1000, "ms", 50), Row("search-word p50", every.p50 * 1000, "ms")]
    for kind, found in kinds.items():
        times = Times(tuple(second for query in found for second in taken[query]))
        rows.append(Row(f"search-word {kind} p95", times.p95 * 1000, "ms"))
    return rows


@bench("suggestions", "ms", 50)
def suggestions(servers: Servers) -> list[Row]:
    """Whom to write to, while one types, in an address book that is full: what one answer takes in the process."""
    servers.django()
    from django.db import transaction

    from accounts.models import Organisation, User
    from tests.support.address_book import fill as fill_book
    from webmail.queries import people
    from webmail.services import contacts

    user = User.objects.create_user("r@harbourlane.example", organisation=Organisation.objects.create(name="Harbour"))
    with transaction.atomic():
        fill_book(user, contacts.name_group(user, "Press"), contacts.MOST)
    rows = []
    for typed in ("p", "press", "person 19999", "nobody at all"):
        taken = timed(partial(people.suggestions, user, typed), repeat=20, warm=3)
        rows.append(Row(f"suggestions {typed!r}", taken.p95 * 1000, "ms", 50))
    return rows


def _url(query: str) -> str:
    return f"/search/?q={quote_plus(query)}"
