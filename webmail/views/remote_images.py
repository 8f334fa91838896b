"""Pictures on other servers: the image proxy's answers, and what a person decides about them above a message."""

import time
from base64 import b64decode
from typing import IO, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from webmail import storage
from webmail.jobs import Job, enqueue
from webmail.models import Message
from webmail.queries import access, image_addresses
from webmail.queries import remote_images as reading
from webmail.queries.image_addresses import Claim
from webmail.queries.remote_images import Found
from webmail.render import pictures
from webmail.render.headers import picture_headers
from webmail.services import image_trust
from webmail.services.image_turns import may_fetch, turn
from webmail.services.mailboxes import NotPossible

from .acting import back_to, refused
from .lists import signed_in
from .settings import frame
from .streaming import file_response

WAIT_SECONDS = 15.0  # for a picture that a worker fetches, waiting for one's turn included
_PAUSES = (0.02, 0.2)  # seconds between two looks, at first and in the end

# One pixel of translucent grey, and one of nothing.
GREY = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNo6OiyAAAE6QHLRUCdjAAAAABJRU5ErkJggg==")
PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII=")


# --- the proxy -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET"])
def image(request: HttpRequest, token: str) -> HttpResponseBase:
    """One picture of one message, by its signed address. Whatever goes wrong looks the same: a grey pixel."""
    claim = image_addresses.read(token)
    found = reading.find(claim) if claim else None
    if claim is None or found is None:
        raise Http404
    if found.state == "wanted":
        found = _brought(claim)
    if found.state == "tracker":
        return _picture(PIXEL, kept=True)
    if found.state == "here":
        try:
            return _stored(request, found)
        except OSError:
            pass
    return _picture(GREY, kept=False)


def _brought(claim: Claim) -> Found:
    """Waits, in this request's own thread and with no connection to the database, until a worker is done with it."""
    _release_connection()
    ends = time.monotonic() + WAIT_SECONDS
    with turn(claim.user_id, WAIT_SECONDS) as mine:
        if not mine:
            return Found("failed")
        found = reading.find(claim)  # the same picture may have come meanwhile
        if found is None or found.state != "wanted":
            return found or Found("failed")
        if not may_fetch(claim.user_id) or not enqueue(Job.FETCH_IMAGE, claim.message_id, claim.key):
            return Found("failed")
        _release_connection()
        _wait(claim, ends)
    return reading.find(claim) or Found("failed")


def _release_connection() -> None:
    """There are few, and whoever waits for somebody's web server needs none."""
    if not connection.in_atomic_block:
        connection.close()


def _wait(claim: Claim, ends: float) -> None:
    name, (pause, longest) = reading.told(claim.message_id, claim.key), _PAUSES
    while time.monotonic() < ends and not cache.get(name):
        time.sleep(pause)
        pause = min(longest, pause * 1.3)


def _picture(data: bytes, *, kept: bool) -> HttpResponse:
    return HttpResponse(data, headers=picture_headers("image/png", kept=kept))


def _stored(request: HttpRequest, found: Found) -> StreamingHttpResponse:
    file = storage.open_name(found.file)
    response = file_response(request, cast(IO[bytes], file), size=found.size)
    for name, value in picture_headers(found.media_type, kept=True).items():
        response.headers[name] = value
    return response


# --- decisions -------------------------------------------------------------------------------------------------------


@login_required
@require_POST
def decide(request: HttpRequest, message_id: int) -> HttpResponse:
    """``do``: show (this once), hide (again), always or never (for the sender); then back to the page it stood on."""
    user = signed_in(request)
    message = access.message(user, message_id)
    do = request.POST.get("do")
    if do == "always":
        try:
            image_trust.trust(user, message)
        except NotPossible as error:
            return refused(request, error)
    elif do == "never":
        image_trust.forget(user, message.from_address)
    elif do not in ("show", "hide"):
        raise Http404
    if do in ("show", "always"):
        _read_again(message)
    return _back(request, user, message, shown=do == "show")


def _read_again(message: Message) -> None:
    """Content that was cleaned before pictures had places is brought anew; what is here stays until it came."""
    body = getattr(message, "body", None)
    if body is not None and body.remote_images and body.clean_version < pictures.SINCE_VERSION:
        enqueue(Job.FETCH_BODY, message.pk)


def _back(request: HttpRequest, user: User, message: Message, *, shown: bool) -> HttpResponseRedirect:
    """The page the form stood on; its address says which messages show their pictures this once."""
    leads = urlsplit(back_to(request).url)
    query = [pair for pair in parse_qsl(leads.query) if pair[0] != "shown"]
    tokens = reading.shown_once(user, [token for name, token in parse_qsl(leads.query) if name == "shown"])
    tokens.pop(message.pk, None)
    query += [("shown", token) for token in tokens.values()]
    if shown:
        query.append(("shown", reading.once_token(user, message.pk)))
    return HttpResponseRedirect(leads._replace(query=urlencode(query)).geturl())


# --- settings --------------------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def senders(request: HttpRequest) -> HttpResponse:
    """Those whose images are always shown; ``forget`` names one who is not to be any longer."""
    user = signed_in(request)
    if request.method == "POST":
        address = request.POST.get("forget", "")
        if image_trust.forget(user, address):
            undo = reverse("mail:image_sender_restore", args=[image_trust.undo_token(user, address)])
            messages.success(request, _("Images from %s are held back again") % address, extra_tags=undo)
        return HttpResponseRedirect(reverse("mail:image_senders"))
    context = frame(request, "images") | {"senders": reading.trusted_senders(user)}
    return render(request, "settings/image_senders.html", context)


@login_required
@require_POST
def restore(request: HttpRequest, token: str) -> HttpResponse:
    if not image_trust.restore(signed_in(request), token):
        raise Http404
    messages.success(request, _("Taken back"))
    return back_to(request, reverse("mail:image_senders"))
