import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import MailAccount, User

from .mailbox import Mailbox


class Action(models.Model):
    """One thing a person did, so that it can be undone as one: the operations it queued carry its id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    count = models.PositiveIntegerField(default=0)
    # what to restore: [{"do", "mailbox", "to", "placements", "set", "clear", …}, …]; ids, bits and folder names only
    inverse = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)
    whole = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="parts")  # of a BulkJob

    def __str__(self) -> str:
        return f"action {self.pk}"


class RemoteOp(models.Model):
    """An intent that a worker replays on the mail server, idempotently.

    Per-message kinds cover up to 500 messages: ``placements[i]`` lay in ``mailbox`` under ``gen`` with ``uids[i]``
    when the person acted; of a COPY they are the copies, and ``uids`` those of their originals (``args["sources"]``).
    RENAME has the new last level in ``args["leaf"]``, REMOVE what brings the folder back in ``args["kept"]``
    and in ``args["known"]`` up to where its owner knew the mail in it, SUBSCRIBE in ``args["was"]`` whether it was.

    ``dest_uidnext`` is recorded before a MOVE, COPY or APPEND is sent, so that a replay after a crash looks only at
    newer UIDs before doing it again; of an APPEND ``gen`` is then the destination's numbering that it is of.
    """

    class Kind(models.TextChoices):
        FLAGS = "flags"
        KEYWORDS = "keywords"  # args: {"add": [keywords], "remove": [keywords]}
        LABELS = "labels"  # args: {"add": [mailbox ids], "remove": [mailbox ids]}, the mailboxes being views
        MOVE = "move"
        COPY = "copy"
        EXPUNGE = "expunge"
        APPEND = "append"
        CREATE = "create"
        RENAME = "rename"
        REMOVE = "remove"
        SUBSCRIBE = "subscribe"

    class State(models.TextChoices):
        QUEUED = "queued"
        INFLIGHT = "inflight"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="remote_ops")
    action = models.ForeignKey(Action, on_delete=models.SET_NULL, null=True, related_name="ops")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, null=True, related_name="+")
    gen = models.PositiveIntegerField(default=1)
    destination = models.ForeignKey(Mailbox, on_delete=models.CASCADE, null=True, related_name="+")
    dest_uidnext = models.BigIntegerField(null=True)
    placements = ArrayField(models.BigIntegerField(), default=list)
    uids = ArrayField(models.BigIntegerField(null=True), default=list)
    set_flags = models.SmallIntegerField(default=0)
    clear_flags = models.SmallIntegerField(default=0)
    args = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["account", "id"], name="op_open", condition=models.Q(state__in=["queued", "inflight"])
            ),
            models.Index(fields=["account", "id"], name="op_failed", condition=models.Q(state="failed")),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
