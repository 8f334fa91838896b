"""The one door for actions on mail, and the one that takes them back. Both answer forms and htmx alike."""

from collections.abc import Collection
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from accounts.models import User
from webmail import live
from webmail.mime.folder_names import BadName
from webmail.mime.keywords import is_sendable
from webmail.models import Action, Draft, Mailbox
from webmail.queries import access, action_words, labels
from webmail.services import actions, bulk, intents, pop, targets
from webmail.services import undo as undoing
from webmail.services.mailboxes import NotPossible
from webmail.services.ops import Spot, done_again

from .htmx import toast
from .lists import signed_in

_BAD_NAMES = {
    "empty": partial(gettext, "Give the label a name"),
    "long": partial(gettext, "This name is too long"),
    "taken": partial(gettext, "Mail programs use this name among themselves. Choose another."),
    "character": partial(gettext, "This name has a character that a label cannot have"),
}
_QUIET = {"read", "unread", "star", "unstar"}  # the page shows these of one conversation; a toast would repeat it


@login_required
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Fields: action; place (mailbox-thread, mailbox-mMESSAGE or mailbox-dDRAFT), thread (or mMESSAGE) or message,
    repeated, or onwards, a message and what came after it, or scope=all; to; next.

    Instead of action a keyword as label or unlabel; action=label with new_label, a name.
    """
    user = signed_in(request)
    kind = _kind(request)
    if kind not in intents.KINDS.keys() | intents.WITH_KEYWORD:
        raise Http404
    try:
        keyword = _keyword(request, kind)
    except BadName as error:
        return _done(request, bad_label_name(error))
    try:
        action = done_again(lambda: _perform(request, user, kind, keyword))
    except NotPossible as error:
        return _done(request, str(error))
    return _answer(request, action, kind)


@login_required
@require_POST
def download(request: HttpRequest, message_id: int) -> HttpResponse:
    """The rest of a POP3 message whose beginning is here; the page it leads back to tells how far it is."""
    pop.download(access.message(signed_in(request), message_id))
    return back_to(request)


@login_required
@require_POST
def undo(request: HttpRequest, action_id: UUID) -> HttpResponse:
    user = signed_in(request)
    return _taken_back(request, user, access.action(user, action_id))


@login_required
@require_GET
def offer(request: HttpRequest, action_id: UUID) -> HttpResponse:
    """Lets another open page of the person say what was done and offer Undo, as the first one does."""
    action = access.action(signed_in(request), action_id)
    response = HttpResponse(status=204)
    left = action_words.seconds_left(action)
    if left:
        toast(response, action_words.said(action.kind, action.count), undo_url=_undo_url(action), seconds=left)
    return response


@login_required
@require_POST
def undo_newest(request: HttpRequest) -> HttpResponse:
    """Takes back the last thing the person did, from whichever page it was done."""
    user = signed_in(request)
    action = undoing.newest(user)
    if action is None:
        return _done(request, gettext("There is nothing to take back"))
    return _taken_back(request, user, action)


def _taken_back(request: HttpRequest, user: User, action: Action) -> HttpResponse:
    try:
        taken = done_again(lambda: undoing.undo(user, action))
    except NotPossible as error:
        return _done(request, str(error))
    if taken:
        return _done(request, gettext("Taken back"))
    before = action.undone_at is not None
    return _done(
        request, gettext("That was taken back before") if before else gettext("It is too late to take that back")
    )


def _kind(request: HttpRequest) -> str:
    """A button carries one value: of those that name a label its keyword, so their name says what to do."""
    if request.POST.get("onwards"):
        return "unread"
    named = next((kind for kind in sorted(intents.WITH_KEYWORD) if request.POST.get(kind)), "")
    return named or request.POST.get("action", "")


def bad_label_name(error: BadName) -> str:
    """Why a typed name cannot be a label's, in words."""
    return _BAD_NAMES.get(error.why, _BAD_NAMES["character"])()


def _keyword(request: HttpRequest, kind: str) -> str:
    """The keyword of the label that is set or removed. Raises BadName for a typed name that cannot be one."""
    if kind not in intents.WITH_KEYWORD:
        return ""
    keyword = request.POST.get(kind, "")
    if not keyword:
        return labels.typed(next((name for name in request.POST.getlist("new_label") if name.strip()), ""))
    if not is_sendable(keyword):
        raise Http404
    return keyword


def _perform(request: HttpRequest, user: User, kind: str, keyword: str) -> Action:
    box = access.mailbox(user, _number(request.POST["mailbox"])) if request.POST.get("mailbox") else None
    destination = _destination(request, user) if kind in intents.WITH_DESTINATION else None
    if destination is not None and box is not None:
        _require_home(destination, {box.account_id})
    if _everything(request) and box is not None and bulk.wanted(box):
        return bulk.begin(user, kind, box, destination, keyword=keyword)
    spots = _spots(request, user, box)
    if destination is not None:
        _require_home(destination, {spot.account for spot in spots})
    if kind == "star" and not (request.POST.get("message") or _lines(request, box)):
        spots = targets.newest_of_each_thread(spots)
    if kind in ("delete", "empty") and (drafts := _drafts(request, user)):
        return actions.delete(user, spots, drafts)
    return intents.perform(user, kind, spots, destination, keyword=keyword)


