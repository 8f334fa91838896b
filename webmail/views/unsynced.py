"""What the mail servers have not done: a list in words, each line to be tried again or let go."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from webmail.models import RemoteOp
from webmail.queries import access
from webmail.queries import unsynced as reading
from webmail.services import unsynced
from webmail.services.mailboxes import NotPossible
from webmail.services.ops import done_again

from .htmx import page
from .lists import signed_in
from .settings import frame


@login_required
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    context = frame(request, "unsynced") | {"lines": reading.lines(signed_in(request))}
    return page(request, "settings/unsynced.html", context, region="lines")


@login_required
@require_POST
def decide(request: HttpRequest, op_id: int, do: str) -> HttpResponse:
    """``do``: retry or dismiss one line."""
    user = signed_in(request)
    op = access.unsynced_op(user, op_id)
    if do not in ("retry", "dismiss"):
        raise Http404
    refusal = _decided(user, op, do)
    messages.info(request, refusal or (_("It is being tried again") if do == "retry" else _("Dismissed")))
    return HttpResponseRedirect(reverse("mail:unsynced"))


@login_required
@require_POST
def decide_all(request: HttpRequest, do: str) -> HttpResponse:
    """``do``: retry or dismiss every line; what cannot be done again stays where it is."""
    user = signed_in(request)
    if do not in ("retry", "dismiss"):
        raise Http404
    left = 0
    for line in reversed(reading.lines(user)):  # in the order they were wanted
        if do == "retry" or line.refused:
            left += bool(_decided(user, access.unsynced_op(user, line.id), do))
    done = _("All are being tried again") if do == "retry" else _("Dismissed")
    text = ngettext("%d could not be tried again", "%d could not be tried again", left) % left if left else done
    messages.info(request, text)
    return HttpResponseRedirect(reverse("mail:unsynced"))


def _decided(user: User, op: RemoteOp, do: str) -> str:
    """Carries the decision out; returns why not, or nothing."""
    try:
        if do == "retry":
            done_again(lambda: unsynced.try_again(user, op))
            return ""
        return "" if unsynced.dismiss(user, op) else _("It still waits, and is tried again by itself")
    except NotPossible as error:
        return str(error)
