from django.db import models

from accounts.models import CardServer

from .contact import Contact


class CardBook(models.Model):
    """An address book on a server (RFC 6352). The person owns what is chosen, the sync all else."""

    server = models.ForeignKey(CardServer, on_delete=models.CASCADE, related_name="books", db_index=False)
    url = models.CharField(max_length=2000)
    name = models.CharField(max_length=200, blank=True)
    chosen = models.BooleanField(default=False)
    takes_new = models.BooleanField(default=False)  # contacts made here go there ...
    takes_after = models.BigIntegerField(default=0)  # ... those with a higher id
    writable = models.BooleanField(default=True)
    tells_changes = models.BooleanField(default=True)
    ctag = models.CharField(max_length=2000, blank=True)  # as of the last whole comparison
    token = models.CharField(max_length=2000, blank=True)
    compared_at = models.DateTimeField(null=True)  # when all of it was here for the first time
    gone_at = models.DateTimeField(null=True)  # its server no longer lists it
    unfit = models.PositiveIntegerField(default=0)  # cards that are too large or no text

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "url"], name="card_book_once")]
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return f"address book {self.pk}"


class CardLink(models.Model):
    """A card on a server, and the contact that is the same person here; none where the card is about no person.

    ``card`` is the card as the server had it when both sides agreed last, ``base`` the contact's values then and
    ``known_at`` its ``changed_at``: a contact that has another one was changed here since. ``absent``: the server has
    no such card, and gets one. ``vanished``: the server says it is gone, which its owner is asked about first.
    """

    book = models.ForeignKey(CardBook, on_delete=models.CASCADE, related_name="links", db_index=False)
    contact = models.OneToOneField(Contact, on_delete=models.CASCADE, null=True, related_name="link")
    href = models.CharField(max_length=1000)  # path on the book's server
    etag = models.CharField(max_length=300, blank=True)
    card = models.TextField(blank=True)
    base = models.JSONField(default=dict)
    known_at = models.DateTimeField(null=True)
    absent = models.BooleanField(default=False)
    vanished = models.BooleanField(default=False)
    problem = models.CharField(max_length=500, blank=True)  # why the server did not take the change
    problem_at = models.DateTimeField(null=True)  # of the contact as it was changed then
    crossed = models.JSONField(default=dict)  # what was changed on both sides, until its owner has seen it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "href"], name="card_link_once")]

    def __str__(self) -> str:
        return f"card {self.pk}"
