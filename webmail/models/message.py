from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from accounts.models import MailAccount

from .thread import Thread


class Message(models.Model):
    """One message's header content, once per account however many mailboxes hold it.

    ``fingerprint`` is a 128-bit BLAKE2 of the fetched header block and size: equal means the same message; an equal
    Message-ID alone does not (strangers reuse ids).
    """

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="messages", db_index=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="messages")
    fingerprint = models.UUIDField()
    email_id = models.CharField(max_length=255, blank=True)  # OBJECTID's EMAILID or X-GM-MSGID
    message_id = models.TextField(blank=True)  # without angle brackets
    in_reply_to = models.TextField(blank=True)
    references = ArrayField(models.TextField(), default=list)
    subject = models.TextField(blank=True)
    from_name = models.TextField(blank=True)
    from_address = models.TextField(blank=True)
    people = models.JSONField(default=dict)  # {"from"|"sender"|"reply_to"|"to"|"cc"|"bcc": [[name, addr-spec], …]}
    sent_at = models.DateTimeField(null=True)  # Date header
    received_at = models.DateTimeField()  # INTERNALDATE, or when POP3 downloaded it
    size = models.BigIntegerField(default=0)  # octets, as the server says (an estimate on some)
    snippet = models.CharField(max_length=400, blank=True)
    has_attachment = models.BooleanField(default=False)
    has_invite = models.BooleanField(default=False)
    list_id = models.TextField(blank=True)
    extra = models.JSONField(default=dict)  # rarer fields: list_unsubscribe, warnings, not_downloaded, …
    structure = models.BinaryField(default=b"")  # BODYSTRUCTURE as received; parsed when the message is opened

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "fingerprint"], name="message_once")]
        indexes = [
            models.Index(fields=["account", "email_id"], name="message_email_id", condition=~models.Q(email_id="")),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class MessageSearch(models.Model):
    """What can be found of a message. Narrow on purpose: a common word touches thousands of these rows.

    The document holds a lexeme naming the account (``acct:<id>``), so that the GIN index intersects one account's
    postings with the word's and never walks through other people's.
    """

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="search")
    account_id = models.BigIntegerField()
    received_at = models.DateTimeField()
    document = SearchVectorField()
    with_body = models.BooleanField(default=False)

    class Meta:
        indexes = [
            GinIndex(fields=["document"], name="search_document"),
            models.Index(fields=["account_id", "-received_at"], name="search_by_date"),
        ]

    def __str__(self) -> str:
        return f"search entry {self.pk}"
