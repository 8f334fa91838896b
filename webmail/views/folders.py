"""Folders of an account: made, renamed, deleted, emptied, shown, hidden. Nothing here needs scripting."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import MailAccount, User
from webmail.forms.folders import NewFolderForm, RenameFolderForm
from webmail.models import Action, Mailbox
from webmail.queries import access
from webmail.queries import folders as reading
from webmail.queries.nav import display_name
from webmail.services import actions, bulk, mailboxes, targets
from webmail.services.mailboxes import NotPossible
from webmail.services.ops import done_again

from .acting import back_to, tell
from .htmx import page
from .lists import signed_in
from .settings import frame

Doing = Callable[[User, Mailbox], Action]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest, account_id: int) -> HttpResponse:
    """All folders, and the form for another one."""
    user = signed_in(request)
    account = access.account(user, account_id)
    boxes = list(access.mailboxes(user).filter(account=account).select_related("account"))
    form = NewFolderForm(request.POST or None, parents=reading.parents(account, boxes))
    if request.method == "POST" and form.is_valid() and _made(request, user, account, form):
        return HttpResponseRedirect(reverse("mail:folders", args=[account.pk]))
    context = frame(request, "accounts") | {
        "account": account,
        "folders": reading.rows(boxes),
        "form": form,
        "is_pop": account.protocol == MailAccount.Protocol.POP3,
    }
    return page(request, "settings/folders.html", context, region="folders", status=422 if form.is_bound else 200)


def _made(request: HttpRequest, user: User, account: MailAccount, form: NewFolderForm) -> bool:
    typed = form.cleaned_data
    parent = access.mailbox(user, int(typed["parent"]), account_id=account.pk) if typed["parent"] else None
    try:
        action = done_again(lambda: mailboxes.create(user, account, typed["name"], parent))
    except NotPossible as error:
        form.add_error("name", str(error))
        return False
    tell(request, action)
    return True


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    user = signed_in(request)
    box = access.mailbox(user, mailbox_id)
    special = display_name(box) if box.role else ""
    form = RenameFolderForm(request.POST or None, now=box.leaf, special=special)
    if request.method == "POST" and form.is_valid():
        try:
            action = done_again(lambda: mailboxes.rename(user, box, form.cleaned_data["name"]))
        except NotPossible as error:
            form.add_error("name", str(error))
        else:
            tell(request, action)
            return back_to(request, reverse("mail:folders", args=[box.account_id]))
    context = frame(request, "accounts") | {"folder": box, "form": form, "special": special}
    return render(request, "settings/folder_rename.html", context, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Says what would go, and asks."""
    user = signed_in(request)
    box = access.mailbox(user, mailbox_id)
    refusal = ""
    if request.method == "POST":
        try:
            tell(request, done_again(lambda: mailboxes.remove(user, box)))
        except NotPossible as error:
            refusal = str(error)
        else:
            return HttpResponseRedirect(reverse("mail:folders", args=[box.account_id]))
    boxes = list(access.mailboxes(user).filter(account=box.account_id))
    context = frame(request, "accounts") | {
        "folder": box,
        "removal": reading.removal(box, boxes),
        "refusal": refusal,
    }
    return render(request, "settings/folder_remove.html", context, status=422 if refusal else 200)


def _empty(user: User, box: Mailbox) -> Action:
    if bulk.wanted(box):
        return bulk.begin(user, "empty", box)
    return actions.delete(user, targets.lock(targets.in_mailbox(user, box)))


_DOING: dict[str, Doing] = {
    "show": lambda user, box: mailboxes.subscribe(user, box, wanted=True),
    "hide": lambda user, box: mailboxes.subscribe(user, box, wanted=False),
    "empty": _empty,
}


@login_required
@require_POST
def do(request: HttpRequest, mailbox_id: int, do: str) -> HttpResponse:
    """show or hide in the rail, or empty."""
    user = signed_in(request)
    box = access.mailbox(user, mailbox_id)
    doing = _DOING.get(do)
    if doing is None:
        raise Http404
    try:
        tell(request, done_again(lambda: doing(user, box)))
    except NotPossible as error:
        messages.error(request, str(error))
    return back_to(request, reverse("mail:folders", args=[box.account_id]))
