from django.db import models

from accounts.models import User


class TextTemplate(models.Model):
    """A text to begin messages with; ``queries.templates`` says what in it stands for whom it is written to."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="text_templates", db_index=False)
    name = models.CharField(max_length=100)
    subject = models.CharField(max_length=500, blank=True)
    html = models.TextField(blank=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="template_once", condition=models.Q(removed_at=None))
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return f"template {self.pk}"
