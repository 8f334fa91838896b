"""A label's name and colour, as a person chooses them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webmail.queries.label_list import COLOURS, Label

from .lines import LineField


class LabelForm(forms.Form):
    """One label; those that mail programs share keep their name."""

    name = LineField(label=_("Name"), max_length=100)
    hue = forms.TypedChoiceField(label=_("Colour"), coerce=int, choices=[])

    def __init__(self, data: Any = None, *, label: Label, auto_id: str) -> None:
        super().__init__(data, initial={"name": label.name, "hue": label.hue}, auto_id=auto_id)
        given = () if label.hue in dict(COLOURS) else ((label.hue, _("As given")),)
        self.fields["hue"] = forms.TypedChoiceField(label=_("Colour"), coerce=int, choices=[*given, *COLOURS])
        if label.shared:
            del self.fields["name"]
