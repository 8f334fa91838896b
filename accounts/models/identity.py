from django.db import models
from django.utils.translation import gettext_lazy as _

from .mail_account import MailAccount


class Identity(models.Model):
    """A name and address that a person may write as; only verified ones may be used (security criterion S58)."""

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="identities")
    name = models.CharField(_("name"), max_length=200, blank=True)
    address = models.EmailField(_("address"), max_length=254)
    reply_to = models.EmailField(_("replies go to"), max_length=254, blank=True)
    signature = models.TextField(_("signature"), blank=True)
    is_default = models.BooleanField(_("used first"), default=False)
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "address"], name="identity_once")]
        ordering = ["-is_default", "id"]
        verbose_name = _("identity")
        verbose_name_plural = _("identities")

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address
