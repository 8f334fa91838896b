"""A person's answer to an invitation: to the organiser, through the outbox, remembered with the message (RFC 5546)."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Identity, User
from webmail.mime.addresses import Address
from webmail.mime.invitations import Guest
from webmail.mime.invitations import answer as written
from webmail.models import Message, MessageAnswer, Outgoing
from webmail.queries import access, answers, event_changes
from webmail.queries.composing import address_for
from webmail.queries.event_changes import facts_of
from webmail.queries.invitations import may_answer
from webmail.queries.lists import own_addresses

from . import handing, targets
from .mailboxes import NotPossible

Choice, Kind = MessageAnswer.Choice, MessageAnswer.Kind
CHOICES = {Choice.ACCEPTED.value, Choice.TENTATIVE.value, Choice.DECLINED.value}
LONGEST_COMMENT = 1_000


@transaction.atomic
def respond(user: User, message: Message, choice: str, comment: str = "") -> Outgoing | None:
    """Hands the answer over; None when the same one was given before. One that still waits gives way to another.

    Raises NotPossible.
    """
    told = _told(user, message)
    comment = comment.replace("\0", "").strip()[:LONGEST_COMMENT]
    before = answers.of_messages(Kind.INVITATION, [message.pk]).get(message.pk)
    if before is not None and before.choice == choice and not comment:
        return None
    if before is not None and before.outgoing is not None:
        handing.recall(before.outgoing)
    identity = _attendee(user, message, told)
    address = address_for(identity, message)
    organiser = told["organiser"]
    summary = told["summary"] or message.subject
    try:
        outgoing = handing.hand_over(
            identity,
            message,
            to=(Address(name=organiser["name"], addr_spec=organiser["address"]),),
            subject=_subject(choice) % summary,
            text=_words(choice) % {"name": identity.name or address, "event": summary}
            + (f"\n\n{comment}" if comment else ""),
            machine=written(
                uid=told["uid"],
                sequence=told["sequence"],
                recurrence_id=told["recurrence_id"],
                organiser=organiser["address"],
                attendee=Guest(address, identity.name, choice.upper()),
                summary=summary,
                comment=comment,
                at=timezone.now(),
            ),
        )
    except ValueError:
        raise NotPossible(gettext("The organiser's address is none that mail can be sent to.")) from None
    MessageAnswer.objects.create(
        message=message, kind=Kind.INVITATION, choice=choice, outgoing=outgoing, at=timezone.now()
    )
    return outgoing


def _told(user: User, message: Message) -> Mapping[str, Any]:
    """The invitation, where it may be answered; locks the message, so that answers come one after another."""
    Message.objects.select_for_update(of=("self",)).get(pk=message.pk)
    own = own_addresses(user)
    places = list(targets.visible(user).filter(message=message).select_related("message__body", "mailbox"))
    if not places or not all(may_answer(place, own) for place in places):
        raise NotPossible(gettext("This invitation cannot be answered."))
    change = event_changes.of_messages(places).get(message.pk)
    if change is not None and change.kind == "cancelled":
        raise NotPossible(gettext("This event was cancelled."))
    if change is not None:
        raise NotPossible(gettext("This invitation was changed since. Answer the newer one."))
    return facts_of(places[0])


def _attendee(user: User, message: Message, told: Mapping[str, Any]) -> Identity:
    """The address that was invited, else the one the message was written to."""
    invited = {guest["address"].lower() for guest in told["guests"]}
    for identity in access.identities(user).filter(account=message.account_id).order_by("-is_default", "pk"):
        if identity.address.lower() in invited and identity.account.outgoing_id is not None:
            return identity
    return handing.writer(user, message)


def _subject(choice: str) -> str:
    return {
        Choice.ACCEPTED.value: gettext("Accepted: %s"),
        Choice.TENTATIVE.value: gettext("Maybe: %s"),
        Choice.DECLINED.value: gettext("Declined: %s"),
    }[choice]


def _words(choice: str) -> str:
    return {
        Choice.ACCEPTED.value: gettext("%(name)s accepts the invitation “%(event)s”."),
        Choice.TENTATIVE.value: gettext("%(name)s may come to “%(event)s”, and does not know yet."),
        Choice.DECLINED.value: gettext("%(name)s declines the invitation “%(event)s”."),
    }[choice]
