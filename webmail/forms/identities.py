"""Forms about the addresses a person writes from."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import Identity, MailAccount, User
from accounts.models.identity import ANY
from webmail.mime.html_text import html_to_text
from webmail.models import signature_pictures_in
from webmail.render.compose import clean_for_editor

from .lines import BodyField, LineField

if TYPE_CHECKING:
    _IdentityModelForm = forms.ModelForm[Identity]
else:  # generic for the type checker only
    _IdentityModelForm = forms.ModelForm


class IdentityForm(_IdentityModelForm):
    """How a person signs what they write; the address itself is not theirs to change here.

    ``signature_html`` comes from the editor, where there is scripting, and leads; else ``signature`` is the text.
    """

    name = LineField(label=_("Name"), required=False, max_length=200)
    reply_to = forms.EmailField(label=_("Replies go to"), required=False, max_length=254)
    bcc = forms.EmailField(label=_("Blind copy always to"), required=False, max_length=254)
    signature = BodyField(label=_("Signature"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 4}))
    signature_html = BodyField(max_length=100_000, widget=forms.HiddenInput)
    keeps_sent = forms.BooleanField(label=_("Keep a copy of what is sent"), required=False)

    class Meta:
        model = Identity
        fields = ("name", "reply_to", "bcc", "signature", "signature_html", "keeps_sent")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        html = clean_for_editor(cleaned.get("signature_html", ""))
        text = html_to_text(html).replace("\xa0", " ").strip()
        cleaned["signature_html"] = html if text or signature_pictures_in(html) else ""
        if text:
            cleaned["signature"] = text[:10_000]
        return cleaned


class NewIdentityForm(forms.Form):
    """An address to write from, and the account whose server sends for it."""

    address = LineField(label=_("Address"), max_length=254, help_text=_("*@example.org for a domain that is all yours"))
    name = LineField(label=_("Name"), required=False, max_length=200)
    account = forms.ModelChoiceField(queryset=MailAccount.objects.none(), label=_("Sent by"), empty_label=None)

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data, initial={"name": user.name})
        choice = self.fields["account"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = MailAccount.objects.filter(user=user).order_by("position", "pk")

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"]).lower()
        try:
            EmailValidator()(address)
        except ValidationError:
            raise ValidationError(_("That is not an address. It looks like name@example.org.")) from None
        if "*" in address.removeprefix(ANY):
            raise ValidationError(_("A * stands alone before the @, for every address of a domain."))
        return address
