from django.db import models

from accounts.models import MailAccount

from .message import Message


class ReportedFate(models.Model):
    """What a report says became of a message for one address; found again by the id of the message it is about.

    A claim of whoever sent the report, beside what our own submission knows and never mixed into it.
    """

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    report = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="fates")
    original_id = models.CharField(max_length=500)  # normalised, without angle brackets
    address = models.CharField(max_length=500)
    action = models.CharField(max_length=12)  # failed, delayed, delivered, relayed, expanded, displayed, …
    status = models.CharField(max_length=12, blank=True)  # RFC 3463, "5.1.1"
    reply = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()  # when the report came

    class Meta:
        indexes = [models.Index(fields=["account", "original_id"], name="fate_of_message")]

    def __str__(self) -> str:
        return f"fate {self.pk}"
