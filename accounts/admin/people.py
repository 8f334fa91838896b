"""People: added with a password made here, deactivated, given a new password. Rights are never given in the panel."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts.models import User
from accounts.queries.account_words import Pill
from accounts.services import administration

from .columns import moment, pill, since
from .desk import Desk, actor
from .site import site

if TYPE_CHECKING:
    _PersonForm = forms.ModelForm[User]
else:
    _PersonForm = forms.ModelForm


class NewPerson(_PersonForm):
    """Who the new person is; the password is made by the service."""

    class Meta:
        model = User
        fields = ("email", "name", "organisation")

    def clean_email(self) -> str:
        address = str(self.cleaned_data["email"]).strip().lower()
        if User.objects.filter(email__iexact=address).exists():
            raise ValidationError(_("Somebody signs in with this address already."))
        return address


class Person(NewPerson):
    """A person who is here already; the organisation is the tenant and stays."""

    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        unchanged = str(self.cleaned_data["email"]).strip().lower() == self.instance.email
        return self.instance.email if unchanged else super().clean_email()


@admin.register(User, site=site)
class PersonDesk(Desk[User]):
    here = "people"
    note = gettext_lazy("Administrators are made on the server's command line, never here.")
    form = Person
    plural = gettext_lazy("People")
    list_display = ("email", "name", "organisation", "standing", "seen")
    list_filter = ("organisation", "is_active", "is_staff")
    search_fields = ("email", "name")
    list_select_related = ("organisation",)
    readonly_fields = ("standing", "organisation", "seen", "joined", "password_standing")
    fieldsets = (
        (gettext_lazy("Person"), {"fields": ("email", "name")}),
        (
            gettext_lazy("Sign-in"),
            {
                "fields": ("standing", "organisation", "seen", "joined", "password_standing"),
                "classes": ["facts"],
            },
        ),
    )

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, row: User) -> SafeString:
        if not row.is_active:
            return pill(Pill(_("No sign-in"), "danger", "lock"))
        if row.is_staff and row.is_superuser:
            return pill(Pill(_("Administrator"), "ok", "shield"))
        return pill(Pill(_("May sign in"), "", "check"))

    @admin.display(description=gettext_lazy("last seen"), ordering="last_seen_at")
    def seen(self, row: User) -> SafeString:
        return since(row.last_seen_at, none=_("never"))

    @admin.display(description=gettext_lazy("here since"), ordering="date_joined")
    def joined(self, row: User) -> SafeString:
        return moment(row.date_joined)

    @admin.display(description=gettext_lazy("password"), ordering="must_change_password")
    def password_standing(self, row: User) -> str:
        return _("to be changed at the next sign-in") if row.must_change_password else _("chosen by themselves")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.reset_password_view)
        return [path("<int:pk>/password/", view, name="accounts_user_password"), *super().get_urls()]

    @sensitive_variables("password")
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Asks who it is; then shows the password made for them, this once."""
        form = NewPerson(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            context = self._context(request, None, form=form, title=_("Add a person"))
            return render(request, "admin/person_add.html", context, status=422 if form.is_bound else 200)
        user, password = administration.add_person(
            actor(request),
            email=form.cleaned_data["email"],
            name=form.cleaned_data["name"],
            organisation=form.cleaned_data["organisation"],
        )
        return self._show_once(request, user, password)

    @sensitive_variables("password")
    def reset_password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks first; by POST makes a password and shows it, this once."""
        user = self._row(str(pk))
        if request.method != "POST" or user.pk == actor(request).pk:
            own = user.pk == actor(request).pk
            context = self._context(request, user, title=_("Reset the sign-in password"), own=own)
            return render(request, "admin/password_ask.html", context)
        password = administration.reset_password(actor(request), user.pk)
        return self._show_once(request, user, password or "")

    def save_model(self, request: HttpRequest, obj: User, form: "forms.ModelForm[Any]", change: bool) -> None:
        administration.change_person(actor(request), obj)

    @sensitive_variables("password")
    def _show_once(self, request: HttpRequest, user: User, password: str) -> HttpResponse:
        """The only page that ever holds it: kept by no cache, in no session and in no message."""
        context = self._context(request, user, password=password, title=_("A password, shown once"))
        response = render(request, "admin/password_shown.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response
