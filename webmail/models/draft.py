from django.db import models

from accounts.models import Identity, MailAccount, User

from .message import Message


class Draft(models.Model):
    """A message being written. This row is the draft; a copy on the server follows it.

    ``revision`` grows with each save: a save that names an older revision is kept aside as another draft, never lost.
    """

    class Mode(models.TextChoices):
        NEW = "new"
        REPLY = "reply"
        REPLY_ALL = "all"
        REPLY_LIST = "list"
        FORWARD = "forward"
        FORWARD_FILE = "file"  # the original whole, as an attachment
        REDIRECT = "resent"  # the original as it is, to somebody else; no draft is ever written for it
        AGAIN = "again"  # its text, people and files once more, as a new message

    ANSWERS = frozenset({Mode.REPLY, Mode.REPLY_ALL, Mode.REPLY_LIST})
    FORWARDS = frozenset({Mode.FORWARD, Mode.FORWARD_FILE})

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="drafts")
    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="drafts")
    identity = models.ForeignKey(Identity, on_delete=models.SET_NULL, null=True, related_name="+")
    sender = models.CharField(max_length=254, blank=True)  # empty: the identity's own address
    mode = models.CharField(max_length=7, choices=Mode.choices, default=Mode.NEW)
    original = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")
    to = models.TextField(blank=True)
    cc = models.TextField(blank=True)
    bcc = models.TextField(blank=True)
    subject = models.TextField(blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    plain = models.BooleanField(default=False)
    receipt = models.BooleanField(default=False)  # asks whoever opens it for a receipt, RFC 8098
    report = models.BooleanField(default=False)  # asks servers to say that it arrived, RFC 3461
    remind_days = models.PositiveSmallIntegerField(default=0)  # unanswered so long, it comes up again; 0: never
    revision = models.PositiveIntegerField(default=1)
    message_id = models.TextField(blank=True)  # of the copy on the server
    remote_uid = models.BigIntegerField(null=True)
    remote_gen = models.PositiveIntegerField(default=0)
    remote_box = models.BigIntegerField(null=True)  # the mailbox that remote_uid is of
    remote_revision = models.PositiveIntegerField(default=0)
    # [box, gen, uid] of older copies still to be deleted; [box, gen, UIDNEXT, begun] of an APPEND that may have ended
    superseded_uids = models.JSONField(default=list)
    copy_after = models.DateTimeField(null=True)  # the server is not asked again before then
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    closed_at = models.DateTimeField(null=True)  # sent or discarded

    class Meta:
        indexes = [models.Index(fields=["user", "-updated_at"], name="draft_open", condition=models.Q(closed_at=None))]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class Upload(models.Model):
    """A file on its way out: bytes in storage by digest, named by the person who brought it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+")
    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="uploads")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=255, default="application/octet-stream")
    size = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)  # empty: still on the mail server, see source
    source = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, related_name="+")  # forwarded from here
    source_path = models.CharField(max_length=100, blank=True)  # empty with a source: all of that message
    content_id = models.CharField(max_length=255, blank=True)  # set for pictures inside the text
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"upload {self.pk}"

    def is_left_out(self, html: str | None) -> bool:
        """Whether a picture of the text does not go along: it was deleted there, or stood in a quote, now plain."""
        if not self.content_id:
            return False
        return self.source_id is not None if html is None else f"cid:{self.content_id}" not in html
