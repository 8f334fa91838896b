"""An invitation as a card: what, when on the reader's clock, where, who, and the answer that was given (RFC 5546)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from webmail.mime.lookalike import shown_address
from webmail.models import Mailbox, MessageAnswer, Placement

from . import answers, earlier_answers, event_changes
from .answers import Sending
from .event_changes import EventChange, OccasionChange, facts_of
from .trust_panel import isolated

_OWN = {Mailbox.Role.SENT.value, Mailbox.Role.DRAFTS.value}
_MOST_OCCASIONS = 5  # named one by one
_ELSEWHERE = _OWN | {Mailbox.Role.JUNK.value}
_STATUS: dict[str, tuple[str | Promise, str]] = {
    "ACCEPTED": (gettext_lazy("accepted"), "ok"),
    "DECLINED": (gettext_lazy("declined"), "danger"),
    "TENTATIVE": (gettext_lazy("maybe"), "warn"),
    "DELEGATED": (gettext_lazy("sends somebody else"), ""),
}
_REPEATS: dict[str, str | Promise] = {
    "DAILY": gettext_lazy("Repeats daily"),
    "WEEKLY": gettext_lazy("Repeats weekly"),
    "MONTHLY": gettext_lazy("Repeats monthly"),
    "YEARLY": gettext_lazy("Repeats yearly"),
}


@dataclass(frozen=True, slots=True)
class GuestLine:
    name: str
    address: str
    words: str
    level: str


@dataclass(frozen=True, slots=True)
class OccasionLine:
    """``day`` in words; ``url`` leads to the message that changed it or, when ``off``, called it off."""

    off: bool
    day: str
    url: str


@dataclass(frozen=True, slots=True)
class InvitationCard:
    """``zone`` names the sender's clock where it is another. ``choice`` is the answer given, "" while there is none.

    ``notes`` are sentences about what does not fit together; ``change`` is what made this out of date,
    ``occasions`` those of a series that take place otherwise, or not; ``earlier`` what was answered at
    ``earlier_at``, before this changed the event.
    """

    kicker: str
    title: str
    cancelled: bool = False
    too_large: bool = False
    when: str = ""
    zone: str = ""
    repeats: str = ""
    where: str = ""
    month: str = ""
    day: str = ""
    organiser: GuestLine | None = None
    guests: tuple[GuestLine, ...] = ()
    guests_words: str = ""
    more_guests: int = 0
    more: int = 0
    notes: tuple[str, ...] = ()
    change: EventChange | None = None
    occasions: tuple[OccasionLine, ...] = ()
    more_occasions: int = 0
    may_answer: bool = False
    choice: str = ""
    answered_at: datetime | None = None
    earlier: str = ""
    earlier_at: datetime | None = None
    sending: Sending | None = None


def may_answer(placement: Placement, own: Collection[str]) -> bool:
    """Whether somebody else invites to something that takes place, in mail that is no spam."""
    told = facts_of(placement)
    organiser = told.get("organiser")
    return bool(
        told.get("method") == "REQUEST"
        and told.get("status") != "CANCELLED"
        and organiser is not None
        and organiser["address"].lower() not in own
        and placement.mailbox.role not in _ELSEWHERE
    )


def of_messages(placements: Sequence[Placement], *, own: Collection[str]) -> dict[int, InvitationCard]:
    """By message, those that carry one."""
    inviting = [one for one in placements if facts_of(one)]
    if not inviting:
        return {}
    given = answers.of_messages(MessageAnswer.Kind.INVITATION, [one.message_id for one in inviting])
    changes, occasions = event_changes.with_occasions(inviting)
    before = earlier_answers.of_messages(
        one for one in inviting if one.message_id not in given and one.message_id not in changes
    )
    return {
        one.message_id: _card(
            one,
            given.get(one.message_id),
            changes.get(one.message_id),
            occasions.get(one.message_id, []),
            before.get(one.message_id),
            own,
        )
        for one in inviting
    }


def _card(
    placement: Placement,
    answer: MessageAnswer | None,
    change: EventChange | None,
    occasions: Sequence[OccasionChange],
    before: MessageAnswer | None,
    own: Collection[str],
) -> InvitationCard:
    told = facts_of(placement)
    if told.get("too_large"):
        return InvitationCard(_("Invitation"), placement.message.subject, too_large=True)
    starts, ends = told["starts"], told["ends"]
    organiser = told["organiser"]
    guests = tuple(_guest(guest) for guest in told["guests"])
    accepted = sum(guest["status"] == "ACCEPTED" for guest in told["guests"])
    everybody = len(guests) + told.get("more_guests", 0)
    count = ngettext("%d guest", "%d guests", everybody) % everybody
    month, day = _leaf(starts)
    answerable = change is None and may_answer(placement, own)
    cancelled = _is_cancelled(told) or (change is not None and change.kind == "cancelled")
    return InvitationCard(
        kicker=_("Cancelled") if cancelled else _kicker(told),
        title=told["summary"] or placement.message.subject or _("(no title)"),
        cancelled=cancelled,
        when=_when(starts, ends),
        zone=_senders_clock(starts),
        repeats=str(_REPEATS.get(told["repeats"], _("Repeats"))) if told["repeats"] else "",
        where=told["location"],
        month=month,
        day=day,
        organiser=_guest(organiser) if organiser else None,
        guests=guests,
        guests_words=_("%(guests)s, %(n)d accepted") % {"guests": count, "n": accepted} if accepted else count,
        more=told["more"],
        more_guests=told.get("more_guests", 0),
        notes=tuple(_notes(placement, own)),
        change=change,
        occasions=tuple(
            OccasionLine(one.kind == "cancelled", _day_of(one.recurrence_id), one.url)
            for one in occasions[:_MOST_OCCASIONS]
        ),
        more_occasions=len(occasions[_MOST_OCCASIONS:]),
        may_answer=answerable,
        earlier=before.choice if before and answerable else "",
        earlier_at=before.at if before and answerable else None,
        choice=answer.choice if answer else "",
        answered_at=answer.at if answer else None,
        sending=answers.sending(answer) if answer else None,
    )


def _notes(placement: Placement, own: Collection[str]) -> Iterator[str]:
    told = facts_of(placement)
    if told.get("contradicts"):
        yield _("This message says in two ways what it is for, so it is shown as an event and cannot be answered.")
    if placement.mailbox.role in _OWN:
        return
    yield from _strangers(placement, answerable=may_answer(placement, own))
    listed = {guest["address"].lower() for guest in told["guests"]}
    if may_answer(placement, own) and listed and not told.get("more_guests") and listed.isdisjoint(own):
        yield _("You are not on the list of guests.")


def _strangers(placement: Placement, *, answerable: bool) -> Iterator[str]:
    """Who wrote the message, where that is not whom the event speaks for."""
    told, sender = facts_of(placement), placement.message.from_address
    if told["method"] == "REPLY":
        if told["guests"] and told["guests"][0]["address"].lower() != sender.lower():
            words = {"sender": _apart(sender), "guest": _apart(told["guests"][0]["address"])}
            yield _("The answer is in the name of %(guest)s, but came from %(sender)s.") % words
    elif told["organiser"] and told["organiser"]["address"].lower() != sender.lower():
        words = {"sender": _apart(sender), "organiser": _apart(told["organiser"]["address"])}
        yield _("This came from %(sender)s, not from the organiser it names.") % words + (
            " " + _("An answer goes to %(organiser)s.") % words if answerable else ""
        )


def _apart(address: str) -> str:
    return isolated(shown_address(address))


def _is_cancelled(told: Mapping[str, Any]) -> bool:
    return bool(told["method"] == "CANCEL" or told["status"] == "CANCELLED")


def _kicker(told: Mapping[str, Any]) -> str:
    if told["method"] == "REPLY":
        who = [guest["name"] or shown_address(guest["address"]) for guest in told["guests"][:1]]
        words = str(_STATUS.get(told["guests"][0]["status"], (_("answered"), ""))[0]) if who else ""
        return _("Answer: %(name)s %(answer)s") % {"name": isolated(who[0]), "answer": words} if who else _("Answer")
    if told["method"] == "REQUEST":
        return _("Updated invitation") if told["sequence"] else _("Invitation")
    return _("Event")


def _guest(guest: Mapping[str, Any]) -> GuestLine:
    words, level = _STATUS.get(guest["status"], (_("no answer yet"), ""))
    address = shown_address(guest["address"])
    return GuestLine(guest["name"] or address, address if guest["name"] else "", str(words), level)


# --- times -----------------------------------------------------------------------------------------------------------


def _on_this_clock(moment: Mapping[str, Any]) -> date | datetime:
    """On the reader's clock, where it is known which moment is meant; else as the sender wrote it."""
    if len(moment["iso"]) == 10:
        return date.fromisoformat(moment["iso"])
    at = datetime.fromisoformat(moment["iso"])
    try:
        return timezone.localtime(at) if at.tzinfo else at
    except OverflowError:  # the first hours of the year 1, the last ones of 9999
        return at.replace(tzinfo=None)


