"""Reading a conversation, and the frame of each of its messages."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET

from webmail.jobs import Job, enqueue
from webmail.queries import access, frames, reading
from webmail.queries.remote_images import shown_once
from webmail.render import headers

from .files import showable, stored, with_own_policy
from .framing import framed, nothing
from .htmx import page
from .lists import LIST, mailbox_context, person, signed_in

_MOST_WANTED = 40  # bodies asked for when a conversation opens, those in view first


@login_required
def thread(
    request: HttpRequest, account_id: int, mailbox_id: int, thread_id: int, message_id: int | None = None
) -> HttpResponse:
    """A conversation, or with ``message_id`` one message of it alone."""
    user = signed_in(request)
    box = access.shown_mailbox(user, mailbox_id, account_id)
    found = access.thread(user, thread_id)
    if found.pk != thread_id:
        place = [account_id, mailbox_id, found.pk, *([message_id] if message_id else [])]
        return HttpResponseRedirect(reverse("mail:single" if message_id else "mail:thread", args=place))
    once = shown_once(user, request.GET.getlist("shown"))
    conversation = reading.conversation(user, found, box, only=message_id, once=once)
    if not conversation.messages:
        raise Http404
    missing = [message for message in conversation.messages if message.body_state == "fetching"]
    _want([message.id for message in sorted(missing, key=lambda message: message.folded)[:_MOST_WANTED]])
    context = {"thread": conversation, "person": person(user)}
    htmx = getattr(request, "htmx", None)
    if htmx and not htmx.history_restore_request:
        context |= {"mailbox": {"id": box.pk, "name": box.name, "role": box.role, "account_id": box.account_id}}
    else:
        context |= mailbox_context(request, box, selected=conversation.key)
    return page(request, LIST, context, region="reading")


@xframe_options_exempt
@require_GET
def frame(request: HttpRequest, token: str) -> HttpResponse:
    """A message as a document of its own, under its own policy; opened by its token, never by a session."""
    claim = reading.read_frame_token(token)
    found = frames.body(claim["u"], claim["m"], remote=bool(claim["r"])) if claim else None
    if claim is None or found is None:
        return nothing(request)
    return framed(request, found, remote=bool(claim["r"]), dark=request.GET.get("ground") == "dark")


@xframe_options_exempt
@require_GET
def inline_part(request: HttpRequest, token: str, path: str) -> StreamingHttpResponse:
    """A picture inside a message's text, by the same token as the text."""
    claim = reading.read_frame_token(token)
    found = frames.part(claim["u"], claim["m"], path) if claim else None
    if found is None or found.content_type not in headers.PICTURES or not found.digest or not showable(found):
        raise Http404
    response = stored(request, found.account_id, found.digest)
    own = headers.download_headers(found.filename, found.content_type, inline=True)
    return with_own_policy(response, own | {"Cross-Origin-Resource-Policy": "cross-origin"})


def _want(message_ids: list[int]) -> None:
    for message_id in message_ids:
        enqueue(Job.FETCH_BODY, message_id)
