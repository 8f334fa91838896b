"""What a person answered to the same event before its organiser changed it: the newer invitation recalls it.

The new one is believed to be of the same event as its cancellation would be: it names event and organiser, was written
by that organiser or by whoever wrote the first, and did not fail the check of its sender (RFC 5546 section 6.1).
"""

from collections.abc import Iterable

from webmail.models import MessageAnswer, Outgoing, Placement

from . import trust
from .event_changes import facts_of, is_older, key_of


def of_messages(placements: Iterable[Placement]) -> dict[int, MessageAnswer]:
    """By message, the newest answer to an older invitation; one query where there are any, all of one account."""
    asked = [one for one in placements if facts_of(one).get("method") == "REQUEST" and facts_of(one).get("organiser")]
    if not asked:
        return {}
    given = (
        MessageAnswer.objects.filter(
            kind=MessageAnswer.Kind.INVITATION,
            message__calendar_notice__account=asked[0].account_id,
            message__calendar_notice__key__in={key_of(facts_of(one)) for one in asked},
        )
        .exclude(outgoing__state=Outgoing.State.CANCELLED)
        .select_related("message__calendar_notice")
        .defer("message__structure")
        .order_by("-at", "-pk")
    )
    answers = list(given[:200])
    if not answers:
        return {}
    believed = asked[0].message.account.incoming.believed
    standing = [one for one in asked if trust.verdict(one.message, believed).standing != "failed"]
    found = {one.message_id: next((answer for answer in answers if _is_before(answer, one)), None) for one in standing}
    return {message: answer for message, answer in found.items() if answer is not None}


def _is_before(answer: MessageAnswer, placement: Placement) -> bool:
    notice, told = answer.message.calendar_notice, facts_of(placement)
    authors = {told["organiser"]["address"].lower(), notice.sender}
    return (
        notice.key == key_of(told)
        and notice.recurrence_id == told["recurrence_id"]
        and placement.message.from_address.lower() in authors
        and is_older(answer.message, placement)
    )
