from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .user import User


class CardServer(models.Model):
    """A server that keeps address books of a person (CardDAV), with what signs in there.

    The person's services own address, user name and password; the sync owns the rest, and writes it by conditional
    ``update()`` only. The password is sealed as a mail account's is; no page and no panel shows it.
    """

    class State(models.TextChoices):
        NEW = "new", _("Looking for address books")
        CHOOSING = "choosing", _("Choose address books")
        WORKING = "working", _("Up to date")
        REFUSED = "refused", _("Password refused")
        UNREACHABLE = "unreachable", _("Server unreachable")
        THROTTLED = "throttled", _("Slowed by the server")
        FAILING = "failing", _("Needs a look")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="card_servers")
    address = models.CharField(max_length=1000)  # as it was typed: a URL, a domain or a mail address
    username = models.CharField(max_length=254)
    data_key = models.CharField(max_length=200)
    sealed = models.TextField()
    changed_at = models.DateTimeField(default=timezone.now)  # when the password was
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)  # disconnected; forgotten an hour later
    took_contacts = models.BooleanField(default=False)  # what came from it went with it

    # owned by the sync
    home = models.CharField(max_length=2000, blank=True)  # URL below which its address books lie
    state = models.CharField(max_length=11, choices=State.choices, default=State.NEW)
    error_code = models.CharField(max_length=40, blank=True)
    server_line = models.CharField(max_length=500, blank=True)
    refused_logins = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    last_sync_at = models.DateTimeField(null=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    next_run_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_run_at"], name="card_server_due", condition=models.Q(removed_at=None)),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"address book server {self.pk}"

    @property
    def stopped(self) -> bool:
        """No connection is made: it was disconnected, or its password refused too often."""
        return self.removed_at is not None or self.state == self.State.REFUSED

    @property
    def resting(self) -> bool:
        """The server asked for time."""
        return self.state == self.State.THROTTLED and self.next_run_at > timezone.now()
