"""Whose remote images a person always wants shown: said of a sender, taken back, and given back."""

from django.core import signing
from django.utils.translation import gettext

from accounts.models import User
from webmail.models import Message, SenderTrust
from webmail.queries.trust import is_authenticated

from .mailboxes import NotPossible

UNDO_SALT = "webmail.image-trust"
UNDO_SECONDS = 3600


def trust(user: User, message: Message) -> None:
    """From now on the images of this message's sender are shown. Raises NotPossible when it may be anybody."""
    address = message.from_address.lower()
    if not address or not is_authenticated(message):
        raise NotPossible(gettext("It is not certain who sent this message, so its images are shown this once only."))
    SenderTrust.objects.get_or_create(user=user, address=address)


def forget(user: User, address: str) -> bool:
    """The images of this sender are held back again; False when they were anyway."""
    return bool(SenderTrust.objects.filter(user=user, address=address.lower()).delete()[0])


def undo_token(user: User, address: str) -> str:
    """Names a sender that was just forgotten, for whoever holds it within the hour."""
    return signing.dumps([user.pk, address.lower()], salt=UNDO_SALT)


def restore(user: User, token: str) -> bool:
    """Undoes ``forget``; False for a token that is not the person's own, or too old."""
    try:
        owner, address = signing.loads(token, salt=UNDO_SALT, max_age=UNDO_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    if owner != user.pk:
        return False
    SenderTrust.objects.get_or_create(user=user, address=address)
    return True
