from django.db import models

from accounts.models import User

from .draft import Draft


class MailMerge(models.Model):
    """One text to each person of a table: a worker makes a message for one row after the other.

    ``rows`` are the table's cells below its ``columns``; ``done`` says how many rows have become messages or, in
    ``skipped``, why not. Making and counting are one transaction, so that dying and running twice make no row twice.
    """

    class State(models.TextChoices):
        OPEN = "open"  # a table lies beside the text, nothing is made
        RUNNING = "running"
        STOPPED = "stopped"  # by the person, or by a limit, as ``problem`` says
        ENDED = "ended"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    draft = models.OneToOneField(Draft, on_delete=models.CASCADE, related_name="merge")
    columns = models.JSONField(default=list)
    rows = models.JSONField(default=list)
    address_column = models.PositiveSmallIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=list)  # [[number of the row, why in words], …]
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    problem = models.CharField(max_length=300, blank=True)
    send_after = models.DateTimeField(null=True)
    scheduled = models.BooleanField(default=False)  # for a time that the person chose
    worked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["worked_at"], name="merge_running", condition=models.Q(state="running"))]

    def __str__(self) -> str:
        return f"mail merge {self.pk}"
