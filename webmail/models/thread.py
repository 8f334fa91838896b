from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import MailAccount

from .mailbox import Mailbox


class Thread(models.Model):
    """A conversation across the mailboxes of one account; a summary, rebuilt for what a batch touched."""

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="threads")
    subject = models.TextField(blank=True)
    newest_at = models.DateTimeField(null=True)
    message_count = models.PositiveIntegerField(default=0)
    participants = models.JSONField(default=list)  # [[name, address], …] in order of first appearance, at most 8
    merged_into = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="+")

    def __str__(self) -> str:
        return f"thread {self.pk}"


class ThreadRef(models.Model):
    """Which conversation a Message-ID belongs to, known or only referred to (RFC 5322 section 3.6.4)."""

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    ref = models.UUIDField()  # 128-bit BLAKE2 of the normalised id: hostile ids have any length
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="refs")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "ref"], name="thread_ref_once")]

    def __str__(self) -> str:
        return f"ref {self.pk}"


class MailboxThread(models.Model):
    """A conversation's line in one mailbox: a list page is a keyset scan of this table's index and nothing else."""

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="lines", db_index=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="lines")
    newest_at = models.DateTimeField()
    newest_message = models.ForeignKey("webmail.Message", on_delete=models.CASCADE, related_name="+", db_index=False)
    message_count = models.PositiveIntegerField()
    unread_count = models.PositiveIntegerField()
    flags_any = models.SmallIntegerField(default=0)  # the union of the messages' flags
    keywords = ArrayField(models.CharField(max_length=100), default=list)  # and of their keywords, sorted
    has_attachment = models.BooleanField(default=False)
    has_invite = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "thread"], name="line_once")]
        indexes = [
            models.Index(fields=["mailbox", "-newest_at", "-thread"], name="line_by_date"),
            models.Index(
                fields=["mailbox", "-newest_at", "-thread"],
                name="line_unread_by_date",
                condition=models.Q(unread_count__gt=0),
            ),
            models.Index(fields=["newest_message"], name="line_newest_message"),
            models.Index(fields=["account"], name="line_labelled", condition=~models.Q(keywords=[])),
        ]

    def __str__(self) -> str:
        return f"line {self.pk}"
