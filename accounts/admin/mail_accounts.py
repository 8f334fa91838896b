"""Mail accounts: how each is doing in words, what to do about it, and which servers it uses. Never its mail."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import AuditEvent, Identity, MailAccount, MailServer
from accounts.queries import account_words
from accounts.services import administration

from .columns import moment, pill, since, words_of_server
from .desk import Desk, actor
from .site import site

State = MailAccount.State
if TYPE_CHECKING:
    _ServersForm = forms.ModelForm[MailAccount]
else:
    _ServersForm = forms.ModelForm


class ServersForm(_ServersForm):
    """Which servers the account uses: its organisation's or everybody's, of the right protocol."""

    class Meta:
        model = MailAccount
        fields = ("incoming", "outgoing")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        servers = MailServer.objects.filter(Q(organisation=self.instance.organisation_id) | Q(organisation=None))
        for name, protocol in (("incoming", self.instance.protocol), ("outgoing", "smtp")):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = servers.filter(protocol=protocol)


class StateFilter(admin.SimpleListFilter):
    """By state, in the operator's words."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, account_words.state_pill(state).words) for state in State.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[MailAccount]) -> QuerySet[MailAccount]:
        return queryset.filter(state=self.value()) if self.value() in State.values else queryset


@admin.register(MailAccount, site=site)
class AccountDesk(Desk[MailAccount]):
    here = "accounts"
    note = gettext_lazy("People add their accounts themselves: only they know the passwords.")
    form = ServersForm
    list_display = ("address", "organisation", "state_pill", "said", "since", "synced", "next_try")
    list_filter = (StateFilter, "organisation", "protocol")
    search_fields = ("address", "label", "user__email", "organisation__name", "incoming__host")
    list_select_related = ("organisation", "user", "incoming", "outgoing")
    readonly_fields = (
        "state_pill",
        "since",
        "synced",
        "why",
        "progress",
        "owner",
        "organisation",
        "username",
        "protocol",
        "pop_policy",
        "added",
    )
    fieldsets = (
        (
            gettext_lazy("How it is doing"),
            {"fields": ("state_pill", "since", "synced", "why", "progress"), "classes": ["facts"]},
        ),
        (
            gettext_lazy("Account"),
            {"fields": ("owner", "organisation", "username", "protocol", "added"), "classes": ["facts"]},
        ),
        (
            gettext_lazy("Servers"),
            {
                "fields": ("incoming", "outgoing"),
                "description": gettext_lazy("Its stored password is given to the servers chosen here."),
            },
        ),
    )

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_pill(self, row: MailAccount) -> SafeString:
        return pill(account_words.pill(row))

    @admin.display(description=gettext_lazy("what the server said"))
    def said(self, row: MailAccount) -> SafeString:
        return words_of_server(row.server_line, account_words.last_trouble(row))

    @admin.display(description=gettext_lazy("for"), ordering="state_since")
    def since(self, row: MailAccount) -> SafeString:
        return since(row.state_since)

    @admin.display(description=gettext_lazy("last sync"), ordering="last_sync_at")
    def synced(self, row: MailAccount) -> SafeString:
        if row.last_sync_at is None:
            return format_html("{}", _("never"))
        return format_html(_("{} ago"), since(row.last_sync_at))

    @admin.display(description=gettext_lazy("next try"), ordering="next_run_at")
    def next_try(self, row: MailAccount) -> SafeString:
        if row.stopped or row.organisation.suspended_at or not row.user.is_active:
            return format_html("{}", _("at rest"))
        ahead = row.next_run_at - timezone.now()
        if ahead.total_seconds() <= 0:
            return format_html(_("due for {}"), since(row.next_run_at))
        return format_html(_("in {}"), since(row.next_run_at))

    @admin.display(description=gettext_lazy("what comes next"))
    def why(self, row: MailAccount) -> str:
        resting = row.stopped or row.organisation.suspended_at or not row.user.is_active
        words = account_words.next_try(row)
        return words if row.state == State.PASSWORD_REFUSED or not resting else _("at rest")

    @admin.display(description=gettext_lazy("first fetch"))
    def progress(self, row: MailAccount) -> str:
        return account_words.fetching(row) or (_("done") if row.last_sync_at else _("not begun"))

    @admin.display(description=gettext_lazy("added"), ordering="created_at")
    def added(self, row: MailAccount) -> SafeString:
        return moment(row.created_at)

    @admin.display(description=gettext_lazy("owner"), ordering="user__email")
    def owner(self, row: MailAccount) -> str:
        return row.user.email

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def trail_of(self, row: MailAccount) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.filter(target=row.address, action__startswith="account.").select_related("actor")

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        account = self.get_object(request, object_id) if object_id else None
        more: dict[str, Any] = {}
        if account is not None:
            more["identities"] = Identity.objects.filter(account=account)
            if account.error_code and account.state != State.SUSPENDED:
                more |= {"trouble": account_words.trouble(account), "cure": account_words.cure(account)}
        return super().changeform_view(request, object_id, form_url, more | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: MailAccount, form: "forms.ModelForm[Any]", change: bool) -> None:
        administration.change_account_servers(actor(request), obj.pk, incoming=obj.incoming, outgoing=obj.outgoing)
