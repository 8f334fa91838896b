"""Reading a conversation, and what belongs to one message: its frame, source and attachments."""

import secrets
import time
from typing import IO, TypeVar, cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET

from accounts.models import User
from webmail import storage
from webmail.jobs import Job, enqueue
from webmail.models import Message
from webmail.queries import access, frames, reading
from webmail.queries.remote_images import shown_once
from webmail.render import document, headers

from .htmx import page
from .lists import LIST, mailbox_context, person, signed_in
from .streaming import file_response

Answer = TypeVar("Answer", HttpResponse, StreamingHttpResponse)
_MOST_WANTED = 40  # bodies asked for when a conversation opens, those in view first
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_THEMES: dict[str, document.Theme] = {"light": "light", "dark": "dark"}
_WAIT_SECONDS = 3.0  # how long a request waits for an attachment that a worker is fetching


@login_required
def thread(request: HttpRequest, account_id: int, mailbox_id: int, thread_id: int) -> HttpResponse:
    user = signed_in(request)
    box = access.mailbox(user, mailbox_id, account_id=account_id)
    found = access.thread(user, thread_id)
    if found.pk != thread_id:
        return HttpResponseRedirect(reverse("mail:thread", args=[account_id, mailbox_id, found.pk]))
    conversation = reading.conversation(user, found, box, once=shown_once(user, request.GET.getlist("shown")))
    if not conversation.messages:
        raise Http404
    missing = [message for message in conversation.messages if message.body_state == "fetching"]
    _want([message.id for message in sorted(missing, key=lambda message: message.folded)[:_MOST_WANTED]])
    context = {"thread": conversation, "person": person(user)}
    htmx = getattr(request, "htmx", None)
    if htmx and not htmx.history_restore_request:
        context |= {"mailbox": {"id": box.pk, "name": box.name, "role": box.role, "account_id": box.account_id}}
    else:
        context |= mailbox_context(request, box, thread_id=found.pk)
    return page(request, LIST, context, region="reading")


@xframe_options_exempt
@require_GET
def frame(request: HttpRequest, token: str) -> HttpResponse:
    """A message as a document of its own, under its own policy; opened by its token, never by a session."""
    claim = reading.read_frame_token(token)
    found = frames.body(claim["u"], claim["m"], remote=bool(claim["r"])) if claim else None
    if claim is None or found is None:
        raise Http404
    nonce = secrets.token_urlsafe(16)
    # one host for both: whatever name it was asked by; a content host of its own: the app's fixed address
    here = f"{request.scheme}://{request.get_host()}"
    origin = settings.SITE_URL if settings.CONTENT_ORIGIN else here
    html = document.frame_document(
        found.clean,
        nonce=nonce,
        app_origin=origin,
        theme=_THEMES.get(found.theme, "auto"),
        paper=found.paper,
        lang="",
        direction="auto",
    )
    response = HttpResponse(html)
    own = headers.frame_headers(
        nonce=nonce,
        app_origin=origin,
        content_origin=settings.CONTENT_ORIGIN or origin,
        remote=bool(claim["r"]),
        path=request.path.rstrip("/"),
    )
    return _with_own_policy(response, own)


@xframe_options_exempt
@require_GET
def inline_part(request: HttpRequest, token: str, path: str) -> StreamingHttpResponse:
    """A picture inside a message's text, by the same token as the text."""
    claim = reading.read_frame_token(token)
    found = frames.part(claim["u"], claim["m"], path) if claim else None
    if found is None or found.content_type not in _PICTURES or not found.digest:
        raise Http404
    response = _stored(request, found.account_id, found.digest)
    own = headers.download_headers(found.filename, found.content_type, inline=True)
    return _with_own_policy(response, own | {"Cross-Origin-Resource-Policy": "cross-origin"})


@login_required
@require_GET
def source(request: HttpRequest, message_id: int) -> HttpResponse | StreamingHttpResponse:
    """The message as it was sent, as plain text that nothing interprets."""
    found = access.message(signed_in(request), message_id)
    if found.extra.get("not_downloaded"):
        raise Http404  # only its beginning is here, and no worker brings the rest unasked
    digest = _await_part(found, "", signed_in(request))
    if not digest:
        return _still_fetching(request)
    response = _stored(request, found.account_id, digest)
    as_file = "download" in request.GET
    kind = "message/rfc822" if as_file else "text/plain"
    name = f"message-{found.pk}.eml"
    return _with_own_policy(response, headers.download_headers(name, kind, inline=not as_file))


@login_required
@require_GET
def attachment(request: HttpRequest, message_id: int, path: str) -> HttpResponse | StreamingHttpResponse:
    """An attachment, streamed from storage; one that is still on the mail server is fetched by a worker first."""
    user = signed_in(request)
    found = access.message(user, message_id)
    part = frames.part(user.pk, message_id, path)
    if part is None:
        raise Http404
    digest = part.digest or _await_part(found, path, user)
    if not digest:
        return _still_fetching(request)
    response = _stored(request, found.account_id, digest)
    inline = "inline" in request.GET
    return _with_own_policy(response, headers.download_headers(part.filename, part.content_type, inline=inline))


def _want(message_ids: list[int]) -> None:
    for message_id in message_ids:
        enqueue(Job.FETCH_BODY, message_id)


def _await_part(found: Message, path: str, user: User) -> str:
    """The digest of a part once it is in storage (``path`` "" is the whole message), or "" when it takes longer."""
    digest = frames.digest(user.pk, found.pk, path)
    if digest:
        return digest
    enqueue(Job.FETCH_PART, found.pk, path)
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        time.sleep(0.05)
        digest = frames.digest(user.pk, found.pk, path)
        if digest:
            return digest
    return ""


def _still_fetching(request: HttpRequest) -> HttpResponse:
    response = render(request, "mail/fetching.html", {"person": person(signed_in(request))}, status=202)
    response.headers["Refresh"] = "2"
    return response


def _stored(request: HttpRequest, account_id: int, digest: str) -> StreamingHttpResponse:
    file = storage.open_file(account_id, digest)
    return file_response(request, cast(IO[bytes], file), size=file.size)


def _with_own_policy(response: Answer, own: dict[str, str]) -> Answer:
    """Mail's bytes go out under the headers that belong to them, not under the app's."""
    for name, value in own.items():
        response.headers[name] = value
    return response
