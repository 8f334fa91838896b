"""What the composer's script asks for besides the form: files one by one, people to write to, the editor's document."""

from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET, require_POST

from webmail import storage
from webmail.queries import access, drafting, people
from webmail.render import headers
from webmail.services import drafts
from webmail.templatetags.people import hue, initials

from .composing import as_data, attach_all, number
from .files import stored, with_own_policy
from .lists import signed_in

# The document is sandboxed into an origin of its own: whatever a quoted message smuggles past two sanitizers finds no
# session, no address to call and no window to open there.
_EDITOR_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; font-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)


@login_required
@require_POST
def files(request: HttpRequest, draft_id: int) -> JsonResponse:
    """Adds the files posted as ``files``, or takes off the one named by ``remove``; the text is not touched.

    With ``inline`` pictures become pictures of the text: the answer names the content id of each.
    """
    user = signed_in(request)
    draft = access.draft(user, draft_id)
    if draft.closed_at:
        raise Http404
    errors = {}
    if "remove" in request.POST:
        upload = access.upload(user, number(request.POST["remove"]))
        if upload.draft_id != draft.pk:
            raise Http404
        drafts.detach(upload)
    else:
        errors = attach_all(draft, request.FILES.getlist("files"), inline=request.POST.get("inline") == "1")
    return JsonResponse(as_data(drafting.of_draft(user, draft), errors), status=422 if errors else 200)


@login_required
@require_GET
def file(request: HttpRequest, draft_id: int, upload_id: int) -> HttpResponse | StreamingHttpResponse:
    """A file of the draft, to show in its text or to look at again."""
    upload = access.upload(signed_in(request), upload_id)
    if upload.draft_id != draft_id:
        raise Http404
    if not upload.digest and upload.source_id is not None and upload.source_path:
        return HttpResponseRedirect(reverse("mail:attachment", args=[upload.source_id, upload.source_path]))
    if not storage.exists(upload.account_id, upload.digest):
        raise Http404
    response = stored(request, upload.account_id, upload.digest)
    return with_own_policy(response, headers.download_headers(upload.filename, upload.content_type, inline=False))


@login_required
@require_GET
def suggestions(request: HttpRequest) -> JsonResponse:
    """People whose name or address has a word that begins so, those written to most and latest first."""
    found = people.suggestions(signed_in(request), request.GET.get("q", ""))
    return JsonResponse(
        {
            "people": [
                {
                    "name": one.name,
                    "address": one.address,
                    "everyone": one.everyone,
                    "hint": one.hint,
                    "hue": hue(one.address),
                    "initials": initials(one.name, one.address),
                }
                for one in found
            ]
        }
    )


@login_required
@require_GET
@xframe_options_exempt
def editor(request: HttpRequest) -> HttpResponse:
    """The document in which a message is written. Nobody's mail is in it; what it depends on stands in its address."""
    response = render(request, "compose/editor.html")
    response.headers["Cache-Control"] = "private, max-age=86400"
    response.headers["Content-Security-Policy"] = _EDITOR_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
