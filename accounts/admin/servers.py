import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import MailAccount, MailServer
from accounts.queries.account_words import Pill
from accounts.services import administration

from .columns import pill
from .desk import Desk, actor
from .site import site

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END CERTIFICATE-----")
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*|[0-9a-f:]*:[0-9a-f:]*"
)
if TYPE_CHECKING:
    _ServerForm = forms.ModelForm[MailServer]
else:
    _ServerForm = forms.ModelForm


class ServerForm(_ServerForm):
    """A server as an administrator writes it down; host and domains are kept in lower case."""

    class Meta:
        model = MailServer
        fields = (
            "organisation",
            "protocol",
            "host",
            "port",
            "security",
            "trusted",
            "ca_certificates",
            "domains",
            "authentication_names",
            "max_connections",
            "host_connections",
        )
        widgets = {"ca_certificates": forms.Textarea(attrs={"rows": 5, "class": "mono", "spellcheck": "false"})}

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().rstrip(".").lower()
        if not _HOST.fullmatch(host):
            raise ValidationError(_("Write the server's name or address alone, as in imap.example.org."))
        return host

    def clean_domains(self) -> list[str]:
        return sorted({str(domain).strip().lower() for domain in self.cleaned_data["domains"] if str(domain).strip()})

    def clean_authentication_names(self) -> list[str]:
        names = {str(name).strip().rstrip(".").lower() for name in self.cleaned_data["authentication_names"]} - {""}
        for name in names:
            if not _HOST.fullmatch(name.removeprefix(".")) or (name[0] == "." and name.count(".") < 2):
                raise ValidationError(_("Write names alone, with commas between them, as in mx.example.org."))
        return sorted(names)

    def clean_ca_certificates(self) -> str:
        text = str(self.cleaned_data["ca_certificates"]).strip()
        if text and (not _PEM.search(text) or _PEM.sub("", text).strip()):
            raise ValidationError(_("Paste certificates in PEM form, and nothing beside them: no private key."))
        for body in _PEM.findall(text):
            try:
                base64.b64decode("".join(body.split()), validate=True)
            except binascii.Error:
                raise ValidationError(_("This certificate is incomplete.")) from None
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("ca_certificates") and not cleaned.get("trusted"):
            self.add_error("trusted", _("Only a server named by an administrator may bring its own authority."))
        return cleaned


@admin.register(MailServer, site=site)
class ServerDesk(Desk[MailServer]):
    here = "servers"
    note = gettext_lazy("People whose address is in a server's domains are set up with it without being asked.")
    form = ServerForm
    list_display = ("server", "organisation_name", "security", "standing", "domain_names", "used_by")
    list_filter = ("protocol", "trusted")
    search_fields = ("host", "organisation__name")
    list_select_related = ("organisation",)
    fieldsets = (
        (gettext_lazy("Where it is"), {"fields": ("organisation", "protocol", "host", "port", "security")}),
        (gettext_lazy("How far it is trusted"), {"fields": ("trusted", "ca_certificates", "authentication_names")}),
        (gettext_lazy("Who uses it"), {"fields": ("domains", "max_connections", "host_connections")}),
    )

    @admin.display(description=gettext_lazy("server"), ordering="host")
    def server(self, row: MailServer) -> str:
        return str(row)

    @admin.display(description=gettext_lazy("organisation"), ordering="organisation__name")
    def organisation_name(self, row: MailServer) -> str:
        return row.organisation.name if row.organisation else _("Everybody")

    @admin.display(description=gettext_lazy("standing"), ordering="trusted")
    def standing(self, row: MailServer) -> SafeString:
        named = Pill(_("Named by an administrator"), "ok", "shield")
        return pill(named if row.trusted else Pill(_("Typed by a person"), "", "user"))

    @admin.display(description=gettext_lazy("mail domains"))
    def domain_names(self, row: MailServer) -> SafeString:
        names = ", ".join(row.domains)
        return format_html('<span class="cut narrow" title="{}">{}</span>', names, names or "—")

    @admin.display(description=gettext_lazy("accounts"))
    def used_by(self, row: Any) -> int:
        return int(row.n_in) + int(row.n_out)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MailServer]:
        return super().get_queryset(request).annotate(n_in=_uses("incoming"), n_out=_uses("outgoing"))

    def has_delete_permission(self, request: HttpRequest, obj: MailServer | None = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: MailServer, form: "forms.ModelForm[Any]", change: bool) -> None:
        save = administration.change_server if change else administration.add_server
        save(actor(request), obj)

    def delete_model(self, request: HttpRequest, obj: MailServer) -> None:
        administration.remove_server(actor(request), obj)


def _uses(side: str) -> Coalesce:
    counts = MailAccount.objects.filter(**{side: OuterRef("pk")}).order_by().values(side).annotate(n=Count("pk"))
    return Coalesce(Subquery(counts.values("n")), 0)
