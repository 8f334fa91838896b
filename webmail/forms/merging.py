"""A table of people to write to, and which of its columns names them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from webmail.mime.merge_tables import LARGEST_FILE, MOST_ROWS, MergeTable, NoTable, TooManyRows, read_merge_table
from webmail.models import MailMerge


class TableForm(forms.Form):
    """``cleaned_data["table"]`` is the table read."""

    table = forms.FileField(label=_("Table (.csv)"), allow_empty_file=True)

    def clean_table(self) -> MergeTable:
        file = self.cleaned_data["table"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("At most %d MB.") % (LARGEST_FILE // 2**20))
        try:
            return read_merge_table(file.read())
        except TooManyRows:
            raise ValidationError(_("At most %d rows. Send them in parts.") % MOST_ROWS) from None
        except NoTable:
            raise ValidationError(
                _("This is no table with a line of titles and rows below it. Save it as CSV and choose it again.")
            ) from None


class ColumnForm(forms.Form):
    """Which column holds the addresses, by its number."""

    column = forms.TypedChoiceField(label=_("Addresses are in"), coerce=int)

    def __init__(self, data: Any = None, *, merge: MailMerge) -> None:
        super().__init__(data, initial={"column": merge.address_column})
        field = self.fields["column"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = list(enumerate(merge.columns))
