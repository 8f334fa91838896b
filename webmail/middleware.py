"""What every response and every request of a person share."""

import gzip
import re
import secrets
import time
import zoneinfo
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

Respond = Callable[[HttpRequest], HttpResponse]

# Frames and the pictures in them: their signed address says whose they are, so nobody's session is read for them.
_SIGNED = re.compile(r"/m/[^/]+/(?:c/.*)?\Z|/i/")
_FNAME = 8  # the flag of a gzip header that a name follows it
_PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"


class ResponseHeaders:
    """Headers that Django has no setting for; pages with mail on them are kept by no cache. Notes when it was asked."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["ASKED_MS"] = int(time.time() * 1000)  # by our clock, for what happens while a page is on its way
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class Compression:
    """Pages by gzip (RFC 1952), each a little longer by chance, which is Django's answer to BREACH.

    Django's own takes level 6: twice the time for a twentieth of the size. What streams is sent as it is.
    """

    LEVEL = 4
    WORTH = 200  # octets below which nothing is gained
    PADDING = 100  # octets at most; they stand where the format has room for a file's name

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.streaming or len(response.content) < self.WORTH or response.has_header("Content-Encoding"):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if not accepts_gzip(request.headers.get("Accept-Encoding", "")):
            return response
        packed = self._packed(response.content)
        if len(packed) < len(response.content):
            response.content = packed
            response.headers["Content-Encoding"] = "gzip"
            if response.headers.get("Content-Length"):
                response.headers["Content-Length"] = str(len(packed))
            if response.headers.get("ETag", "").startswith('"'):  # the octets differ, what they mean does not
                response.headers["ETag"] = "W/" + response.headers["ETag"]
        return response

    def _packed(self, content: bytes) -> bytes:
        packed = gzip.compress(content, compresslevel=self.LEVEL, mtime=0)
        name = b"n" * secrets.randbelow(self.PADDING) + b"\0"
        return packed[:3] + bytes([_FNAME]) + packed[4:10] + name + packed[10:]


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding names gzip and does not refuse it (RFC 9110 section 12.5.3)."""
    for offer in header.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" if weight else True
    return False


class PersonalSettings:
    """Renders pages in the person's language and time zone."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _SIGNED.match(request.path):
            return self.get_response(request)
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        try:
            zone = zoneinfo.ZoneInfo(user.time_zone)
        except (ValueError, zoneinfo.ZoneInfoNotFoundError):
            zone = zoneinfo.ZoneInfo("UTC")
        with timezone.override(zone), translation.override(user.language):
            return self.get_response(request)


class SignInAgain:
    """Leads to signing in as a page, when the session has ended under an open one.

    A region would otherwise show the form where mail stood, and an action would look done. After signing in it goes on
    with what was open, never with an address that only takes posts.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        sign_in = reverse("mail:signin")
        asked_to = response.status_code == 302 and response.headers["Location"].startswith(f"{sign_in}?")
        if not asked_to:  # signing out leads there too, without naming a place to go back to
            return response
        if request.headers.get("HX-Request"):
            shown = urlsplit(request.headers.get("HX-Current-URL", ""))
            place = urlencode({"next": shown._replace(scheme="", netloc="", fragment="").geturl() or "/"})
            return HttpResponse(status=204, headers={"HX-Redirect": f"{sign_in}?{place}"})
        return response if request.method in ("GET", "HEAD") else HttpResponseRedirect(sign_in)


class PasswordChangeRequired:
    """Somebody who was given a password chooses their own before anything else."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _SIGNED.match(request.path):
            return self.get_response(request)
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
