from django.db import models

from .message import Message


class RemoteImage(models.Model):
    """A picture of another server as the image proxy fetched it for one message; kept for a while.

    ``key`` names its URL (``render.pictures.key_of``). The file lies in storage under a name of its own, so that it can
    be thrown away without asking who else has equal bytes. Rows outlive their message until the purge has removed the
    file too.
    """

    class State(models.TextChoices):
        FETCHING = "fetching"
        HERE = "here"
        FAILED = "failed"

    message = models.ForeignKey(
        Message, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    account_id = models.BigIntegerField()
    key = models.CharField(max_length=22)
    state = models.CharField(max_length=8, choices=State.choices, default=State.FETCHING)
    media_type = models.CharField(max_length=20, blank=True)
    size = models.PositiveIntegerField(default=0)  # octets in storage
    changed_at = models.DateTimeField()  # when it got its state

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "key"], name="remote_image_once")]
        indexes = [
            models.Index(fields=["account_id", "changed_at"], name="remote_image_by_age"),
            models.Index(fields=["changed_at"], name="remote_image_oldest"),
        ]

    def __str__(self) -> str:
        return f"remote image {self.pk}"

    @property
    def file(self) -> str:
        """Its name in storage."""
        return f"{self.account_id}/images/{self.message_id}-{self.key}"
