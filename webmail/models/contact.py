import re

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import User
from webmail.search import normalise

_APART = re.compile(r"[@._+-]+")
MOST = 20_000  # contacts of one person


class ContactGroup(models.Model):
    """People of an address book who are written to together."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contact_groups", db_index=False)
    name = models.CharField(max_length=100)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], name="contact_group_once", condition=models.Q(removed_at=None)
            )
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return f"contact group {self.pk}"


class Contact(models.Model):
    """Somebody in a person's address book. Lists keep their order: the first address is the one to write to.

    ``merged`` is what merging took over, so that it can be undone: the values before, and the ids that went.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contacts", db_index=False)
    uid = models.CharField(max_length=255)  # RFC 6350 section 6.7.6
    name = models.CharField(max_length=200, blank=True)
    organisation = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=200, blank=True)
    mails = ArrayField(models.CharField(max_length=320), default=list)
    numbers = ArrayField(models.CharField(max_length=60), default=list)
    addresses = ArrayField(models.CharField(max_length=300), default=list)
    notes = models.TextField(blank=True)
    groups = models.ManyToManyField(ContactGroup, related_name="contacts")
    sort = models.CharField(max_length=200)  # normalised name, or address: what the list is ordered by
    search = models.TextField()  # normalised words of everything, matched by their beginnings
    merged = models.JSONField(default=dict)
    removed_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "uid"], name="contact_once")]
        indexes = [
            models.Index(fields=["user", "sort", "id"], name="contact_by_name", condition=models.Q(removed_at=None)),
        ]

    def __str__(self) -> str:
        return f"contact {self.pk}"

    @property
    def shown_name(self) -> str:
        return self.name or (self.mails[0] if self.mails else self.organisation)

    def index(self) -> None:
        """What the list is ordered by and found by, from what the contact says now."""
        parts = (f"{_APART.sub(' ', mail)} {mail.rpartition('@')[2]}" for mail in self.mails)
        words = (self.name, self.organisation, *self.mails, *parts, *self.numbers)
        self.search = normalise(" ".join(words))[:4_000]
        self.sort = normalise(self.shown_name)[:200]
