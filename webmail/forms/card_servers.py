"""Forms about address book servers. Passwords are never printed back into a page."""

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import CardServer
from webmail.models import CardBook

from .accounts import password_field
from .lines import LineField

_DOMAIN = re.compile(r"(?:[^\s/@]{1,64}@)?(?=.{1,253}\Z)(?:[\w-]{1,63}\.)*[\w-]{1,63}(?::\d{1,5})?(?:/[!-~]*)?\Z")


class PlaceField(LineField):
    """An https address, a domain, or a mail address whose domain it is."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        if text.lower().startswith("http://"):
            raise ValidationError(_("Only https is used: the password would be readable on the way."))
        if "://" in text and not self._is_https(text):
            raise ValidationError(_("This is no https address."))
        if text and "://" not in text and not _DOMAIN.match(text):
            raise ValidationError(_("Type an https address, a domain, or your e-mail address."))
        return text

    @staticmethod
    def _is_https(text: str) -> bool:
        try:
            parts = urlsplit(text)
            return parts.scheme.lower() == "https" and bool(parts.hostname) and "@" not in parts.netloc
        except ValueError:
            return False


class SignInForm(forms.Form):
    """Where the address books are and what signs in there."""

    address = PlaceField(
        label=_("Server or e-mail address"),
        max_length=1000,
        help_text=_("Such as contacts.example.org, or your e-mail address; Mailroom finds the address books."),
    )
    username = LineField(
        label=_("User name"), required=False, max_length=254, help_text=_("Empty: the same as the e-mail address.")
    )
    password = password_field(_("Password"))

    def __init__(self, data: Any = None, *, server: CardServer | None = None, fixed: bool = False) -> None:
        super().__init__(data, initial={"address": server.address, "username": server.username} if server else None)
        if fixed:  # what was found there belongs to that address
            del self.fields["address"]
            self.fields["username"].required, self.fields["username"].help_text = True, ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        cleaned["username"] = cleaned.get("username") or cleaned.get("address", "")
        if not cleaned["username"] or "://" in cleaned["username"] or "/" in cleaned["username"]:
            self.add_error("username", _("Type the user name at this server."))
        elif ":" in cleaned["username"]:
            self.add_error("username", _("A user name for this kind of server has no colon."))
        return cleaned


class BooksForm(forms.Form):
    """Which address books are followed, and which one takes what is made here."""

    books = forms.TypedMultipleChoiceField(
        label=_("Address books"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )
    takes_new = forms.TypedChoiceField(label=_("New contacts go to"), coerce=int)
    also_here = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, books: list[CardBook], only_here: int) -> None:
        super().__init__(data)
        names = [(book.pk, book.name or _("Address book")) for book in books]
        chosen, takes = self.fields["books"], self.fields["takes_new"]
        assert isinstance(chosen, forms.TypedMultipleChoiceField)
        assert isinstance(takes, forms.TypedChoiceField)
        chosen.choices = names
        takes.choices = [
            (0, _("Mailroom only")),
            *(one for one, book in zip(names, books, strict=True) if book.writable),
        ]
        first = not any(book.chosen for book in books)  # a suggestion: one book is meant to be used
        self.initial = {
            "books": [book.pk for book in books if book.chosen or (first and len(books) == 1)],
            "takes_new": next((book.pk for book in books if book.takes_new), 0),
        }
        if first and len(books) == 1 and books[0].writable:
            self.initial["takes_new"] = books[0].pk
        words = ngettext(
            "Put the contact that is in Mailroom only there too",
            "Put the %d contacts that are in Mailroom only there too",
            only_here,
        )
        self.fields["also_here"].label = words % only_here if "%d" in words else words
        if not only_here:
            del self.fields["also_here"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        takes = cleaned.get("takes_new")
        if takes and takes not in cleaned.get("books", []):
            self.add_error("takes_new", _("Choose that address book as well."))
        return cleaned
