from django.db import models

from .message import Message
from .outgoing import Outgoing


class MessageAnswer(models.Model):
    """What a person decided about something that a message asked of them, besides answering it in their own words.

    A decision whose ``outgoing`` was taken back counts no more; of those that count the newest does.
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt"  # of having opened it, RFC 8098
        INVITATION = "invite"  # RFC 5546

    class Choice(models.TextChoices):
        SENT = "sent"
        IGNORED = "ignored"
        ACCEPTED = "accepted"
        TENTATIVE = "tentative"
        DECLINED = "declined"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="answers")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    choice = models.CharField(max_length=9, choices=Choice.choices)
    outgoing = models.ForeignKey(Outgoing, on_delete=models.SET_NULL, null=True, related_name="answers")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"answer {self.pk}"
