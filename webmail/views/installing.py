"""Mailroom among the apps of a device: its manifest, mail links, and what other apps share with it."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from webmail.queries import composing, drafting

from .composing import show
from .lists import signed_in

_WORKER = Path(settings.BASE_DIR, "static/js/share_worker.js")


@require_GET
def manifest(request: HttpRequest) -> JsonResponse:
    """Web App Manifest; ``share_target`` names a form that the worker below answers on the device itself."""
    compose = reverse("mail:compose")
    described = {
        "name": "Mailroom",
        "short_name": "Mailroom",
        "description": _("Mail"),
        "id": "/",
        "start_url": reverse("mail:home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#f2f4f4",
        "theme_color": "#0a6370",
        "icons": [{"src": static("img/mark.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        "shortcuts": [{"name": _("New message"), "url": compose}],
        "protocol_handlers": [{"protocol": "mailto", "url": f"{compose}?mailto=%s"}],
        "share_target": {
            "action": reverse("mail:share"),
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {
                "title": "title",
                "text": "text",
                "url": "url",
                "files": [{"name": "files", "accept": ["*/*"]}],
            },
        },
    }
    return JsonResponse(described, content_type="application/manifest+json")


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The script that takes what is shared, below the only address it is for, and never older than the page."""
    return HttpResponse(_WORKER.read_bytes(), content_type="text/javascript", headers={"Cache-Control": "no-cache"})


@login_required
@require_GET
def share(request: HttpRequest) -> HttpResponse:
    """The composer that takes up what the worker kept. No form is taken here: files go up as those of any draft do."""
    user = signed_in(request)
    return show(request, drafting.of_opening(user, composing.blank(user)))
