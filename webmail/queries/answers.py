"""What a person decided about requests in messages, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.urls import reverse

from webmail.models import MessageAnswer, Outgoing

_TROUBLE = {Outgoing.State.FAILED.value, Outgoing.State.UNKNOWN.value, Outgoing.State.PARTIAL.value}


@dataclass(frozen=True, slots=True)
class Sending:
    """How an answer is getting on. ``undo_url`` takes it back, "" when it is too late; ``url`` is its page."""

    state: Literal["waiting", "sent", "trouble"] = "sent"
    undo_url: str = ""
    url: str = ""


def of_messages(kind: MessageAnswer.Kind, ids: Iterable[int]) -> dict[int, MessageAnswer]:
    """By message, the newest decision of that kind that was not taken back."""
    rows = MessageAnswer.objects.filter(message__in=list(ids), kind=kind).exclude(
        outgoing__state=Outgoing.State.CANCELLED
    )
    return {row.message_id: row for row in rows.select_related("outgoing").order_by("at", "pk")}


def sending(answer: MessageAnswer) -> Sending:
    """What became of sending it; an answer whose sending is forgotten was sent."""
    outgoing = answer.outgoing
    if outgoing is None or outgoing.state == Outgoing.State.SENT:
        return Sending()
    url = reverse("mail:outgoing", args=[outgoing.pk])
    if outgoing.state in _TROUBLE:
        return Sending("trouble", url=url)
    free = outgoing.state == Outgoing.State.QUEUED and outgoing.claim is None
    return Sending("waiting", reverse("mail:outgoing_do", args=[outgoing.pk, "undo"]) if free else "", url)
