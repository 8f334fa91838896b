"""A person's decision about a receipt that a message asks for: sent once, or ignored; both are remembered."""

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts.models import User
from webmail.mime.addresses import Address
from webmail.mime.receipts import displayed
from webmail.models import Message, MessageAnswer, Outgoing, Placement
from webmail.queries import answers
from webmail.queries.composing import address_for
from webmail.queries.lists import own_addresses
from webmail.queries.receipts import may_answer, wanted_by

from . import handing, targets
from .mailboxes import NotPossible

Choice, Kind = MessageAnswer.Choice, MessageAnswer.Kind


@transaction.atomic
def send(user: User, message: Message) -> Outgoing | None:
    """Hands the receipt over; None when the person has decided already. Raises NotPossible."""
    if not _undecided(user, message):
        return None
    identity = handing.writer(user, message)
    address = address_for(identity, message)
    day = date_format(timezone.localtime(message.sent_at or message.received_at), "DATETIME_FORMAT")
    text = gettext("Your message “%(subject)s” of %(day)s was opened by %(address)s. Whether it was read is not known.")
    words = {"subject": message.subject, "day": day, "address": address}
    try:
        outgoing = handing.hand_over(
            identity,
            message,
            to=tuple(Address(name="", addr_spec=address) for address in wanted_by(message)),
            subject=gettext("Opened: %s") % message.subject,
            text=text % words,
            machine=displayed(reader=address, original_id=message.message_id),
            automatic=True,
        )
    except ValueError:
        raise NotPossible(gettext("The address for the receipt is none that mail can be sent to.")) from None
    MessageAnswer.objects.create(
        message=message, kind=Kind.RECEIPT, choice=Choice.SENT, outgoing=outgoing, at=timezone.now()
    )
    return outgoing


@transaction.atomic
def ignore(user: User, message: Message) -> None:
    """The message asks no more. Raises NotPossible when it asks for nothing."""
    if _undecided(user, message):
        MessageAnswer.objects.create(message=message, kind=Kind.RECEIPT, choice=Choice.IGNORED, at=timezone.now())


def _undecided(user: User, message: Message) -> bool:
    """Whether the decision is still to be made; locks the message, so that it is made once."""
    Message.objects.select_for_update(of=("self",)).get(pk=message.pk)
    if answers.of_messages(Kind.RECEIPT, [message.pk]):
        return False
    places = targets.visible(user).filter(message=message).select_related("message__body", "mailbox")
    own = own_addresses(user)
    asking: list[Placement] = [placement for placement in places if may_answer(placement, own)]
    if not asking or len(asking) < len(places):
        raise NotPossible(gettext("This message cannot be answered by a receipt."))
    return True
