"""The button that leaves a mailing list in one click."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from webmail.queries import access
from webmail.services import unsubscribing
from webmail.services.mailboxes import NotPossible

from .acting import back_to, refused
from .lists import signed_in


@login_required
@require_POST
def unsubscribe(request: HttpRequest, message_id: int) -> HttpResponse:
    """Back to the page the form stood on, which tells what comes of it."""
    message = access.message(signed_in(request), message_id)
    try:
        unsubscribing.unsubscribe(message)
    except NotPossible as error:
        return refused(request, error)
    return back_to(request)
