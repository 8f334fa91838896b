"""The panel's own site: for administrators only, and for everybody else it does not exist (404, sign-in page included).

Invariants: signing in and out happens at the application's pages, so the site has no such pages of its own; every view
passes ``admin_view``; an administrator is staff and superuser at once.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.queries import overview as figures

from . import overview

View = Callable[..., HttpResponseBase]


class AdministrationSite(admin.AdminSite):
    site_title = _("Mailroom Admin")
    site_header = _("Mailroom Admin")
    empty_value_display = "—"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.is_active and user.is_staff and user.is_superuser

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]  # stubs' type variable
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_permission(request):
                raise Http404
            return guarded(request, *args, **kwargs)

        return inner

    def get_urls(self) -> list[URLPattern | URLResolver]:
        models: list[URLPattern | URLResolver] = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(desk.urls))
            for model, desk in self._registry.items()
        ]
        return [
            path("", self.admin_view(self.index), name="index"),
            path("find/", self.admin_view(self.find), name="find"),
            *models,
            re_path(r"(?P<url>.*)$", self.admin_view(self.catch_all_view)),
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        return []  # the rail is the panel's own

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"rail": figures.rail()}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return overview.show(request, self.each_context(request))

    def find(self, request: HttpRequest) -> HttpResponse:
        return overview.find(request, self.each_context(request))


site = AdministrationSite(name="admin")
