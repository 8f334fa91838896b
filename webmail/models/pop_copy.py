from django.db import models

from accounts.models import MailAccount

from .mailbox import Mailbox


class PopCopy(models.Model):
    """Where a copy of whatever a POP3 account downloads goes: a mailbox of another account of the same person.

    The row outlives the mailbox, so that the account's page can say what became of the copies.
    """

    account = models.OneToOneField(MailAccount, on_delete=models.CASCADE, primary_key=True, related_name="pop_copy")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=400)  # the mailbox as it was called when it was chosen

    def __str__(self) -> str:
        return f"copies of account {self.pk}"
