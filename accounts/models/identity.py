from django.db import models
from django.utils.translation import gettext_lazy as _

from .mail_account import MailAccount

ANY = "*@"  # how the address of a whole domain begins


class Identity(models.Model):
    """A name and address that a person may write as; only verified ones may be used (security criterion S58).

    The address ``*@example.org`` stands for every address of a domain whose mail all comes to this account.
    """

    account = models.ForeignKey(MailAccount, on_delete=models.CASCADE, related_name="identities")
    name = models.CharField(_("name"), max_length=200, blank=True)
    address = models.EmailField(_("address"), max_length=254)
    reply_to = models.EmailField(_("replies go to"), max_length=254, blank=True)
    bcc = models.EmailField(_("blind copy always to"), max_length=254, blank=True)
    signature = models.TextField(_("signature"), blank=True)  # as text; the only one where signature_html is empty
    signature_html = models.TextField(blank=True)
    keeps_sent = models.BooleanField(_("keep a copy in Sent"), default=True)
    is_default = models.BooleanField(_("used first"), default=False)
    asked_at = models.DateTimeField(null=True, blank=True)  # when a mail to confirm the address left last
    verified_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "address"], name="identity_once")]
        ordering = ["-is_default", "id"]
        verbose_name = _("identity")
        verbose_name_plural = _("identities")

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address

    @property
    def is_usable(self) -> bool:
        return self.verified_at is not None and self.removed_at is None

    @property
    def stands_for_domain(self) -> bool:
        return self.address.startswith(ANY)

    def covers(self, address: str) -> bool:
        """Whether mail may be written from the address as this identity: its own, one with a tag, one of its domain."""
        local, _at, domain = address.lower().rpartition("@")
        own_local, _at, own_domain = self.address.lower().rpartition("@")
        if len(address) > 254 or not local or domain != own_domain:
            return False
        if any(c.isspace() or c in '<>,;:"()[]@\\' for c in local):
            return False
        return (self.stands_for_domain and local != "*") or local == own_local or local.startswith(f"{own_local}+")
