from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import User

from .mailbox import Mailbox
from .remote_op import Action


class BulkJob(models.Model):
    """An action on more messages than a page should wait for: a worker goes through them, part by part.

    ``placements`` is what was meant, newest first, and never changes; ``done`` says how far the parts have come. Each
    part is a transaction with an Action of its own (``Action.whole``), so that stopping, dying and undoing are safe at
    every moment.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        UNDOING = "undoing"
        ENDED = "ended"

    action = models.OneToOneField(Action, on_delete=models.CASCADE, related_name="bulk")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    mailbox = models.ForeignKey(
        Mailbox, on_delete=models.CASCADE, null=True, related_name="+"
    )  # null: wherever they lie
    destination = models.ForeignKey(Mailbox, on_delete=models.CASCADE, null=True, related_name="+")
    keyword = models.CharField(max_length=100, blank=True)  # of a label that comes or goes
    instead = models.CharField(max_length=100, blank=True)  # the keyword that takes its place
    placements = ArrayField(models.BigIntegerField())
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    worked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["user"], name="bulk_open", condition=models.Q(state__in=["running", "undoing"])),
        ]

    def __str__(self) -> str:
        return f"bulk job {self.pk}"
