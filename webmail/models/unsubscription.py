from django.db import models

from accounts.models import MailAccount

from .message import Message


class Unsubscription(models.Model):
    """That a person had a mailing list asked, in one click, to send no more.

    ``key`` names the address that was asked (``queries.unsubscribing.key_of``), so that it is asked once however many
    messages name it. A request that may have left is never repeated: ASKING is committed before the connection, and
    only FAILED, where nothing was handed over, may be tried again.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        ASKING = "asking"
        ASKED = "asked"
        UNSURE = "unsure"  # handed over; the answer was no yes, or did not come
        FAILED = "failed"

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=32)
    list_id = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()  # when the person wanted it
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="unsubscription_once")]
        indexes = [
            models.Index(fields=["account", "list_id"], name="unsubscription_of_list"),
            models.Index(fields=["changed_at"], name="unsubscription_due", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"unsubscription {self.pk}"
