from django.db import models

from accounts.models import User


class SenderTrust(models.Model):
    """That a person wants a sender's remote images shown."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="trusted_senders")
    address = models.CharField(max_length=320)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "address"], name="sender_trust_once")]

    def __str__(self) -> str:
        return f"trust {self.pk}"
