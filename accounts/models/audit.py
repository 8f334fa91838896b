from django.db import models
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation
from .user import User


class AuditEvent(models.Model):
    """Who did what to which account, for operators; never holds mail content or secrets. Rows are only ever added."""

    at = models.DateTimeField(_("when"), auto_now_add=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("who"))
    action = models.CharField(_("what"), max_length=60)
    target = models.CharField(_("to whom"), max_length=254, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-at"])]
        ordering = ["-at"]
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
