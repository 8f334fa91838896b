from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation

_HTTPS = URLValidator(["https"], message=_("An https address: tokens travel over nothing else."))


class OAuthProvider(models.Model):
    """An authorisation server at which people sign in to their mail (OAuth 2.0, RFC 6749), set up by an administrator.

    ``sealed_secret`` is this installation's client secret there; public clients have none.
    """

    organisation = models.ForeignKey(
        Organisation,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: offered to every organisation."),
    )
    name = models.CharField(_("name"), max_length=60, help_text=_("As people know it: “Sign in with …”."))
    authorize_url = models.CharField(_("authorisation address"), max_length=500, validators=[_HTTPS])
    token_url = models.CharField(_("token address"), max_length=500, validators=[_HTTPS])
    client_id = models.CharField(_("client id"), max_length=300)
    scopes = models.CharField(_("scopes"), max_length=500, help_text=_("As the provider names them, with spaces."))
    ca_certificates = models.TextField(_("own certificate authority"), blank=True)
    data_key = models.CharField(max_length=200, blank=True)
    sealed_secret = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("sign-in provider")
        verbose_name_plural = _("sign-in providers")

    def __str__(self) -> str:
        return self.name
