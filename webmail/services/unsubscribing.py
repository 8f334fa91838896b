"""Leaving a mailing list in one click: the wish is written down here, a worker asks the list."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Message, Unsubscription
from webmail.queries.unsubscribing import key_of, list_of, one_click_url

from .mailboxes import NotPossible

State = Unsubscription.State


@transaction.atomic
def unsubscribe(message: Message) -> bool:
    """Has the message's list asked, unless it was already; False then. Raises NotPossible where that needs more than
    a click.

    Reads ``message.account.incoming`` and ``message.body``.
    """
    url = one_click_url(message, message.account.incoming.believed)
    if not url:
        raise NotPossible(gettext("It is not certain that this list wrote the message, so it is not asked."))
    now = timezone.now()
    row, made = Unsubscription.objects.get_or_create(
        account_id=message.account_id,
        key=key_of(url),
        defaults={"message": message, "list_id": list_of(message), "asked_at": now, "changed_at": now},
    )
    if not made:
        failed = Unsubscription.objects.filter(pk=row.pk, state=State.FAILED)
        if not failed.update(state=State.WAITING, message=message, asked_at=now, changed_at=now):
            return False
    enqueue_on_commit(Job.UNSUBSCRIBE, row.pk)
    return True
