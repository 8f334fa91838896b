from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Organisation
from accounts.queries.account_words import Pill
from accounts.services import administration

from .columns import pill
from .desk import Desk, actor
from .site import site


@admin.register(Organisation, site=site)
class OrganisationDesk(Desk[Organisation]):
    here = "organisations"
    note = gettext_lazy("People, servers and mail of one organisation never mix with another's.")
    list_display = ("name", "state", "people", "accounts")
    search_fields = ("name",)
    fields = ("name", "recipients_per_hour")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organisation]:
        counts = {"n_people": Count("users", distinct=True), "n_accounts": Count("mail_accounts", distinct=True)}
        return super().get_queryset(request).annotate(**counts)

    @admin.display(description=gettext_lazy("state"), ordering="suspended_at")
    def state(self, row: Organisation) -> SafeString:
        return pill(Pill(_("Suspended"), "danger", "lock") if row.suspended_at else Pill(_("Open"), "ok", "check"))

    @admin.display(description=gettext_lazy("people"), ordering="n_people")
    def people(self, row: Any) -> int:
        return int(row.n_people)

    @admin.display(description=gettext_lazy("accounts"), ordering="n_accounts")
    def accounts(self, row: Any) -> int:
        return int(row.n_accounts)

    def save_model(self, request: HttpRequest, obj: Organisation, form: "forms.ModelForm[Any]", change: bool) -> None:
        save = administration.change_organisation if change else administration.add_organisation
        save(actor(request), obj)
