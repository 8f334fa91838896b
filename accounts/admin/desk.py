"""What the panel's model pages share: plain forms without scripts, intents as buttons and list actions, one trail."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Field, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.models import AuditEvent, User
from accounts.queries import audit_words

from .intents import BY_MODEL, Intent

Row = TypeVar("Row", bound=Model)
if TYPE_CHECKING:

    class _ModelAdmin(admin.ModelAdmin[Row]): ...
else:

    class _ModelAdmin(admin.ModelAdmin, Generic[Row]): ...


def actor(request: HttpRequest) -> User:
    """The administrator; ``admin_view`` let nobody else through."""
    assert isinstance(request.user, User)
    return request.user


class Desk(_ModelAdmin[Row]):
    """A model's pages. Rows are never deleted through it unless a subclass says so; intents come by model."""

    here = ""  # the rail's item
    plural: Promise | str = ""  # the list's title, where it is not the model's own
    note: Promise | str = ""  # a sentence under the title of the list
    list_per_page = 50
    actions_on_bottom = False
    view_on_site = False

    @property
    def intents(self) -> dict[str, Intent]:
        return BY_MODEL.get(self.model, {})

    @property
    def heading(self) -> str:
        return capfirst(str(self.plural or self.opts.verbose_name_plural))

    @property
    def media(self) -> forms.Media:
        return forms.Media()

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget  # its buttons open windows and need scripts
        return field

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def trail_of(self, row: Row) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.filter(target=str(row)).select_related("actor")

    # one trail: accounts.services writes it, so Django's own log stays empty
    def log_addition(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its result is unused
        return None

    def log_change(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its result is unused
        return None

    def log_deletions(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its result is unused
        return None

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What was done to the row, the newest first."""
        row = self._row(object_id)
        lines = [(event, audit_words.words(event.action)) for event in self.trail_of(row)[:200]]
        return render(request, "admin/history.html", self._context(request, row, lines=lines, title=_("Audit trail")))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("<int:pk>/act/<slug:name>/", view, name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Carries an intent out by POST; anything else, and one that asks first, gets the question."""
        intent = self.intents.get(name)
        if intent is None:
            raise Http404
        row = self._row(str(pk))
        back = self._back(request, row)
        if request.method != "POST" or (intent.question and "sure" not in request.POST):
            return render(
                request,
                "admin/confirm.html",
                self._context(request, row, intent=intent, rows=[row], back=back, title=intent.label),
            )
        self._carry_out(request, intent, [row])
        return HttpResponseRedirect(back)

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable[..., Any], str, str] | None]:
        return {name: (_action(intent), name, str(intent.label)) for name, intent in self.intents.items()}

    def act_on_all(self, request: HttpRequest, intent: Intent, rows: Iterable[Row]) -> HttpResponse | None:
        """A list's action: the question first where there is one, then the intent on each row."""
        chosen = list(rows)
        if intent.question and "sure" not in request.POST:
            context = self._context(request, None, intent=intent, rows=chosen, back=request.get_full_path())
            return render(request, "admin/confirm.html", context | {"title": intent.label, "action": intent.name})
        self._carry_out(request, intent, chosen)
        return None

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        more: dict[str, Any] = {"here": self.here, "heading": self.heading}
        more |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        if object_id is not None:
            row = self.get_object(request, object_id)
            offered = [intent for intent in self.intents.values() if row is not None and intent.fits(row)]
            more |= {"intents": offered, "subtitle": None}
        return super().changeform_view(request, object_id, form_url, more | (extra_context or {}))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        more = {"here": self.here, "note": self.note, "title": self.heading}
        return super().changelist_view(request, more | (extra_context or {}))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        return super().delete_view(request, object_id, {"here": self.here} | (extra_context or {}))

    def _carry_out(self, request: HttpRequest, intent: Intent, rows: Iterable[Row]) -> None:
        for row in rows:
            if intent.do(actor(request), row.pk):
                messages.success(request, str(intent.done) % row)
            else:
                messages.warning(request, str(intent.refused) % row)

    def _row(self, object_id: str) -> Row:
        if not object_id.isdecimal() or len(object_id) > 18:
            raise Http404
        return get_object_or_404(self.get_queryset(self._anonymous()), pk=int(object_id))

    def _anonymous(self) -> HttpRequest:
        return HttpRequest()  # rows are chosen by model alone, never by who asks

    def _back(self, request: HttpRequest, row: Row) -> str:
        """The panel's page that the button stood on, else the row's own."""
        wanted = request.POST.get("next", "")
        safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
        if safe and wanted.startswith(reverse("admin:index")):
            return wanted
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def _context(self, request: HttpRequest, row: Row | None, **more: Any) -> dict[str, Any]:
        shared = {"opts": self.opts, "here": self.here, "row": row}
        return self.admin_site.each_context(request) | shared | more


def _action(intent: Intent) -> Callable[[Desk[Any], HttpRequest, QuerySet[Any]], HttpResponse | None]:
    def run(desk: Desk[Any], request: HttpRequest, rows: "QuerySet[Any]") -> HttpResponse | None:
        return desk.act_on_all(request, intent, rows)

    return run