def _destination(request: HttpRequest, user: User) -> Mailbox:
    destination = access.mailbox(user, _number(request.POST.get("to", "")))
    if not destination.selectable:
        raise Http404
    return destination


def _require_home(destination: Mailbox, accounts: Collection[int]) -> None:
    """Mail moves within its account. Raises NotPossible, with nothing changed."""
    if not {destination.account_id}.issuperset(accounts):
        raise NotPossible(gettext("Mail moves within its own account. Choose a folder there."))


def _spots(request: HttpRequest, user: User, box: Mailbox | None) -> list[Spot]:
    if _everything(request) and box is not None:
        chosen = targets.in_mailbox(user, box)
    elif lines := _lines(request, box):
        chosen = targets.of_lines(user, lines)
    elif request.POST.get("onwards"):
        chosen = targets.onwards(user, _number(request.POST["onwards"]), box)
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
    may_be_none = _everything(request) or _draft_ids(request)
    return spots if may_be_none else targets.require(spots)


def _everything(request: HttpRequest) -> bool:
    """Whether the whole mailbox is meant, whatever is ticked."""
    return request.POST.get("scope") == "all" or request.POST.get("action") == "empty"


def _drafts(request: HttpRequest, user: User) -> list[Draft]:
    """What is being written and was chosen along with the rest."""
    if _everything(request) and request.POST.get("mailbox"):
        return list(access.open_drafts(user, access.mailbox(user, _number(request.POST["mailbox"]))))
    return [access.draft(user, draft_id) for draft_id in _draft_ids(request)]


def _draft_ids(request: HttpRequest) -> list[int]:
    lines = [text.partition("-")[2] for text in request.POST.getlist("place")]
    return [_number(line[1:]) for line in lines if line.startswith("d")]


def _places(request: HttpRequest) -> list[tuple[int, int]]:
    """Conversations of a list, each as ``mailbox-thread``."""
    pairs = [text.partition("-") for text in request.POST.getlist("place")]
    return [(_number(mailbox), _number(thread)) for mailbox, _, thread in pairs if not thread.startswith("d")]


def _lines(request: HttpRequest, box: Mailbox | None) -> list[tuple[int, int]]:
    """Single messages, as lists that do not group them name their lines: each as (mailbox, message)."""
    pairs = [text.partition("-") for text in request.POST.getlist("place")]
    named = [(mailbox, key) for mailbox, _, key in pairs]
    named += [(str(box.pk) if box else "0", key) for key in request.POST.getlist("thread")]
    return [(_number(mailbox), _number(key[1:])) for mailbox, key in named if key.startswith("m")]


def _numbers(request: HttpRequest, field: str) -> list[int]:
    return [_number(text) for text in request.POST.getlist(field)]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


def _answer(request: HttpRequest, action: Action, kind: str) -> HttpResponse:
    if getattr(request, "htmx", None) and kind in _QUIET and not _many(request):
        return _done(request, "")
    if not action.count:
        return _done(request, gettext("Nothing to change"))
    _tell_others(request, action)
    return _done(request, action_words.said(action.kind, action.count), undo_url=_undo_url(action))


def tell(request: HttpRequest, action: Action) -> None:
    """Says what was done on the next page, with Undo, and to the person's other open pages."""
    if not action.count:
        messages.info(request, gettext("Nothing to change"))
        return
    _tell_others(request, action)
    messages.success(request, action_words.said(action.kind, action.count), extra_tags=_undo_url(action))


def _tell_others(request: HttpRequest, action: Action) -> None:
    live.publish_on_commit(signed_in(request).pk, "action", action=str(action.pk))


def _undo_url(action: Action) -> str:
    return reverse("mail:undo", args=[action.pk])


def _many(request: HttpRequest) -> bool:
    """Whether more than one conversation was meant: too much to put right by hand."""
    return _everything(request) or any(len(request.POST.getlist(f)) > 1 for f in ("place", "thread"))


def _done(request: HttpRequest, text: str, *, undo_url: str = "") -> HttpResponse:
    """htmx: nothing to swap, the page's regions follow the live event; a form: back to where it stood."""
    if getattr(request, "htmx", None):
        response = HttpResponse(status=204)
        response.headers["HX-Reswap"] = "none"
        return toast(response, text, undo_url=undo_url) if text else response
    if text:
        messages.success(request, text, extra_tags=undo_url)
    return back_to(request)


def refused(request: HttpRequest, error: NotPossible) -> HttpResponse:
    """Why it was not done: a toast, whereupon what is open shows itself anew, or a line on the page gone back to."""
    if getattr(request, "htmx", None):
        return trigger_client_event(toast(HttpResponse(status=204), str(error)), "mailroom:reading")
    messages.error(request, str(error))
    return back_to(request)


def back_to(request: HttpRequest, otherwise: str = "") -> HttpResponseRedirect:
    """Where the form stood, when it says so and that is here; else to the page given, or home."""
    back = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(back if allowed and back.startswith("/") else otherwise or reverse("mail:home"))
