from django.db import models

from accounts.models import User


class Correspondent(models.Model):
    """Somebody a person has written to, for suggestions and to tell strangers by.

    Counted when a message is handed over for sending, and once from a folder of sent mail when it is first here whole.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="correspondents", db_index=False)
    address = models.CharField(max_length=320)
    name = models.CharField(max_length=200, blank=True)
    search = models.CharField(max_length=520)  # normalised name and address, matched by prefix of its words
    times = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "address"], name="correspondent_once")]

    def __str__(self) -> str:
        return f"correspondent {self.pk}"
