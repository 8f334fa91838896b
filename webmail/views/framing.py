"""A cleaned body as the document of a frame, with the headers that belong to it."""

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from webmail.queries.frames import FrameBody
from webmail.render import document, headers

from .files import with_own_policy

_THEMES: dict[str, document.Theme] = {"light": "light", "dark": "dark"}


def framed(request: HttpRequest, found: FrameBody, *, remote: bool, dark: bool = False) -> HttpResponse:
    """``remote`` lets it load pictures through the image proxy; ``dark`` takes designed mail off its paper."""
    nonce = secrets.token_urlsafe(16)
    # one host for both: whatever name it was asked by; a content host of its own: the app's fixed address
    here = f"{request.scheme}://{request.get_host()}"
    origin = settings.SITE_URL if settings.CONTENT_ORIGIN else here
    html = document.frame_document(
        found.clean,
        nonce=nonce,
        app_origin=origin,
        theme="dark" if dark else _THEMES.get(found.theme, "auto"),
        paper=found.paper and not dark,
        lang="",
        direction="auto",
    )
    response = HttpResponse(html)
    own = headers.frame_headers(
        nonce=nonce,
        app_origin=origin,
        content_origin=settings.CONTENT_ORIGIN or origin,
        remote=remote,
        path=request.path.rstrip("/"),
    )
    return with_own_policy(response, own)
