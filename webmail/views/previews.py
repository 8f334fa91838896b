"""Attachments looked at on a page of their own, which works without scripting, and what such a page shows by token."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET

from webmail.jobs import Job, enqueue
from webmail.queries import access, frames, previews
from webmail.render import headers

from .arriving import fetched_or_page, until, waiting_page
from .files import Response, showable, stored, with_own_policy
from .framing import framed
from .lists import person, signed_in


@login_required
@require_GET
def preview(request: HttpRequest, message_id: int, path: str) -> HttpResponse:
    """One attachment with the ones before and after it."""
    user = signed_in(request)
    found = access.message(user, message_id)
    part = frames.part(user.pk, message_id, path)
    kind = previews.kind_of(part.content_type, path, part.size) if part is not None else ""
    if part is None or not kind:
        raise Http404
    digests = fetched_or_page(request, found, {path: part.size})
    if isinstance(digests, HttpResponse):
        return digests
    part = frames.part(user.pk, message_id, path) or part
    if kind == "message" and not frames.nested(part):
        enqueue(Job.READ_NESTED, message_id, path)
        part = until(lambda: _read(user.pk, message_id, path))
        if part is None:
            return waiting_page(request)
    siblings = frames.attachments(user.pk, message_id)
    shown = previews.preview(user, found, part, siblings, frames.nested(part))
    unfit = kind == "picture" and not showable(part)
    return render(request, "mail/preview.html", {"shown": shown, "unfit": unfit, "person": person(user)})


def _read(user_id: int, message_id: int, path: str) -> frames.PartFile | None:
    found = frames.part(user_id, message_id, path)
    return found if found is not None and frames.nested(found) else None


@require_GET
def file(request: HttpRequest, token: str) -> StreamingHttpResponse:
    """A picture, film or sound for the page that shows it, whole or in ranges."""
    part = _claimed(token, previews.FILE_SALT)
    if part.content_type not in headers.MEDIA or not showable(part):
        raise Http404
    response = stored(request, part.account_id, part.digest)
    return with_own_policy(response, headers.media_headers(part.filename, part.content_type))


@xframe_options_exempt
@require_GET
def nested(request: HttpRequest, token: str) -> HttpResponse:
    """An attached message in the same frame, under the same policy, as any other (security S11)."""
    claim = previews.read_token(token, salt=previews.NESTED_SALT)
    found = frames.nested_body(*claim) if claim is not None else None
    if found is None:
        raise Http404
    return framed(request, found, remote=False)


@require_GET
def nested_part(request: HttpRequest, token: str, path: str) -> Response:
    """A picture inside an attached message's text."""
    part = _claimed(token, previews.NESTED_SALT, inside=path)
    if part.content_type not in headers.PICTURES or not showable(part):
        raise Http404
    response = stored(request, part.account_id, part.digest)
    return with_own_policy(response, headers.media_headers(part.filename, part.content_type))


def _claimed(token: str, salt: str, *, inside: str = "") -> frames.PartFile:
    claim = previews.read_token(token, salt=salt)
    if claim is None:
        raise Http404
    user_id, message_id, path = claim
    part = frames.part(user_id, message_id, f"{path}:{inside}" if inside else path)
    if part is None or not part.digest:
        raise Http404
    return part
