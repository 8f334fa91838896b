from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Identity, MailAccount, User

from .draft import Draft
from .mail_merge import MailMerge
from .message import Message


class Outgoing(models.Model):
    """A message handed over for sending: bytes, envelope and Message-ID are frozen; every try sends the same.

    Attached files are filled in before the first try (`frozen.complete`), since that takes too long for a request; by
    what they are filled in is frozen too.

    ``state`` says what became of it, ``phase`` how far the present try has come. The phase is committed before each
    irreversible step. Once ``data_sent`` stands and no reply was read, only a person may decide: the state is
    ``unknown`` and nothing sends it again by itself. Filing the copy in Sent is a step of its own.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        PARTIAL = "partial", _("Refused for some")
        DEFERRED = "deferred", _("Will be tried again")
        FAILED = "failed", _("Refused")
        UNKNOWN = "unknown", _("May have been sent")
        CANCELLED = "cancelled", _("Taken back")

    class Phase(models.TextChoices):
        NONE = "", ""
        CONNECTED = "connected", _("connected")
        ENVELOPE = "envelope", _("recipients named")
        DATA_SENT = "data_sent", _("message handed over")
        REPLIED = "replied", _("answered")

    class Filing(models.TextChoices):
        WAITING = "waiting"
        FILED = "filed"
        SERVER = "server"  # the server keeps the copy itself
        FAILED = "failed"
        NONE = "none"

    class Report(models.TextChoices):
        NONE = "", ""  # failures and delays are asked for all the same
        WANTED = "wanted"  # the writer wants to know that it arrived
        ASKED = "asked"  # the server was asked for it
        NOT_GIVEN = "none"  # the server gives no reports

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="outbox")
    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="outbox")
    identity = models.ForeignKey(Identity, on_delete=models.SET_NULL, null=True, related_name="+")
    draft = models.ForeignKey(Draft, on_delete=models.SET_NULL, null=True, related_name="outgoing")
    original = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")
    merge = models.ForeignKey(MailMerge, on_delete=models.SET_NULL, null=True, related_name="messages")
    mode = models.CharField(max_length=7, choices=Draft.Mode.choices, default=Draft.Mode.NEW)
    message_id = models.TextField(unique=True)
    subject = models.TextField(blank=True)
    snippet = models.CharField(max_length=400, blank=True)
    envelope_from = models.TextField()
    digest = models.CharField(max_length=64)  # without Bcc, as SMTP sends it
    sent_copy_digest = models.CharField(max_length=64)  # with Bcc, as Sent keeps it
    size = models.BigIntegerField()
    # while there are any, the digest is of a frame into which files are still to be filled: [octets before, digest]
    holes = models.JSONField(default=list)
    sent_copy_holes = models.JSONField(default=list)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    phase = models.CharField(max_length=9, choices=Phase.choices, default=Phase.NONE, blank=True)
    send_after = models.DateTimeField()
    due_at = models.DateTimeField(default=timezone.now)  # first meant to leave: tries are given up so long after
    scheduled = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    server_line = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    filing = models.CharField(max_length=7, choices=Filing.choices, default=Filing.WAITING)
    filing_uidnext = models.BigIntegerField(null=True)
    filing_attempts = models.PositiveSmallIntegerField(default=0)
    filing_after = models.DateTimeField(null=True)
    filed_uid = models.BigIntegerField(null=True)  # of our copy in Sent, as long as the server might file one as well
    filed_uidvalidity = models.BigIntegerField(null=True)
    report = models.CharField(max_length=6, choices=Report.choices, default=Report.NONE, blank=True)
    remind_days = models.PositiveSmallIntegerField(default=0)
    remind_at = models.DateTimeField(null=True)  # when to look next whether somebody has answered
    unanswered = models.BooleanField(default=False)  # the time is over, and nobody has
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["send_after"], name="out_due", condition=models.Q(state__in=["queued", "deferred"])),
            models.Index(fields=["claimed_at"], name="out_claimed", condition=models.Q(state="sending")),
            models.Index(fields=["user", "-created_at"], name="out_by_user"),
            models.Index(
                fields=["filing_after"],
                name="out_filing",
                condition=models.Q(filing="waiting", sent_at__isnull=False) | models.Q(filed_uid__isnull=False),
            ),
            models.Index(fields=["remind_at"], name="out_remind", condition=models.Q(remind_at__isnull=False)),
            models.Index(fields=["user"], name="out_unanswered", condition=models.Q(unanswered=True)),
        ]

    def __str__(self) -> str:
        return f"outgoing {self.pk}"


class OutgoingRecipient(models.Model):
    """What became of a message for one envelope recipient."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        ACCEPTED = "accepted", _("Accepted")
        DEFERRED = "deferred", _("Will be tried again")
        REFUSED = "refused", _("Refused")

    outgoing = models.ForeignKey(Outgoing, on_delete=models.CASCADE, related_name="recipients")
    address = models.TextField()
    name = models.TextField(blank=True)
    kind = models.CharField(max_length=3, default="to")  # to, cc, bcc
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    code = models.PositiveSmallIntegerField(null=True)
    reply = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["outgoing", "address"], name="recipient_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"recipient {self.pk}"