def _day_of(recurrence_id: str) -> str:
    """The day of an occasion on the reader's clock, as far as its name can be read."""
    try:
        if recurrence_id.endswith("Z"):
            return date_format(timezone.localtime(datetime.fromisoformat(recurrence_id)), "l j F Y")
        return date_format(date.fromisoformat(recurrence_id[:8]), "l j F Y")
    except (ValueError, OverflowError):
        return recurrence_id


def _when(starts: Mapping[str, Any] | None, ends: Mapping[str, Any] | None) -> str:
    if starts is None:
        return ""
    begin = _on_this_clock(starts)
    end = _on_this_clock(ends) if ends else None
    first = date_format(begin, "l j F Y")
    if not isinstance(begin, datetime):
        return first if end is None or end == begin else f"{first} – {date_format(end, 'l j F Y')}"
    words = f"{first}, {time_format(begin, 'H:i')}"
    if isinstance(end, datetime) and end != begin:
        words += f" – {time_format(end, 'H:i')}" if end.date() == begin.date() else f" – {_day_and_time(end)}"
    return f"{words} ({timezone.get_current_timezone_name()})" if begin.tzinfo else words


def _day_and_time(at: datetime) -> str:
    return f"{date_format(at, 'l j F Y')}, {time_format(at, 'H:i')}"


def _senders_clock(starts: Mapping[str, Any] | None) -> str:
    """What the sender's clock shows, where it does not show the same."""
    if starts is None or not starts["local"]:
        return ""
    local, begin = datetime.fromisoformat(starts["local"]), _on_this_clock(starts)
    assert isinstance(begin, datetime)  # days have no local time
    if begin.tzinfo is None:
        return _("in the sender's time zone, %s") % starts["zone"] if starts["zone"] else _("local time there")
    if begin.replace(tzinfo=None) == local:
        return ""
    clock = time_format(local, "H:i") if begin.date() == local.date() else _day_and_time(local)
    return _("%(time)s in %(zone)s, the sender's time zone") % {"time": clock, "zone": starts["zone"]}


def _leaf(starts: Mapping[str, Any] | None) -> tuple[str, str]:
    """Month and day, as on a calendar's leaf."""
    if starts is None:
        return "", ""
    begin = _on_this_clock(starts)
    return date_format(begin, "M"), date_format(begin, "j")
