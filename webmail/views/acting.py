"""The one door for actions on mail, and the one that takes them back. Both answer forms and htmx alike."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from accounts.models import User
from webmail.models import Action, Draft, Mailbox
from webmail.queries import access
from webmail.services import actions, bulk, intents, pop, targets
from webmail.services import undo as undoing
from webmail.services.ops import Spot, done_again

from .htmx import toast
from .lists import signed_in

_QUIET = {"read", "unread", "star", "unstar"}  # the page shows these of one conversation; a toast would repeat it


@login_required
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Fields: action; place (mailbox-thread or mailbox-dDRAFT), thread or message, repeated, or scope=all; to; next."""
    user = signed_in(request)
    kind = request.POST.get("action", "")
    if kind not in intents.KINDS:
        raise Http404
    action = done_again(lambda: _perform(request, user, kind))
    return _answer(request, action, kind)


@login_required
@require_POST
def download(request: HttpRequest, message_id: int) -> HttpResponse:
    """The rest of a POP3 message whose beginning is here; the page it leads back to tells how far it is."""
    pop.download(access.message(signed_in(request), message_id))
    return HttpResponseRedirect(_back(request))


@login_required
@require_POST
def undo(request: HttpRequest, action_id: UUID) -> HttpResponse:
    user = signed_in(request)
    action = access.action(user, action_id)
    taken = done_again(lambda: undoing.undo(user, action))
    text = gettext("Taken back") if taken else gettext("That was taken back before")
    return _done(request, text)


def _perform(request: HttpRequest, user: User, kind: str) -> Action:
    box = access.mailbox(user, _number(request.POST["mailbox"])) if request.POST.get("mailbox") else None
    destination = _destination(request, user) if kind in intents.WITH_DESTINATION else None
    if request.POST.get("scope") == "all" and box is not None and bulk.wanted(box):
        return bulk.begin(user, kind, box, destination)
    spots = _spots(request, user, box)
    if kind == "star" and not request.POST.get("message"):
        spots = targets.newest_of_each_thread(spots)
    if kind == "delete" and (drafts := _drafts(request, user)):
        return actions.delete(user, spots, drafts)
    return intents.perform(user, kind, spots, destination)


def _destination(request: HttpRequest, user: User) -> Mailbox:
    destination = access.mailbox(user, _number(request.POST.get("to", "")))
    if not destination.selectable:
        raise Http404
    return destination


def _spots(request: HttpRequest, user: User, box: Mailbox | None) -> list[Spot]:
    if request.POST.get("scope") == "all" and box is not None:
        chosen = targets.in_mailbox(user, box)
    elif request.POST.getlist("place"):
        chosen = targets.of_places(user, _places(request))
    elif request.POST.getlist("message"):
        chosen = targets.of_messages(user, _numbers(request, "message"), box)
    else:
        threads = _numbers(request, "thread")
        if not threads:
            return []
        chosen = targets.of_threads(user, threads, box)
    spots = targets.lock(chosen)
    may_be_none = request.POST.get("scope") == "all" or _draft_ids(request)
    return spots if may_be_none else targets.require(spots)


def _drafts(request: HttpRequest, user: User) -> list[Draft]:
    """What is being written and was chosen along with the rest."""
    if request.POST.get("scope") == "all" and request.POST.get("mailbox"):
        return list(access.open_drafts(user, access.mailbox(user, _number(request.POST["mailbox"]))))
    return [access.draft(user, draft_id) for draft_id in _draft_ids(request)]


def _draft_ids(request: HttpRequest) -> list[int]:
    lines = [text.partition("-")[2] for text in request.POST.getlist("place")]
    return [_number(line[1:]) for line in lines if line.startswith("d")]


def _places(request: HttpRequest) -> list[tuple[int, int]]:
    """Conversations of a list, each as ``mailbox-thread``."""
    pairs = [text.partition("-") for text in request.POST.getlist("place")]
    return [(_number(mailbox), _number(thread)) for mailbox, _, thread in pairs if not thread.startswith("d")]


def _numbers(request: HttpRequest, field: str) -> list[int]:
    return [_number(text) for text in request.POST.getlist(field)]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


def _answer(request: HttpRequest, action: Action, kind: str) -> HttpResponse:
    undo_url = reverse("mail:undo", args=[action.pk]) if action.count else ""
    text = _words(kind, action.count) if action.count else gettext("Nothing to change")
    return _done(request, "" if kind in _QUIET and not _many(request) else text, undo_url=undo_url)


def _many(request: HttpRequest) -> bool:
    """Whether more than one conversation was meant: too much to put right by hand."""
    return request.POST.get("scope") == "all" or any(len(request.POST.getlist(f)) > 1 for f in ("place", "thread"))


def _words(kind: str, count: int) -> str:
    texts = {
        "archive": ngettext("%d message archived", "%d messages archived", count),
        "delete": ngettext("%d message deleted", "%d messages deleted", count),
        "discard": ngettext("%d message leaves the server", "%d messages leave the server", count),
        "junk": ngettext("%d message marked as spam", "%d messages marked as spam", count),
        "notjunk": ngettext("%d message moved to Inbox", "%d messages moved to Inbox", count),
        "move": ngettext("%d message moved", "%d messages moved", count),
    }
    return texts.get(kind, ngettext("%d message changed", "%d messages changed", count)) % count


def _done(request: HttpRequest, text: str, *, undo_url: str = "") -> HttpResponse:
    """htmx: nothing to swap, the page's regions follow the live event; a form: back to where it stood."""
    if getattr(request, "htmx", None):
        response = HttpResponse(status=204)
        response.headers["HX-Reswap"] = "none"
        return toast(response, text, undo_url=undo_url) if text else response
    if text:
        messages.success(request, text, extra_tags=undo_url)
    return HttpResponseRedirect(_back(request))


def _back(request: HttpRequest) -> str:
    """Where the form stood, when it says so and that is here."""
    back = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return back if allowed and back.startswith("/") else reverse("mail:home")
