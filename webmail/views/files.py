"""Files of a message: its source, its attachments one by one and all together, streamed from storage.

What is still on the mail server is fetched by a worker first; whoever waits sees how far it is.
"""

from dataclasses import replace
from typing import IO, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from webmail import storage
from webmail.mime.pixels import HEAD, is_showable
from webmail.queries import access, frames
from webmail.render import headers

from .arriving import fetched_or_page, whole_message
from .lists import signed_in
from .streaming import file_response, ranged_response
from .zipping import Entry, Zip

Answer = TypeVar("Answer", HttpResponse, StreamingHttpResponse)
Response = HttpResponse | StreamingHttpResponse


@login_required
@require_GET
def source(request: HttpRequest, message_id: int) -> Response:
    """The message as it was sent, as plain text that nothing interprets."""
    whole = whole_message(request, message_id)
    if isinstance(whole, HttpResponse):
        return whole
    found, digest = whole
    response = stored(request, found.account_id, digest)
    as_file = "download" in request.GET
    kind = "message/rfc822" if as_file else "text/plain"
    name = f"{found.subject[:100].strip() or f'message-{found.pk}'}.eml"
    return with_own_policy(response, headers.download_headers(name, kind, inline=not as_file))


@login_required
@require_GET
def attachment(request: HttpRequest, message_id: int, path: str) -> Response:
    """An attachment; with `?inline` it is shown instead of saved, if it is of a kind that may be."""
    user = signed_in(request)
    found = access.message(user, message_id)
    part = frames.part(user.pk, message_id, path)
    if part is None:
        raise Http404
    digests = fetched_or_page(request, found, {path: part.size})
    if isinstance(digests, HttpResponse):
        return digests
    inline = "inline" in request.GET
    if inline and not showable(replace(part, digest=digests[path])):
        raise Http404  # a picture that is embedded is decoded, whatever its headers say
    response = stored(request, found.account_id, digests[path])
    return with_own_policy(response, headers.download_headers(part.filename, part.content_type, inline=inline))


@login_required
@require_GET
def attachments(request: HttpRequest, message_id: int) -> Response:
    """All attachments as one archive, made while it is sent."""
    user = signed_in(request)
    found = access.message(user, message_id)
    parts = frames.attachments(user.pk, message_id)
    if not parts:
        raise Http404
    digests = fetched_or_page(request, found, {part.path: part.size for part in parts})
    if isinstance(digests, HttpResponse):
        return digests
    entries = [Entry(part.filename, part.content_type, found.account_id, digests[part.path]) for part in parts]
    response = file_response(request, Zip(entries, at=found.sent_at or found.received_at))
    name = f"{found.subject[:100].strip() or 'attachments'}.zip"
    return with_own_policy(response, headers.download_headers(name, "application/zip", inline=False))


def stored(request: HttpRequest, account_id: int, digest: str) -> StreamingHttpResponse:
    """A stored file, or the range of it that was asked for."""
    file = storage.open_file(account_id, digest)
    return ranged_response(request, cast(IO[bytes], file), size=file.size, etag=digest)


def with_own_policy(response: Answer, own: dict[str, str]) -> Answer:
    """Mail's bytes go out under the headers that belong to them, not under the app's."""
    for name, value in own.items():
        response.headers[name] = value
    return response


def showable(part: frames.PartFile) -> bool:
    """Whether a browser may be given it: a picture has to be one, of a size that no browser chokes on (S20)."""
    if part.content_type not in headers.PICTURES:
        return True
    with storage.open_file(part.account_id, part.digest) as file:
        return is_showable(cast(IO[bytes], file).read(HEAD))
