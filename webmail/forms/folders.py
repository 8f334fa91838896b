"""Names of folders, as people type them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .lines import LineField


def _name_field() -> LineField:
    return LineField(label=_("Name"), max_length=250)


class NewFolderForm(forms.Form):
    """A name, and the folder it goes into; the top without one."""

    name = _name_field()
    parent = forms.ChoiceField(label=_("Within"), required=False)

    def __init__(self, data: Any = None, *, parents: list[tuple[str, str]]) -> None:
        super().__init__(data)
        self.fields["parent"] = forms.ChoiceField(
            label=_("Within"), required=False, choices=[("", _("No other folder")), *parents]
        )


class RenameFolderForm(forms.Form):
    """The new name; a special folder only with the word that its owner knows."""

    name = _name_field()

    def __init__(self, data: Any = None, *, now: str, special: str) -> None:
        super().__init__(data, initial={"name": now})
        if special:
            self.fields["sure"] = forms.BooleanField(
                label=_("Rename it although it serves as %s") % special,
                error_messages={"required": _("Say that you mean this folder.")},
            )
