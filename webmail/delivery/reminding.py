"""Messages that somebody wants to hear of again when nobody has answered them in time.

An answer is a message of somebody else in the same conversation that came after it was sent; what servers and
machines answer by themselves is none.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import Identity
from webmail import live
from webmail.mime.identifiers import normalise_id, ref_hash
from webmail.models import Mailbox, Message, Outgoing, Placement, ThreadRef

LOOK_AGAIN = timedelta(minutes=10)
LOOK_FOR = timedelta(days=60)  # after the time is over; by then the person has seen it


def first_look(outgoing: Outgoing, now: datetime) -> datetime | None:
    """When the time to answer is over; None where nobody asked to be reminded."""
    return now + timedelta(days=outgoing.remind_days) if outgoing.remind_days else None


def look(outgoing_id: int) -> None:
    """Whether it was answered; as long as it was not, it stands in the outbox and is looked at again."""
    outgoing = Outgoing.objects.filter(pk=outgoing_id, remind_at__lte=timezone.now()).first()
    if outgoing is None:
        return
    answered, now = is_answered(outgoing), timezone.now()
    until = (outgoing.sent_at or outgoing.created_at) + timedelta(days=outgoing.remind_days) + LOOK_FOR
    again = now + LOOK_AGAIN if not answered and now < until else None
    same = Outgoing.objects.filter(pk=outgoing.pk, remind_at=outgoing.remind_at)  # else the person decided meanwhile
    if same.update(unanswered=not answered, remind_at=again) and outgoing.unanswered == answered:
        live.publish(outgoing.user_id, "outbox", outgoing=outgoing.pk)


def is_answered(outgoing: Outgoing) -> bool:
    """Whether somebody else wrote in its conversation since it was sent."""
    ref = ref_hash(normalise_id(outgoing.message_id))
    thread = ThreadRef.objects.filter(account=outgoing.account_id, ref=ref).values("thread")[:1]
    since = (outgoing.sent_at or outgoing.created_at).replace(microsecond=0)  # INTERNALDATE has whole seconds
    theirs = Message.objects.filter(thread__in=thread, received_at__gte=since, fates=None)
    seen = Placement.objects.filter(message__in=theirs, state=Placement.State.LIVE)
    seen = seen.exclude(mailbox__role__in=[Mailbox.Role.JUNK, Mailbox.Role.SENT, Mailbox.Role.DRAFTS])
    own = [*Identity.objects.filter(account__user=outgoing.user_id)]
    told = seen.values_list("message__from_address", "message__extra")
    return any(
        not (extra.get("auto_submitted") or "no").startswith("auto") and not any(one.covers(sender) for one in own)
        for sender, extra in told
    )
