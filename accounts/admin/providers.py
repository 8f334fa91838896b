from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import OAuthProvider
from accounts.services import administration

from .desk import Desk, actor
from .site import site

if TYPE_CHECKING:
    _ProviderForm = forms.ModelForm[OAuthProvider]
else:
    _ProviderForm = forms.ModelForm


class ProviderForm(_ProviderForm):
    """A provider as its own console names things. The secret is written and never shown."""

    client_secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        required=False,
        strip=True,
        max_length=1_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False),
        help_text=gettext_lazy("Kept sealed and never shown. Empty: the one that is stored stays."),
    )

    class Meta:
        model = OAuthProvider
        fields = ("organisation", "name", "authorize_url", "token_url", "client_id", "scopes", "ca_certificates")
        widgets = {"ca_certificates": forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"})}


@admin.register(OAuthProvider, site=site)
class ProviderDesk(Desk[OAuthProvider]):
    here = "providers"
    note = gettext_lazy("Where people sign in to their mail without giving Mailroom a password (OAuth 2.0).")
    form = ProviderForm
    list_display = ("name", "organisation_name", "client_id")
    search_fields = ("name", "organisation__name")
    list_select_related = ("organisation",)
    fieldsets = (
        (gettext_lazy("Who it is"), {"fields": ("organisation", "name")}),
        (gettext_lazy("Where it is"), {"fields": ("authorize_url", "token_url", "ca_certificates")}),
        (gettext_lazy("What we are there"), {"fields": ("client_id", "client_secret", "scopes")}),
    )

    @admin.display(description=gettext_lazy("organisation"), ordering="organisation__name")
    def organisation_name(self, row: OAuthProvider) -> str:
        return row.organisation.name if row.organisation else _("Everybody")

    def has_delete_permission(self, request: HttpRequest, obj: OAuthProvider | None = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: OAuthProvider, form: "forms.ModelForm[Any]", change: bool) -> None:
        administration.save_provider(actor(request), obj, secret=form.cleaned_data.get("client_secret", ""))

    def delete_model(self, request: HttpRequest, obj: OAuthProvider) -> None:
        administration.remove_provider(actor(request), obj)
