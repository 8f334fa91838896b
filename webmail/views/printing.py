"""A message on paper, through the same door as its frame: by its token, under a policy of its own."""

import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from webmail.queries import printing, reading
from webmail.render.print_document import print_document, print_headers


@require_GET
def printed(request: HttpRequest, token: str) -> HttpResponse:
    """A document for the browser's print dialog; pictures of the message lie beside it, below the frame's address."""
    claim = reading.read_frame_token(token)
    sheet = printing.sheet(claim["u"], claim["m"], remote=bool(claim["r"])) if claim else None
    if claim is None or sheet is None:
        raise Http404
    nonce = secrets.token_urlsafe(16)
    here = f"{request.scheme}://{request.get_host()}"
    response = HttpResponse(
        print_document(
            sheet.clean,
            subject=sheet.subject,
            lines=sheet.lines,
            nonce=nonce,
            lang=sheet.language,
            direction=sheet.direction,
        )
    )
    own = print_headers(
        nonce=nonce,
        app_origin=settings.SITE_URL if settings.CONTENT_ORIGIN else here,
        content_origin=settings.CONTENT_ORIGIN or here,
        remote=bool(claim["r"]),
        path=request.path.rpartition("/")[0],
    )
    for name, value in own.items():
        response.headers[name] = value
    return response
