"""How Mailroom looks and behaves for one person."""

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User

if TYPE_CHECKING:
    _UserModelForm = forms.ModelForm[User]
else:  # generic for the type checker only
    _UserModelForm = forms.ModelForm

_UNDO = ((0, _("Off")), (5, _("5 s")), (10, _("10 s")), (30, _("30 s")))


def _zones() -> list[tuple[str, str]]:
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class PreferencesForm(_UserModelForm):
    """Columns of the person's own row that nobody else decides about."""

    theme = forms.ChoiceField(label=_("Appearance"), choices=User.Theme.choices, widget=forms.RadioSelect)
    undo_send_seconds = forms.TypedChoiceField(
        label=_("Undo send"), choices=_UNDO, coerce=int, widget=forms.RadioSelect
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_zones)
    hide_remote_images = forms.BooleanField(label=_("Hide remote images"), required=False)
    conversations = forms.BooleanField(label=_("Group messages into conversations"), required=False)

    class Meta:
        model = User
        fields = ("theme", "time_zone", "undo_send_seconds", "hide_remote_images", "conversations")

    def __init__(self, data: Any = None, *, user: User, only: tuple[str, ...] = ()) -> None:
        super().__init__(data, instance=user)
        for name in list(self.fields):
            if only and name not in only:
                del self.fields[name]
