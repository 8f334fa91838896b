"""A text to begin messages with."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from webmail.mime.html_text import html_to_text
from webmail.models import TextTemplate
from webmail.render.compose import clean_for_editor, plain_lines

from .composing import same_text
from .lines import BodyField, LineField

MOST = 200


class TemplateForm(forms.Form):
    """``html`` comes from the editor, where there is scripting, and leads; else ``text`` is what was typed."""

    name = LineField(label=_("Name"), max_length=100)
    subject = LineField(label=_("Subject"), required=False, max_length=500)
    text = BodyField(label=_("Text"), max_length=100_000, widget=forms.Textarea(attrs={"rows": 8}))
    html = BodyField(max_length=400_000, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, user: User, template: TextTemplate | None = None) -> None:
        shown = {name: getattr(template, name) for name in ("name", "subject", "html")} if template else {}
        super().__init__(data, initial=shown | ({"text": html_to_text(template.html)} if template else {}))
        self.user, self.template = user, template

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = TextTemplate.objects.filter(user=self.user, removed_at=None)
        if self.template is not None:
            others = others.exclude(pk=self.template.pk)
        if others.filter(name=name).exists():
            raise ValidationError(_("Another template has this name."))
        if others.count() >= MOST:
            raise ValidationError(_("There are %d templates already. Remove one first.") % MOST)
        return name

    def values(self) -> dict[str, str]:
        """The columns. Without scripting a rich text stays rich unless it was changed."""
        html, text = self.cleaned_data.get("html", ""), self.cleaned_data.get("text", "")
        if not html and self.template is not None and same_text(text, html_to_text(self.template.html)):
            html = self.template.html
        kept = clean_for_editor(html) if html else plain_lines(text)
        return {"name": self.cleaned_data["name"], "subject": self.cleaned_data["subject"], "html": kept}
