"""The three buttons of an invitation's card."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from webmail.queries import access
from webmail.services import invitations
from webmail.services.mailboxes import NotPossible

from .acting import back_to, refused
from .lists import signed_in


@login_required
@require_POST
def respond(request: HttpRequest, message_id: int) -> HttpResponse:
    """``do``: accepted, tentative or declined; ``comment`` goes to the organiser. Back to where the form stood."""
    user = signed_in(request)
    message = access.message(user, message_id)
    choice = request.POST.get("do", "")
    if choice not in invitations.CHOICES:
        raise Http404
    try:
        invitations.respond(user, message, choice, request.POST.get("comment", ""))
    except NotPossible as error:
        return refused(request, error)
    return back_to(request)
