"""How a person may leave the list that a message came by, and what came of asking (RFC 2369, RFC 8058)."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import MailAccount
from webmail.mime.lookalike import shown_domain
from webmail.mime.unsubscribe import Letter, Ways, asks_one_click, ways_out
from webmail.models import Mailbox, Message, Placement, Unsubscription

from . import trust

SIGNED = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
LONGEST = timedelta(minutes=1)  # a request that is under way for longer has lost its worker
_ELSEWHERE = {Mailbox.Role.SENT.value, Mailbox.Role.DRAFTS.value, Mailbox.Role.JUNK.value}
State = Unsubscription.State


@dataclass(frozen=True, slots=True)
class WayOut:
    """``way`` is what is offered: click posts a form here, letter opens the composer at ``url``, web is a link that
    leads to ``host``; "" offers nothing. ``state`` is what came of asking at ``at``: waiting | asked | unsure | failed,
    ``again`` that the list has written since; "" where nobody asked.
    """

    way: Literal["", "click", "letter", "web"] = ""
    url: str = ""
    host: str = ""
    state: str = ""
    at: datetime | None = None
    again: bool = False


def key_of(url: str) -> str:
    """Names an address that can be asked, in its row."""
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()


def one_click_url(message: Message, trusted: Collection[str]) -> str:
    """The address that may be asked in one click, "" where there is none (criterion S32). Reads ``message.body``.

    ``trusted`` as ``MailServer.believed`` gives them.
    """
    extra = message.extra
    if not asks_one_click(extra.get("list_unsubscribe_post", "")):
        return ""
    url = ways_out(extra.get("list_unsubscribe", "")).web
    return url if url and trust.fields_signed(message, trusted) >= SIGNED else ""


def list_of(message: Message) -> str:
    """What its rows name the list by; "" where the message names none."""
    return message.list_id.lower()[:300]


def of_messages(account: MailAccount, placements: Sequence[Placement]) -> dict[int, WayOut]:
    """By message, those that came by a list which says how to leave it. The placements are of this account."""
    received = [one for one in placements if one.mailbox.role not in _ELSEWHERE]
    offering = [one.message for one in received if one.message.extra.get("list_unsubscribe")]
    if not offering:
        return {}
    urls = {message.pk: one_click_url(message, account.incoming.believed) for message in offering}
    rows = _rows(account, offering, urls.values())
    found = {
        message.pk: _way_out(message, urls[message.pk], [row for row in rows if _about(row, message, urls[message.pk])])
        for message in offering
    }
    return {pk: way for pk, way in found.items() if way.way or way.state}


def _rows(account: MailAccount, messages: Iterable[Message], urls: Iterable[str]) -> list[Unsubscription]:
    keys = [key_of(url) for url in urls if url]
    lists = [name for message in messages if (name := list_of(message))]
    about = Q(key__in=keys) | Q(list_id__in=lists)
    return list(Unsubscription.objects.filter(about, account=account).order_by("-asked_at")[:200])


def _about(row: Unsubscription, message: Message, url: str) -> bool:
    return (bool(url) and row.key == key_of(url)) or (row.list_id != "" and row.list_id == list_of(message))


def _way_out(message: Message, url: str, rows: Sequence[Unsubscription]) -> WayOut:
    """``rows`` are about this list, newest first; a list that has written since may be asked anew, elsewhere."""
    offered = _offered(message, url)
    if not rows:
        return offered
    row = rows[0]
    state = _state(row)
    told = WayOut(state=state, at=row.asked_at)
    if state == "failed":
        return replace(offered, state=state, at=row.asked_at)
    same = any(url and one.key == key_of(url) for one in rows)
    if message.received_at <= row.asked_at or state == "waiting":
        return told
    return replace(WayOut() if same and offered.way == "click" else offered, state=state, at=row.asked_at, again=True)


def _state(row: Unsubscription) -> str:
    if row.state == State.ASKING:
        return "waiting" if row.changed_at > timezone.now() - LONGEST else "unsure"
    return str(row.state)


def _offered(message: Message, url: str) -> WayOut:
    if url:
        return WayOut("click")
    ways: Ways = ways_out(message.extra.get("list_unsubscribe", ""))
    if ways.letter is not None:
        return WayOut("letter", _composer(ways.letter))
    return WayOut("web", ways.web, shown_domain(ways.host)) if ways.web else WayOut()


def _composer(letter: Letter) -> str:
    fields = {"to": letter.to, "subject": letter.subject, "body": letter.body}
    return f"{reverse('mail:compose')}?{urlencode({name: value for name, value in fields.items() if value})}"
