"""Forms of the address book."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from webmail.mime.vcards import LARGEST_FILE
from webmail.models import Contact, ContactGroup
from webmail.services.contacts import Details

from .lines import BodyField, LineField

MOST_LINES = 20


class LinesField(BodyField):
    """One value a line; an error names the first that is none."""

    def __init__(self, *, longest: int, rows: int = 2, mails: bool = False, **options: Any) -> None:
        super().__init__(max_length=12_000, widget=forms.Textarea(attrs={"rows": rows}), **options)
        self.longest, self.mails = longest, mails

    def clean(self, value: Any) -> list[str]:
        lines = [line.strip() for line in str(super().clean(value)).replace("\r", "\n").split("\n")]
        kept = list(dict.fromkeys(line for line in lines if line))
        if len(kept) > MOST_LINES:
            raise ValidationError(_("At most %d lines.") % MOST_LINES)
        for line in kept:
            if len(line) > self.longest:
                raise ValidationError(_("“%s…” is too long.") % line[:40])
            if self.mails:
                self._check(line)
        return kept

    @staticmethod
    def _check(line: str) -> None:
        try:
            EmailValidator()(line)
        except ValidationError:
            raise ValidationError(_("“%s” is not an address. Correct or remove it.") % line[:60]) from None


if TYPE_CHECKING:
    _GroupChoice = forms.ModelMultipleChoiceField[ContactGroup]
else:  # generic for the type checker only
    _GroupChoice = forms.ModelMultipleChoiceField


class _Groups(_GroupChoice):
    def label_from_instance(self, obj: ContactGroup) -> str:
        return obj.name


class ContactForm(forms.Form):
    """Somebody in the address book; lists are typed one value a line."""

    name = LineField(label=_("Name"), required=False, max_length=200)
    mails = LinesField(label=_("Mail"), longest=320, mails=True)
    numbers = LinesField(label=_("Phone"), longest=60)
    organisation = LineField(label=_("Organisation"), required=False, max_length=200)
    role = LineField(label=_("Role"), required=False, max_length=200)
    addresses = LinesField(label=_("Address"), longest=300)
    groups = _Groups(
        queryset=ContactGroup.objects.none(), label=_("Groups"), required=False, widget=forms.CheckboxSelectMultiple
    )
    notes = BodyField(label=_("Notes"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}))
    seen = LineField(required=False, max_length=40, widget=forms.HiddenInput)  # the contact as the form showed it

    def __init__(self, data: Any = None, *, user: User, contact: Contact | None = None, initial: Any = None) -> None:
        self.contact = contact
        super().__init__(data, initial=initial or (_shown(contact) if contact else None))
        choice = self.fields["groups"]
        assert isinstance(choice, forms.ModelMultipleChoiceField)
        choice.queryset = ContactGroup.objects.filter(user=user, removed_at=None)
        if not choice.queryset:
            del self.fields["groups"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(cleaned.get(name) for name in ("name", "mails", "numbers", "organisation")):
            self.add_error("name", _("Give a name, an address or a number."))
        seen = cleaned.get("seen")
        if self.contact is not None and seen and seen != version(self.contact):
            if isinstance(self.data, QueryDict):
                self.data = self.data.copy()
                self.data["seen"] = version(self.contact)  # saving once more is meant
            was = _("It was changed meanwhile, on its server or in another window, and now says “%s”.")
            self.add_error(None, was % _in_words(self.contact))
            self.add_error(None, _("Nothing is saved yet. Save again to keep what is below."))
        return cleaned

    def details(self) -> Details:
        values = {name: value for name, value in self.cleaned_data.items() if name not in ("groups", "seen")}
        return Details(**values, groups=list(self.cleaned_data.get("groups", [])) if "groups" in self.fields else None)


class GroupForm(forms.Form):
    name = LineField(label=_("Name of the group"), max_length=100)


class ImportForm(forms.Form):
    """A file of contacts: vCard or CSV."""

    file = forms.FileField(label=_("File"), allow_empty_file=True)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("At most %d MB. Export a part at a time.") % (LARGEST_FILE // 2**20))
        return file


def version(contact: Contact) -> str:
    return contact.changed_at.isoformat()


def _in_words(contact: Contact) -> str:
    lists = (*contact.mails, *contact.numbers, *contact.addresses)
    return ", ".join(filter(None, (contact.name, contact.role, contact.organisation, *lists, contact.notes)))[:1_000]


def _shown(contact: Contact) -> dict[str, Any]:
    lists = {name: "\n".join(getattr(contact, name)) for name in ("mails", "numbers", "addresses")}
    words = {name: getattr(contact, name) for name in ("name", "organisation", "role", "notes")}
    return lists | words | {"seen": version(contact), "groups": [group.pk for group in contact.groups.all()]}
