import re

from django.db import models

from accounts.models import Identity

_NAMED = re.compile(r"cid:signature-(\d{1,18})@mailroom")


class SignaturePicture(models.Model):
    """A picture that a signature shows; its octets are in the storage of the identity's account.

    A draft whose text shows it gets an ``Upload`` of the same content id, so that it goes along like any picture.
    """

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="pictures")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"signature picture {self.pk}"

    @property
    def content_id(self) -> str:
        return f"signature-{self.pk}@mailroom"


def signature_pictures_in(html: str) -> set[int]:
    """Ids of the signature pictures that a text shows."""
    return {int(found[1]) for found in _NAMED.finditer(html)}
