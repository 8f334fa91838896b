from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent
from accounts.queries import audit_words

from .columns import moment, since
from .desk import Desk
from .site import site


class Kind(admin.SimpleListFilter):
    """What the act was done to, by the first word of its code."""

    title = _("about")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("sign_in", _("Sign-ins")),
            ("account", _("Mail accounts")),
            ("person", _("People")),
            ("organisation", _("Organisations")),
            ("server", _("Mail servers")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(action__startswith=f"{self.value()}.") if self.value() else queryset


@admin.register(AuditEvent, site=site)
class TrailDesk(Desk[AuditEvent]):
    """Read only: rows are written by services and by nobody else."""

    here = "trail"
    note = _("Who did what to which account. Lines are only ever added.")
    list_display = ("what", "target", "by", "organisation", "detail", "ago", "when")
    list_filter = (Kind, "organisation")
    search_fields = ("target", "actor__email")
    list_select_related = ("actor", "organisation")
    fields = ("when", "what", "target", "by", "organisation", "detail")
    readonly_fields = fields
    show_full_result_count = False

    @admin.display(description=_("what"), ordering="action")
    def what(self, row: AuditEvent) -> str:
        return audit_words.words(row.action)

    @admin.display(description=_("who"), ordering="actor__email")
    def by(self, row: AuditEvent) -> str:
        return row.actor.email if row.actor else "—"

    @admin.display(description=_("ago"), ordering="at")
    def ago(self, row: AuditEvent) -> SafeString:
        return since(row.at)

    @admin.display(description=_("when"), ordering="at")
    def when(self, row: AuditEvent) -> SafeString:
        return moment(row.at)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        here = "sign-ins" if request.GET.get(Kind.parameter_name) == "sign_in" else self.here
        return super().changelist_view(request, {"here": here} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False
