"""What is on its way out, and what a person decides about it."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from webmail.models import Draft, Outgoing
from webmail.queries import access
from webmail.queries import outbox as reading
from webmail.queries.nav import nav
from webmail.services import handing, outbox

from .acting import back_to
from .composing import open_composer, to_composer
from .htmx import page, toast
from .lists import person, signed_in

Deciding = Callable[[Outgoing], bool]


@login_required
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    return _page(request, None)


@login_required
@require_GET
def detail(request: HttpRequest, outgoing_id: int) -> HttpResponse:
    return _page(request, access.outgoing(signed_in(request), outgoing_id))


def _page(request: HttpRequest, chosen: Outgoing | None) -> HttpResponse:
    user = signed_in(request)
    rail = nav(user, current="outbox")
    context = {
        "nav": rail,
        "person": person(user),
        "rows": reading.rows(user),
        "needs": rail.outbox_needs_you,
        "chosen": reading.detail(chosen) if chosen else None,
    }
    return page(request, "outbox/outbox.html", context, region="panes")


@login_required
@require_POST
def decide(request: HttpRequest, outgoing_id: int, do: str) -> HttpResponse:
    """``do``: undo or edit (back into the composer), now, retry, settle (mark as sent, or leave it at that); again
    (write once more to who has not answered), dismiss (the reminder), and remind, its undo.
    """
    outgoing = access.outgoing(signed_in(request), outgoing_id)
    if do == "undo" and outgoing.draft_id is None and handing.recall(outgoing):
        return back_to(request, reverse("mail:outbox"))
    if do == "now":
        return _at_once(request, outgoing)
    if do in ("undo", "edit"):
        return _back(request, outgoing, outbox.take_back(outgoing))
    if do == "again":
        return open_composer(request, reading.writing_again(outgoing))
    if do == "dismiss":
        return _dismissed(request, outgoing)
    decision = _DECISIONS.get(do)
    if decision is None:
        raise Http404
    done = decision[0](outgoing)
    text = str(decision[1]) if done else _("That has been decided already")
    return _told(request, text, reverse("mail:outbox") if do == "settle" else _place(outgoing))


_DECISIONS: dict[str, tuple[Deciding, Promise]] = {
    "retry": (outbox.try_again, gettext_lazy("It is being sent again")),
    "settle": (outbox.settle, gettext_lazy("Done")),
    "remind": (outbox.remind_again, gettext_lazy("It comes up again if nobody answers")),
}


def _dismissed(request: HttpRequest, outgoing: Outgoing) -> HttpResponse:
    if not outbox.dismiss(outgoing):
        return _told(request, _("That has been decided already"), _place(outgoing))
    undo = reverse("mail:outgoing_do", args=[outgoing.pk, "remind"])
    if getattr(request, "htmx", None):
        return toast(HttpResponse(status=204), _("No reminder any more"), undo_url=undo)
    messages.info(request, _("No reminder any more"), extra_tags=undo)
    return HttpResponseRedirect(reverse("mail:outbox"))


def _back(request: HttpRequest, outgoing: Outgoing, draft: Draft | None) -> HttpResponse:
    if draft is not None:
        return to_composer(request, draft)
    if _was_taken_back(outgoing):
        if outgoing.draft is not None and outgoing.draft.closed_at is None:
            return to_composer(request, outgoing.draft)
        return _told(request, _("That has been decided already"), _place(outgoing))
    return _told(request, _("It has left already and cannot be taken back"), _place(outgoing))


def _was_taken_back(outgoing: Outgoing) -> bool:
    """By another window of the same person, in which it may be written on."""
    outgoing.refresh_from_db(fields=["state"])
    return outgoing.state == Outgoing.State.CANCELLED


def _at_once(request: HttpRequest, outgoing: Outgoing) -> HttpResponse:
    try:
        sent = outbox.send_now(outgoing)
    except outbox.NotReady as refused:
        return _told(request, " ".join(refused.errors.values()), _place(outgoing))
    if sent is None:
        words = _("That has been decided already") if _was_taken_back(outgoing) else _("It has left already")
        return _told(request, words, _place(outgoing))
    undo = reverse("mail:outgoing_do", args=[sent.pk, "undo"]) if sent.user.undo_send_seconds else ""
    if getattr(request, "htmx", None):
        return toast(HttpResponse(status=204), _("Sending"), undo_url=undo)
    messages.info(request, _("Sending"), extra_tags=undo)
    return HttpResponseRedirect(_place(sent))


def _told(request: HttpRequest, text: str, place: str) -> HttpResponse:
    if getattr(request, "htmx", None):
        return toast(HttpResponse(status=204), text)
    messages.info(request, text)
    return HttpResponseRedirect(place)


def _place(outgoing: Outgoing) -> str:
    return reverse("mail:outgoing", args=[outgoing.pk])
