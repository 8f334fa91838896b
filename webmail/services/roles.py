"""Which mailbox serves as Drafts, Sent, Archive, Spam or Trash, where its owner says so."""

from django.db import transaction

from accounts.models import MailAccount
from webmail.models import Mailbox


@transaction.atomic
def choose(account: MailAccount, wanted: dict[str, int | None]) -> None:
    """``wanted`` maps roles to mailbox ids of the account, or None; only what differs is written, as the person's."""
    boxes = {box.pk: box for box in Mailbox.objects.select_for_update().filter(account=account)}
    holders = {box.role: box.pk for box in boxes.values() if box.role}
    changed = {role: pk for role, pk in wanted.items() if holders.get(role) != pk and (pk is None or pk in boxes)}
    person = Mailbox.RoleSource.PERSON
    for role in changed:
        Mailbox.objects.filter(account=account, role=role).update(role="", role_source=person)
    for role, pk in changed.items():
        if pk is not None:
            Mailbox.objects.filter(pk=pk).update(role=role, role_source=person)
