"""What a composer posts. Anything it does not name is ignored (security S44)."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Identity, User
from webmail.mime.html_text import html_to_text
from webmail.models import Draft
from webmail.queries import access
from webmail.queries.drafting import REMINDERS
from webmail.queries.people import MOST_TOGETHER
from webmail.services.drafts import Fields

from .lines import BodyField, LineField, one_line

FURTHEST = timedelta(days=366)
LONGEST_PEOPLE = 60_000
HEADERS = ("to", "cc", "bcc", "subject")


def own_address() -> "forms.ModelChoiceField[Identity]":
    """The address to write from; its choices are filled for the person who asks."""
    return forms.ModelChoiceField(
        queryset=Identity.objects.none(),
        label=_("From"),
        empty_label=None,
        error_messages={
            "required": _("Choose an address to write from."),
            "invalid_choice": _("You cannot write from that address. Choose one of yours."),
        },
    )


class PeopleField(LineField):
    """Whom to write to, as typed; more than a message may have by far is told so in people, not in letters."""

    def run_validators(self, value: str) -> None:
        if len(value) > LONGEST_PEOPLE:
            words = gettext("One message goes to at most %d recipients.")
            raise forms.ValidationError(words % MOST_TOGETHER, code="max_length")
        super().run_validators(value)


class ComposeForm(forms.Form):
    """The fields of a message being written; ``format`` says which of ``html`` and ``text`` was typed in."""

    identity = own_address()
    sender = LineField(required=False, max_length=254)
    to = PeopleField(label=_("To"), required=False)
    cc = PeopleField(label=_("Cc"), required=False)
    bcc = PeopleField(label=_("Bcc"), required=False)
    subject = LineField(label=_("Subject"), required=False, max_length=2_000)
    text = BodyField(label=_("Message"), widget=forms.Textarea)
    html = BodyField(widget=forms.HiddenInput)
    format = forms.ChoiceField(choices=(("html", ""), ("plain", "")), required=False)
    receipt = forms.BooleanField(required=False)
    report = forms.BooleanField(required=False)
    remind_days = forms.ChoiceField(choices=[(days, "") for days in REMINDERS], required=False)
    revision = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    mode = forms.ChoiceField(choices=Draft.Mode.choices, required=False)

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        choice = self.fields["identity"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = access.identities(user)

    def clean_revision(self) -> int:
        return self.cleaned_data.get("revision") or 0

    def clean_mode(self) -> str:
        return self.cleaned_data.get("mode") or Draft.Mode.NEW

    def typed(self, name: str) -> str:
        """A header's text as it may be shown and kept, refused or not."""
        return one_line(str(self.data.get(name, "")))

    def kept(self, draft: Draft | None) -> Fields:
        """What is saved. Without scripting only ``text`` comes; a rich draft stays rich unless its text was changed."""
        text, html = self.cleaned_data.get("text", ""), self.cleaned_data.get("html", "")
        rich = self.cleaned_data.get("format") == "html"
        if not rich and draft is not None and not draft.plain and same_text(text, html_to_text(draft.html)):
            rich, html = True, draft.html
        return Fields(
            identity=self.cleaned_data["identity"],
            sender=self.cleaned_data.get("sender", "").lower(),
            **{name: self.typed(name) for name in HEADERS},
            html=html if rich else "",
            text="" if rich else text,
            plain=not rich,
            receipt=self.cleaned_data.get("receipt", False),
            report=self.cleaned_data.get("report", False),
            remind_days=int(self.cleaned_data.get("remind_days") or 0),
        )


class RedirectForm(forms.Form):
    """To whom a message is sent on as it is."""

    identity = own_address()
    to = PeopleField(label=_("To"))

    def __init__(self, data: Any, *, user: User, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        choice = self.fields["identity"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = access.identities(user)
        choice.widget.attrs["class"] = "bare-select"


class SendTimeForm(forms.Form):
    """When a message is to leave, in the person's own time zone."""

    send_at = forms.DateTimeField(
        input_formats=["%Y-%m-%dT%H:%M"],
        error_messages={"required": _("Choose a day and a time."), "invalid": _("Choose a day and a time.")},
    )

    def clean_send_at(self) -> datetime:
        chosen: datetime = self.cleaned_data["send_at"]
        if chosen <= timezone.now():
            raise forms.ValidationError(_("That time has passed. Choose a later one."))
        if chosen > timezone.now() + FURTHEST:
            raise forms.ValidationError(_("That is more than a year ahead. Choose an earlier time."))
        return chosen


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but space at the ends of lines, which a form may change."""
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]
