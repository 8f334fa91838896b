import hashlib

from django.db import models

from accounts.models import MailAccount

from .message import Message


class CalendarNotice(models.Model):
    """That a message invites to an event, changes it or calls it off, by which older ones are found out of date.

    A claim of whoever sent the message. ``key`` is of the event's UID and organiser, ``sender`` the author's address in
    lower case; what is newer is told by ``sequence``, then by ``stamp`` (RFC 5546 section 2.1.5).
    """

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True, related_name="calendar_notice")
    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=32)
    sender = models.CharField(max_length=500)
    recurrence_id = models.CharField(max_length=16, blank=True)  # of one occasion; "" is about all of them
    sequence = models.PositiveIntegerField()
    stamp = models.CharField(max_length=16, blank=True)  # DTSTAMP, "20261124T090000Z"; "" where it is not known
    cancels = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["account", "key"], name="notice_of_event")]

    def __str__(self) -> str:
        return f"notice {self.pk}"


def event_key(uid: str, organiser: str) -> str:
    """Names an event as its organiser knows it; UIDs alone are anybody's to write."""
    return hashlib.blake2b(f"{uid}\0{organiser.lower()}".encode("utf-8", "replace"), digest_size=16).hexdigest()
