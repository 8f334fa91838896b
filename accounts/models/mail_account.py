from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .oauth import OAuthProvider
from .organisation import Organisation
from .server import MailServer
from .user import User


class MailAccount(models.Model):
    """One mailbox owner's account on a mail server, the unit that is synced, leased and scheduled.

    Columns have one owner each: the person's services own label, servers and POP3 choices; the sync owns state,
    schedule, lease and progress, and writes them by conditional ``update()`` only.
    """

    class Protocol(models.TextChoices):
        IMAP = "imap", "IMAP"
        POP3 = "pop3", "POP3"

    class State(models.TextChoices):
        NEW = "new", _("First sync")
        WORKING = "working", _("Up to date")
        PASSWORD_REFUSED = "refused", _("Password refused")
        UNREACHABLE = "unreachable", _("Server unreachable")
        THROTTLED = "throttled", _("Slowed by the server")
        FAILING = "failing", _("Needs a look")
        PAUSED = "paused", _("Paused by you")
        SUSPENDED = "suspended", _("Suspended by an administrator")

    class NextWhy(models.TextChoices):
        OPEN = "open", _("a page is open")
        ACTIVE = "active", _("its owner came by today")
        IDLE = "idle", _("nobody is looking")
        OWED = "owed", _("a change is to be sent")
        BUSY = "busy", _("its connections are in use")

    class PopPolicy(models.TextChoices):
        KEEP = "keep", _("Leave on the server")
        DELETE = "delete", _("Delete from the server once it is here")
        DELETE_AFTER = "after", _("Delete from the server after some days")
        MIRROR = "mirror", _("Delete from the server when deleted here")

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="mail_accounts")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mail_accounts")
    protocol = models.CharField(_("protocol"), max_length=4, choices=Protocol.choices)
    address = models.EmailField(_("address"), max_length=254)
    label = models.CharField(_("label"), max_length=100, blank=True)
    username = models.CharField(_("user name at the server"), max_length=254)
    incoming = models.ForeignKey(MailServer, on_delete=models.PROTECT, related_name="+", verbose_name=_("incoming"))
    outgoing = models.ForeignKey(
        MailServer, on_delete=models.PROTECT, related_name="+", verbose_name=_("outgoing"), null=True, blank=True
    )
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    pop_policy = models.CharField(
        _("mail on the POP3 server"), max_length=6, choices=PopPolicy.choices, default=PopPolicy.KEEP
    )
    pop_days = models.PositiveSmallIntegerField(_("days"), default=14)
    # larger messages stay on the server until they are asked for; 0: all do
    pop_limit_mb = models.PositiveSmallIntegerField(_("download messages up to (MB)"), default=150)

    # owned by the sync
    state = models.CharField(_("state"), max_length=11, choices=State.choices, default=State.NEW)
    state_since = models.DateTimeField(_("since"), default=timezone.now)
    error_code = models.CharField(max_length=40, blank=True)
    server_line = models.CharField(_("what the server said"), max_length=500, blank=True)
    refused_logins = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    last_sync_at = models.DateTimeField(_("last sync"), null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    progress_since = models.DateTimeField(null=True, blank=True)
    progress_rate = models.PositiveIntegerField(default=0)  # messages a minute
    progress_at = models.DateTimeField(null=True, blank=True)  # when the last of them were written
    settings_seen = models.JSONField(default=dict, blank=True)  # what was learnt of the server: capabilities, profile

    connection_cap = models.PositiveSmallIntegerField(null=True, blank=True)  # learnt from a refusal
    connection_cap_at = models.DateTimeField(null=True, blank=True)

    # schedule and lease: the dispatcher claims what is due, a worker holds the lease with a fencing token
    next_run_at = models.DateTimeField(_("next try"), default=timezone.now, db_index=True)
    next_why = models.CharField(max_length=8, choices=NextWhy.choices, blank=True)  # empty after a failure
    queued_at = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(null=True, blank=True)
    resync_asked_at = models.DateTimeField(null=True, blank=True)  # every mailbox is to be compared again
    watched_until = models.DateTimeField(null=True, blank=True)  # a page of this account is open somewhere
    lease_token = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "protocol", "address"], name="mail_account_once")]
        ordering = ["position", "id"]
        verbose_name = _("mail account")
        verbose_name_plural = _("mail accounts")

    def __str__(self) -> str:
        return self.label or self.address

    @property
    def stopped(self) -> bool:
        """No connection is made while the account is in one of these states."""
        return self.state in (self.State.PASSWORD_REFUSED, self.State.PAUSED, self.State.SUSPENDED)

    @property
    def resting(self) -> bool:
        """The server wants no new connection for now; the sync keeps away until ``next_run_at``."""
        return self.state == self.State.THROTTLED and self.next_run_at > timezone.now()

    @property
    def told_to_wait(self) -> bool:
        """The same, and it was the pace of commands that was too much, not the number of connections."""
        return self.resting and self.error_code != "connections"


class Credential(models.Model):
    """The sealed secrets of one account (see accounts.crypto); the admin panel never shows this model."""

    account = models.OneToOneField(MailAccount, on_delete=models.CASCADE, primary_key=True, related_name="credential")
    data_key = models.CharField(max_length=200)
    sealed = models.TextField()
    sealed_outgoing = models.TextField(blank=True)  # empty: sending uses the same secret
    outgoing_username = models.CharField(max_length=254, blank=True)
    # an account that signs in by OAuth: ``sealed`` is the refresh token, or still empty beside a code to be exchanged
    provider = models.ForeignKey(OAuthProvider, on_delete=models.PROTECT, null=True, related_name="credentials")
    sealed_code = models.TextField(blank=True)
    sealed_access = models.TextField(blank=True)
    renew_token_at = models.DateTimeField(null=True)
    token_claimed_until = models.DateTimeField(null=True)  # one worker at a time asks for a new token
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return "credential"
