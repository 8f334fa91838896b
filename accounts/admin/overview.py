"""The panel's first page and its search across accounts, people and organisations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import MailAccount, Organisation, User
from accounts.queries import account_words, overview
from accounts.queries.account_words import Pill, lasting

from . import charts
from .intents import ACCOUNT, Intent

State = MailAccount.State
MOST = 50
_LEGEND = (
    (State.WORKING, "working", True),
    (State.NEW, "new", True),
    (State.PASSWORD_REFUSED, "refused", True),
    (State.UNREACHABLE, "unreachable", True),
    (State.THROTTLED, "throttled", True),
    (State.FAILING, "failing", False),
    (State.PAUSED, "paused", False),
    (State.SUSPENDED, "suspended", False),
)


@dataclass(frozen=True, slots=True)
class Line:
    """An account that needs someone: since how long, and the likeliest mend as an intent, or none: see its server."""

    account: MailAccount
    pill: Pill
    trouble: str
    since: datetime
    lasting: str
    likeliest: Intent | None
    asked: datetime | None
    others: tuple[Intent, ...]


def show(request: HttpRequest, context: dict[str, Any]) -> TemplateResponse:
    """Figures, one chart, then the accounts that need someone."""
    found = overview.figures()
    text, state = request.GET.get("q", "").strip()[:200], request.GET.get("state", "")
    needing = overview.needing_someone(text=text, state=state)
    return TemplateResponse(
        request,
        "admin/index.html",
        context
        | {
            "title": _("Overview"),
            "here": "overview",
            "now": timezone.now(),
            "figures": found,
            "legend": _legend(found.by_state),
            "strip": charts.strip((css, found.by_state.get(state, 0)) for state, css, _always in _LEGEND),
            "lag": _lag(found.lag),
            "overdue": lasting(found.overdue) if found.overdue else "",
            "hours": _hours(found.mail),
            "oldest_change": lasting(found.mail.oldest_change) if found.mail and found.mail.oldest_change else "",
            "lines": _lines(list(needing[:MOST])),
            "needing": needing.count(),
            "q": text,
            "state": state,
            "states": [(one, account_words.state_pill(one).words) for one in overview.NEEDS_SOMEONE],
        },
    )


def find(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Accounts, people and organisations whose address or name holds the text."""
    text = request.GET.get("q", "").strip()[:200]
    accounts = MailAccount.objects.filter(Q(address__icontains=text) | Q(label__icontains=text))
    people = User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text))
    organisations = Organisation.objects.filter(name__icontains=text)
    found = {
        "accounts": [
            (account, account_words.pill(account))
            for account in accounts.select_related("organisation", "incoming").order_by("address")[:MOST]
        ],
        "people": people.select_related("organisation")[:MOST],
        "organisations": organisations[:MOST],
    }
    return render(
        request,
        "admin/find.html",
        context | {"title": _("Found"), "here": "find", "find": text} | (found if text else {}),
    )


def likeliest(account: MailAccount) -> Intent | None:
    """What most often mends this trouble; None: its server's settings."""
    if account.error_code in ("auth", "seal") or account.state == State.PASSWORD_REFUSED:
        return ACCOUNT["ask"]
    return None if account.error_code in ("tls", "host-not-allowed") else ACCOUNT["sync"]


def _lines(accounts: list[MailAccount]) -> list[Line]:
    asked, now = overview.asked_for_password(accounts), timezone.now()
    lines = []
    for account in accounts:
        first, when = likeliest(account), asked.get(account.address)
        if first is ACCOUNT["ask"] and when and account.state == State.PASSWORD_REFUSED:
            first = ACCOUNT["retry"]  # the owner has been asked; what is left is another try
        lines.append(
            Line(
                account=account,
                pill=account_words.pill(account),
                trouble=account_words.last_trouble(account),
                since=account.state_since,
                lasting=lasting(now - account.state_since),
                likeliest=first,
                asked=when if when and account.state == State.PASSWORD_REFUSED else None,
                others=tuple(one for one in ACCOUNT.values() if one is not first and one.fits(account)),
            )
        )
    return lines


def _legend(by_state: dict[str, int]) -> list[tuple[str, str, int]]:
    rows = [(css, account_words.state_pill(state).words, by_state.get(state, 0), kept) for state, css, kept in _LEGEND]
    return [(css, words, count) for css, words, count, kept in rows if kept or count]


def _lag(lag: overview.Lag | None) -> dict[str, Any] | None:
    if lag is None:
        return None
    ends = [lasting(timedelta(seconds=seconds)) for seconds in overview.BUCKETS]
    labels = [f"≤ {end}" for end in ends] + [_("longer")]
    bars = charts.columns(lag.buckets, labels, width=480, height=140, gap=16)
    return {"half": lasting(lag.half), "most": lasting(lag.most), "bars": bars}


def _hours(mail: overview.MailFigures | None) -> list[charts.Shape]:
    return charts.columns(mail.sent_by_hour, width=222, height=44, gap=3) if mail else []
