"""A cleaned body as the document of a frame, with the headers that belong to it."""

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext

from webmail.queries.frames import FrameBody
from webmail.render import document, headers
from webmail.render.values import CleanHtml

from .files import with_own_policy

_THEMES: dict[str, document.Theme] = {"light": "light", "dark": "dark"}


def framed(request: HttpRequest, found: FrameBody, *, remote: bool, dark: bool = False) -> HttpResponse:
    """``remote`` lets it load pictures through the image proxy; ``dark`` takes designed mail off its paper."""
    theme: document.Theme = "dark" if dark else _THEMES.get(found.theme, "auto")
    return _answer(request, found.clean, theme=theme, paper=found.paper and not dark, remote=remote)


def nothing(request: HttpRequest) -> HttpResponse:
    """What a frame says whose message has gone, or whose address has ended; the app's own pages may not be framed."""
    words = gettext("This text cannot be shown: the message is gone, or its page has been open for too long.")
    clean = CleanHtml(html=format_html("<p>{}</p>", words), stylesheet="", designed=False)
    return _answer(request, clean, theme="auto", paper=False, remote=False, status=404)


def _answer(
    request: HttpRequest, clean: CleanHtml, *, theme: document.Theme, paper: bool, remote: bool, status: int = 200
) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    # one host for both: whatever name it was asked by; a content host of its own: the app's fixed address
    here = f"{request.scheme}://{request.get_host()}"
    origin = settings.SITE_URL if settings.CONTENT_ORIGIN else here
    html = document.frame_document(
        clean, nonce=nonce, app_origin=origin, theme=theme, paper=paper, lang="", direction="auto"
    )
    own = headers.frame_headers(
        nonce=nonce,
        app_origin=origin,
        content_origin=settings.CONTENT_ORIGIN or origin,
        remote=remote,
        # pictures lie below it; an address that somebody made up does not belong in a policy
        path=request.path.rstrip("/") if status == 200 else "",
    )
    return with_own_policy(HttpResponse(html, status=status), own)
