"""Search over all of a person's accounts; the query stands in the address, so that it can be kept and shared."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext

from webmail.queries import labels
from webmail.queries import search as finding
from webmail.queries.nav import nav
from webmail.queries.values import Empty
from webmail.search import Query, parse

from .htmx import page
from .lists import person, region, signed_in


@dataclass(frozen=True, slots=True)
class QueryChip:
    label: str
    value: str
    remove_url: str


@login_required
def search(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    text = request.GET.get("q", "")
    query = parse(text, today=timezone.localdate())
    found = finding.search(user, query, after=request.GET.get("after", ""))
    url = f"{request.path}?{urlencode({'q': text})}"
    context: dict[str, Any] = {
        "nav": nav(user, current="search"),
        "person": person(user),
        "query": text,
        "chips": _chips(query),
        "errors": _errors(query, timed_out=found.timed_out),
        "total": None,
        "rows": found.rows,
        "older_url": f"{url}&after={found.older}" if found.older else "",
        "facets": (),
        "empty": _empty(query),
        "list_url": url,
        "labels": labels.choices(user, None),
        "mailbox": {"id": "", "name": gettext("Search"), "role": "", "unread": 0, "total": 0, "account_id": ""},
    }
    return page(request, "mail/search.html", context, region=region(request))


def _chips(query: Query) -> list[QueryChip]:
    return [
        QueryChip(
            label=chip.label.partition(":")[0] + ":",
            value=chip.label.partition(":")[2].strip(),
            remove_url=reverse("mail:search") + "?" + urlencode({"q": _without(query.source, chip.source)}),
        )
        for chip in query.chips()
    ]


def _without(source: str, part: str) -> str:
    before, _, after = source.partition(part)
    return f"{before.strip()} {after.strip()}".strip()


def _errors(query: Query, *, timed_out: bool) -> list[str]:
    sentences = [gettext(problem.sentence) for problem in query.problems]  # marked where they are written
    if timed_out:
        sentences.append(gettext("This search took too long. Add a word, a person or a date to narrow it down."))
    return sentences


def _empty(query: Query) -> Empty:
    if query.root is None:
        return Empty(gettext("Search all your mail"), gettext("Words, people, or from: to: subject: has:attachment."))
    return Empty(
        gettext("Nothing found"), gettext("Fewer words find more. What was never opened is found by its headers.")
    )
