"""The two buttons below a message that asks for a receipt."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from webmail.queries import access
from webmail.services import receipts
from webmail.services.mailboxes import NotPossible

from .acting import back_to, refused
from .lists import signed_in


@login_required
@require_POST
def decide(request: HttpRequest, message_id: int) -> HttpResponse:
    """``do``: send or ignore; then back to the page the form stood on."""
    user = signed_in(request)
    message = access.message(user, message_id)
    do = request.POST.get("do")
    if do not in ("send", "ignore"):
        raise Http404
    try:
        if do == "ignore":
            receipts.ignore(user, message)
        else:
            receipts.send(user, message)
    except NotPossible as error:
        return refused(request, error)
    return back_to(request)
