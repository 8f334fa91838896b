"""Fields whose text becomes part of a header: one line each, or an error beside the field (security S25)."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_BREAKS = re.compile(r"[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """The text with every break made a space, to keep what was typed while its error is shown."""
    return _BREAKS.sub(" ", text).strip()


class LineField(forms.CharField):
    """A single line. A break inside is refused, never mended silently: it could begin another header."""

    default_error_messages = {"line_break": _("This is a single line. Take the line breaks out.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)
        self.widget.attrs.setdefault("autocomplete", "off")

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        if _BREAKS.search(text):
            raise ValidationError(self.error_messages["line_break"], code="line_break")
        return text.strip()


class BodyField(forms.CharField):
    """Text of many lines, kept as typed; NUL, which no text holds and no database takes, is dropped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, **options)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        return text.replace("\0", "").replace("\r\n", "\n")
