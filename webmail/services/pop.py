"""What a person decides about mail on a POP3 server: download a message, delete it unread, send copies elsewhere."""

from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts.models import MailAccount, User
from accounts.services import sync_state
from webmail.models import Action, Mailbox, Message, Placement, PopCopy, PopUid
from webmail.queries.settings import whole_name

from . import actions, ops
from .ops import Spot


@transaction.atomic
def download(message: Message) -> bool:
    """Asks for the rest of a message whose beginning is here; False when the server has no more of it."""
    listed = PopUid.objects.filter(account=message.account_id, message=message, gone_at=None)
    asked = listed.filter(state=PopUid.State.TOO_LARGE).update(state=PopUid.State.WANTED, attempts=0, problem="")
    if asked:
        ops.wake(message.account_id)
    return bool(asked)


@transaction.atomic
def discard(user: User, spots: list[Spot]) -> Action:
    """Deletes messages that were never downloaded, here and on the server, once the time for undo has passed."""
    ids = [spot.placement for spot in spots]
    begun = set(Placement.objects.filter(pk__in=ids, message__extra__not_downloaded=True).values_list("pk", flat=True))
    chosen = [spot for spot in spots if spot.placement in begun]
    action = actions.expunge(user, chosen)
    action.kind = "discard"
    action.save(update_fields=["kind"])
    due = timezone.now() + actions.POP_UNDO_WINDOW
    for account in {spot.account for spot in chosen}:
        transaction.on_commit(partial(sync_state.wake_at, account, due))
    return action


def copy_to(account: MailAccount, mailbox: Mailbox | None) -> None:
    """Where copies of what the account downloads from now on go; None: nowhere."""
    if mailbox is None:
        PopCopy.objects.filter(account=account).delete()
        return
    PopCopy.objects.update_or_create(account=account, defaults={"mailbox": mailbox, "name": whole_name(mailbox)[:400]})
