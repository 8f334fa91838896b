from django.db import models

from accounts.models import MailAccount

from .message import Message


class PopUid(models.Model):
    """The UIDL ledger (RFC 1939 section 7): what has been downloaded, and what may be deleted from the server.

    A row is kept while the server lists the id and 60 days longer, for servers that forget and remember. Of a message
    that is TOO_LARGE or WANTED only the beginning is here (``Message.extra["not_downloaded"]``).
    """

    class State(models.TextChoices):
        SEEN = "seen"
        FETCHED = "fetched"
        DELETE_DUE = "delete_due"
        DELETED = "deleted"
        TOO_LARGE = "too_large"
        WANTED = "wanted"
        FAILED = "failed"

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="pop_uids", db_index=False)
    uidl = models.CharField(max_length=200)
    size = models.BigIntegerField(default=0)
    octets = models.BigIntegerField(default=0)  # of them brought so far by the download under way
    state = models.CharField(max_length=10, choices=State.choices, default=State.SEEN)
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    fetched_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "uidl"], name="pop_uid_once")]

    def __str__(self) -> str:
        return f"uidl {self.pk}"
