from django.db import models
from django.utils.translation import gettext_lazy as _


class Organisation(models.Model):
    """The tenant: people, servers and mail of one organisation never mix with another's."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    accent_hue = models.PositiveSmallIntegerField(_("accent hue"), null=True, blank=True)
    recipients_per_hour = models.PositiveIntegerField(
        _("recipients in an hour"),
        null=True,
        blank=True,
        help_text=_("How many people all of it may write to in an hour; empty for the installation's own limit."),
    )
    suspended_at = models.DateTimeField(_("suspended since"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")

    def __str__(self) -> str:
        return self.name
