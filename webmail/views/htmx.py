"""One address, one view: the whole page for a visit, the region alone for htmx. The view names the region."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import trigger_client_event


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, region: str = "", status: int = 200
) -> HttpResponse:
    """``template`` whole, or its partial ``region`` when htmx asks (and not for a history restore)."""
    htmx = getattr(request, "htmx", None)
    partial = bool(region) and bool(htmx and not htmx.history_restore_request)
    response = render(request, f"{template}#{region}" if partial else template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def toast(response: HttpResponse, text: str, *, undo_url: str = "", seconds: int = 10) -> HttpResponse:
    """Lets the open page show a toast, with an Undo when there is one."""
    params = {"text": text, "undo_url": undo_url, "seconds": seconds}
    return trigger_client_event(response, "toast", params)
