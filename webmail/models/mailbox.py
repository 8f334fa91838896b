from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import MailAccount


class Mailbox(models.Model):
    """A folder of an account. Its identity is the wire name's bytes (or MAILBOXID), never the displayed name.

    ``gen`` is ours: it grows when UIDVALIDITY changes, so a recycled UIDVALIDITY can never confuse two numberings.
    Cursors (``uidnext``, ``highestmodseq``, ``verified_high``, ``backfill_low``) are written in the transaction that
    holds the last rows they cover.

    Where a server keeps labels (Gmail), one mailbox is ``labelled``: every message lies there once, with its labels.
    Mailboxes with a ``label`` are views over it (``label_views``); they are not read from the server and have no UIDs.
    """

    class Role(models.TextChoices):
        INBOX = "inbox", _("Inbox")
        DRAFTS = "drafts", _("Drafts")
        SENT = "sent", _("Sent")
        ARCHIVE = "archive", _("Archive")
        JUNK = "junk", _("Spam")
        TRASH = "trash", _("Trash")
        ALL = "all", _("All mail")
        FLAGGED = "flagged", _("Starred")
        NONE = "", _("Folder")

    class RoleSource(models.TextChoices):
        FLAG = "flag", _("the server's special-use flag")
        PERSON = "person", _("chosen by its owner")
        NAME = "name", _("recognised by its name")

    class Phase(models.TextChoices):
        NEW = "new"
        INITIAL = "initial"
        LIVE = "live"
        REMAP = "remap"
        UNSELECTABLE = "unselectable"
        GONE = "gone"

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="mailboxes")
    wire_name = models.BinaryField()
    name = models.CharField(max_length=1000)
    delimiter = models.CharField(max_length=1, blank=True)
    attributes = ArrayField(models.CharField(max_length=40), default=list)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.NONE, blank=True)
    role_source = models.CharField(max_length=6, choices=RoleSource.choices, blank=True)
    mailbox_id = models.CharField(max_length=255, blank=True)  # OBJECTID (RFC 8474)
    subscribed = models.BooleanField(default=True)
    phase = models.CharField(max_length=12, choices=Phase.choices, default=Phase.NEW)
    labelled = models.BooleanField(default=False)
    label = models.CharField(max_length=1000, blank=True)  # as on the wire, one character an octet

    gen = models.PositiveIntegerField(default=1)
    uidvalidity = models.BigIntegerField(null=True)
    uidnext = models.BigIntegerField(null=True)
    highestmodseq = models.BigIntegerField(null=True)
    exists_count = models.PositiveIntegerField(default=0)
    server_unseen = models.PositiveIntegerField(null=True)
    verified_high = models.BigIntegerField(default=0)  # every UID up to here is stored or proven absent
    backfill_low = models.BigIntegerField(null=True)  # initial sync has come down to this UID; null: not begun
    full_flags_at = models.DateTimeField(null=True)
    full_enum_at = models.DateTimeField(null=True)
    last_sync_at = models.DateTimeField(null=True)
    resync_asked_at = models.DateTimeField(null=True)  # everything is to be compared with the server again
    resync_low = models.BigIntegerField(null=True)  # the comparison has come down to this UID; null: not begun
    resync_done = models.PositiveIntegerField(default=0)  # messages compared so far
    resynced_at = models.DateTimeField(null=True)  # when everything had last been read or compared
    rate = models.PositiveIntegerField(default=0)  # messages a minute, of the fetch or comparison under way
    rate_at = models.DateTimeField(null=True)  # when its last window was written
    missing_since = models.DateTimeField(null=True)
    renumbered_at = ArrayField(models.DateTimeField(), default=list)  # when UIDVALIDITY changed, the last few times
    failures = models.PositiveSmallIntegerField(default=0)
    server_line = models.CharField(max_length=500, blank=True)

    total = models.PositiveIntegerField(default=0)  # visible messages here
    unread = models.PositiveIntegerField(default=0)

    RENUMBERED_AT_MOST = 3  # times in a day

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "wire_name"], name="mailbox_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def leaf(self) -> str:
        """The last level of the name, as shown in the rail."""
        return self.name.rsplit(self.delimiter, 1)[-1] if self.delimiter else self.name

    @property
    def unstable(self) -> bool:
        """Whether its server renumbers it so often that comparing all of it anew each time would never end."""
        day_ago = timezone.now() - timedelta(hours=24)
        return sum(at > day_ago for at in self.renumbered_at) > self.RENUMBERED_AT_MOST

    @property
    def selectable(self) -> bool:
        return self.phase not in (self.Phase.UNSELECTABLE, self.Phase.GONE)
