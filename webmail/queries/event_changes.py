"""Which invitations are out of date, because a newer message of the same organiser changed the event or called it off.

A newer message counts when it names the same event and organiser, was written by that organiser or by whoever wrote the
first, did not fail the check of its sender, and does not lie in Spam: everybody may write a UID (RFC 5546 section 6.1).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import F
from django.urls import reverse

from webmail.models import CalendarNotice, Flag, Mailbox, Message, MessageBody, Placement
from webmail.models.calendar_notice import event_key

from . import trust

_NOWHERE = [Mailbox.Role.JUNK, Mailbox.Role.DRAFTS]
_COUNT = ("REQUEST", "CANCEL")
_MOST = 200


@dataclass(frozen=True, slots=True)
class EventChange:
    """``url`` leads to the newest message about the event, which came ``at``."""

    kind: Literal["changed", "cancelled"]
    url: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OccasionChange:
    """One occasion of a series that takes place otherwise, or not at all, and the message that says so.

    ``recurrence_id`` is a value in UTC or a date.
    """

    kind: Literal["changed", "cancelled"]
    recurrence_id: str
    url: str


def facts_of(placement: Placement) -> Mapping[str, Any]:
    """The invitation that the message carries, as ``sync.invitation`` keeps it; {} without one."""
    body: MessageBody | None = getattr(placement.message, "body", None)
    found: Mapping[str, Any] = body.special.get("invitation", {}) if body is not None else {}
    return found


def of_messages(placements: Iterable[Placement]) -> dict[int, EventChange]:
    """By message, those that are out of date; one query where there are invitations, all of one account."""
    return with_occasions(placements)[0]


def with_occasions(placements: Iterable[Placement]) -> tuple[dict[int, EventChange], dict[int, list[OccasionChange]]]:
    """By message, what made it out of date, and which occasions of the series it still invites to are otherwise."""
    asked = [one for one in placements if _may_be_changed(facts_of(one))]
    if not asked:
        return {}, {}
    newest = _newest_first(asked)
    changes = {one.message_id: change for one in asked if (change := _change(one, newest)) is not None}
    standing = [one for one in asked if one.message_id not in changes and not facts_of(one)["recurrence_id"]]
    return changes, {one.message_id: _occasions(one, newest) for one in standing}


def _may_be_changed(told: Mapping[str, Any]) -> bool:
    return told.get("method") in _COUNT and bool(told.get("organiser"))


def key_of(told: Mapping[str, Any]) -> str:
    return event_key(told["uid"], told["organiser"]["address"])


def _authors(placement: Placement) -> set[str]:
    """Who may change what this message says."""
    return {facts_of(placement)["organiser"]["address"].lower(), placement.message.from_address.lower()}


def _newest_first(asked: Sequence[Placement]) -> list[Placement]:
    """Where messages about these events lie, as far as their authors may say anything about them."""
    found = (
        Placement.objects.filter(
            account=asked[0].account_id,
            state=Placement.State.LIVE,
            message__calendar_notice__account=asked[0].account_id,
            message__calendar_notice__key__in={key_of(facts_of(one)) for one in asked},
            message__calendar_notice__sender__in={author for one in asked for author in _authors(one)},
        )
        .alias(deleted=F("flags").bitand(int(Flag.DELETED)))
        .filter(deleted=0)
        .exclude(mailbox__role__in=_NOWHERE)
        .select_related("mailbox", "message__calendar_notice", "message__account__incoming")
        .defer("message__structure")
        .order_by("-message__calendar_notice__sequence", "-message__calendar_notice__stamp", "-received_at", "-pk")
    )
    return list(found[:_MOST])


def _change(placement: Placement, newest: Sequence[Placement]) -> EventChange | None:
    for other in _believed(placement, newest):
        notice = other.message.calendar_notice
        if _is_about(notice, facts_of(placement)):
            kind: Literal["changed", "cancelled"] = "cancelled" if notice.cancels else "changed"
            return EventChange(kind, _address(other), other.received_at)
    return None


def _occasions(placement: Placement, newest: Sequence[Placement]) -> list[OccasionChange]:
    """Each occasion that has a message of its own, as the newest tells it, the first of them first."""
    found: dict[str, OccasionChange] = {}
    for other in _believed(placement, newest):
        notice = other.message.calendar_notice
        if notice.recurrence_id and notice.recurrence_id not in found:
            kind: Literal["changed", "cancelled"] = "cancelled" if notice.cancels else "changed"
            found[notice.recurrence_id] = OccasionChange(kind, notice.recurrence_id, _address(other))
    return sorted(found.values(), key=lambda change: change.recurrence_id)


def _believed(placement: Placement, newest: Sequence[Placement]) -> Iterator[Placement]:
    """What is newer about the event, by somebody who may say so."""
    key, authors = key_of(facts_of(placement)), _authors(placement)
    for other in newest:
        notice = other.message.calendar_notice
        if (
            notice.key == key
            and notice.sender in authors
            and _is_newer(other.message, placement)
            and trust.verdict(other.message, other.message.account.incoming.believed).standing != "failed"
        ):
            yield other


def _address(placement: Placement) -> str:
    thread = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    return f"{thread}#m-{placement.message_id}"


def _is_about(notice: CalendarNotice, told: Mapping[str, Any]) -> bool:
    """An occasion is changed by what is about it, and called off with all the others as well."""
    return notice.recurrence_id == told["recurrence_id"] or (notice.cancels and not notice.recurrence_id)


def is_older(message: Message, than: Placement) -> bool:
    """Whether the message, which has a notice, was out of date once ``than`` had come: `_is_newer` the other way."""
    notice, told = message.calendar_notice, facts_of(than)
    if message.pk == than.message_id:
        return False
    if notice.sequence != told["sequence"]:
        return bool(notice.sequence < told["sequence"])
    stamp = told.get("stamp", "")
    if notice.stamp != stamp and notice.stamp and stamp:
        return bool(notice.stamp < stamp)
    return message.received_at < than.message.received_at and notice.stamp != stamp


def _is_newer(message: Message, than: Placement) -> bool:
    """By SEQUENCE, then DTSTAMP; where that is equal or missing a cancellation is what came last."""
    notice, told = message.calendar_notice, facts_of(than)
    if message.pk == than.message_id:
        return False
    if notice.sequence != told["sequence"]:
        return bool(notice.sequence > told["sequence"])
    stamp = told.get("stamp", "")
    if notice.stamp != stamp and notice.stamp and stamp:
        return bool(notice.stamp > stamp)
    came_later = message.received_at > than.message.received_at
    return came_later and (notice.cancels or notice.stamp != stamp)
