"""Forms about people and how they sign in."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.services import sign_in


class SignInForm(AuthenticationForm):
    """Address and password; the same words whether the address is known or not."""

    error_messages = {
        "invalid_login": _("That address and password do not belong together. Check both and try again."),
        "inactive": _("That address and password do not belong together. Check both and try again."),
        "too_many": _("Too many tries. Wait a quarter of an hour, or ask your administrator for a new password."),
    }
    username = forms.EmailField(
        label=_("Address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )

    def clean(self) -> dict[str, Any]:
        address = str(self.cleaned_data.get("username") or "")
        network = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        if not sign_in.allowed(address, network):
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            sign_in.failed(address, network)
            raise
        sign_in.succeeded(address, network)
        return cleaned
