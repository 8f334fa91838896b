"""How many people may be written to in an hour (security criterion S61): a stolen account must not become a cannon.

Counted are recipients, of one person and of their organisation, in the hour in which a message is handed over; whoever
came within a day may write to fewer.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Organisation, User
from webmail.models import Outgoing, OutgoingRecipient

HOUR = timedelta(hours=1)
NEW_FOR = timedelta(days=1)


class TooManyRecipients(Exception):
    """Why not now, in words."""


def check(user: User, more: int) -> None:
    """Raises TooManyRecipients when `more` recipients go beyond the hour's share. In the caller's transaction, which it
    keeps alone with the person until it ends: two messages at once cannot share what is left.
    """
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
    now = timezone.now()
    newcomer = user.date_joined > now - NEW_FOR
    own = settings.MAILROOM["NEWCOMER_RECIPIENTS_PER_HOUR" if newcomer else "RECIPIENTS_PER_HOUR"]
    if _written({"outgoing__user": user}) + more > own:
        raise TooManyRecipients(
            _("That would be more than %d recipients in an hour. Send it later, or to fewer people.") % own
        )
    organisation = Organisation.objects.get(pk=user.organisation_id)
    theirs = organisation.recipients_per_hour or settings.MAILROOM["ORGANISATION_RECIPIENTS_PER_HOUR"]
    if _written({"outgoing__user__organisation": organisation}) + more > theirs:
        raise TooManyRecipients(
            _("%s has written to as many people as it may in an hour. Send it later.") % organisation.name
        )


def _written(whose: dict[str, object]) -> int:
    """Recipients named in the hour that ends now, taken back ones left out."""
    since = timezone.now() - HOUR
    found = OutgoingRecipient.objects.filter(outgoing__created_at__gt=since, **whose)
    counted = found.exclude(outgoing__state=Outgoing.State.CANCELLED).aggregate(count=Count("pk"))
    return int(counted["count"] or 0)
