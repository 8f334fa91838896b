"""A folder compared with the server again, because its owner doubts what is shown."""

from django.db import transaction
from django.utils import timezone

from accounts.services import sync_state
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Mailbox
from webmail.models.label_views import home_of


@transaction.atomic
def ask(mailbox: Mailbox) -> bool:
    """Asks for it; False while the account cannot be connected to or the folder is still being read the first time.

    Of a view over labels the mailbox that carries them is compared.
    """
    carrier = home_of(mailbox.account_id) if mailbox.label else None
    live = Mailbox.objects.filter(pk=(carrier or mailbox).pk, phase=Mailbox.Phase.LIVE)
    if mailbox.account.stopped or not live.exists():
        return False
    live.filter(resync_asked_at=None).update(resync_asked_at=timezone.now())
    sync_state.wake(mailbox.account_id)
    enqueue_on_commit(Job.SYNC_ACCOUNT, mailbox.account_id)
    return True
