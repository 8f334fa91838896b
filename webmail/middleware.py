"""What every response and every request of a person share."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation

Respond = Callable[[HttpRequest], HttpResponse]

_PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"


class ResponseHeaders:
    """Headers that Django has no setting for; pages with mail on them are kept by no cache."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class PersonalSettings:
    """Renders pages in the person's language and time zone."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        try:
            zone = zoneinfo.ZoneInfo(user.time_zone)
        except (ValueError, zoneinfo.ZoneInfoNotFoundError):
            zone = zoneinfo.ZoneInfo("UTC")
        with timezone.override(zone), translation.override(user.language):
            return self.get_response(request)


class PasswordChangeRequired:
    """Somebody who was given a password chooses their own before anything else."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated or not user.must_change_password or self._open(request.path):
            return self.get_response(request)
        place = reverse("mail:password")
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": place})
        return HttpResponseRedirect(place)

    @staticmethod
    def _open(path: str) -> bool:
        return path in (reverse("mail:password"), reverse("mail:signout"), reverse("healthz"))
