"""Lists of conversations: a mailbox, all inboxes, what is starred."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from accounts.models import MailAccount, User
from webmail.models import Mailbox
from webmail.queries import access, labels, lists, states
from webmail.queries.folders import changeable
from webmail.queries.nav import display_name, nav
from webmail.queries.values import Empty, ListPage, Nav
from webmail.services import presence

from .htmx import page

LIST = "mail/mailbox.html"


def person(user: User) -> dict[str, Any]:
    return {"name": user.name or user.email, "address": user.email, "is_staff": user.is_staff}


def signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The first inbox; somebody without an account is led to adding one."""
    first = (
        access.mailboxes(signed_in(request)).filter(role=Mailbox.Role.INBOX).order_by("account__position", "account")
    )
    inbox = first.only("id", "account_id").first()
    if inbox is not None:
        return HttpResponseRedirect(reverse("mail:mailbox", args=[inbox.account_id, inbox.pk]))
    if access.accounts(signed_in(request)).exists():
        return HttpResponseRedirect(reverse("mail:unified"))  # fills as the first sync goes on
    return HttpResponseRedirect(reverse("mail:account_add"))


@login_required
def mailbox(request: HttpRequest, account_id: int, mailbox_id: int) -> HttpResponse:
    user = signed_in(request)
    box = access.shown_mailbox(user, mailbox_id, account_id)
    context = mailbox_context(request, box)
    return page(request, LIST, context, region=region(request))


def mailbox_context(request: HttpRequest, box: Mailbox, *, selected: str = "") -> dict[str, Any]:
    """What the list pane of a mailbox shows; the reading page prints the same list beside the conversation."""
    user = signed_in(request)
    only = _only(request)
    found = lists.mailbox_page(user, box, after=request.GET.get("after", ""), only=only)
    rail = nav(user, current="mailbox", mailbox_id=box.pk)
    presence.here(box.account)
    return {
        "mailbox": {
            "id": box.pk,
            "name": display_name(box),
            "role": box.role,
            "unread": box.unread,
            "total": box.total,
            "account_id": box.account_id,
            "changeable": changeable(box),
        },
        "labels": labels.choices(user, box),
        "progress": states.progress(box.account, box),
        "account_error": states.error(box.account) or states.folder_error(box),
        "empty": _empty(box, only),
        "selected_key": selected,
        "list_url": _again(request, "mail:mailbox", box.account_id, box.pk),
    } | _common(request, user, rail, found, only)


@login_required
def unified(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    only = _only(request)
    found = lists.unified_page(user, after=request.GET.get("after", ""), only=only)
    rail = nav(user, current="all")
    accounts = list(access.accounts(user).select_related("incoming"))
    for account in accounts:
        presence.here(account)
    context = _whole(gettext("All inboxes"), "all", rail.unified_unread, _empty_everywhere(accounts))
    context["labels"] = labels.choices(user, None)
    context["account_error"] = next((block for account in accounts if (block := states.error(account))), None)
    context |= _common(request, user, rail, found, only)
    return page(request, LIST, context | {"list_url": _again(request, "mail:unified")}, region=region(request))


@login_required
def starred(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    found = lists.starred_page(user, after=request.GET.get("after", ""))
    empty = Empty(gettext("Nothing is starred"), gettext("Star a conversation and it stays at hand here."))
    rail = nav(user, current="starred")
    context = _whole(gettext("Starred"), "starred", 0, empty) | _common(request, user, rail, found, "")
    context["labels"] = labels.choices(user, None)
    return page(request, LIST, context | {"list_url": _again(request, "mail:starred")}, region=region(request))


def _whole(name: str, role: str, unread: int, empty: Empty) -> dict[str, Any]:
    return {
        "mailbox": {"id": "", "name": name, "role": role, "unread": unread, "total": 0, "account_id": ""},
        "progress": None,
        "account_error": None,
        "empty": empty,
        "selected_key": "",
    }


def _common(request: HttpRequest, user: User, rail: Nav, found: ListPage, only: str) -> dict[str, Any]:
    query = request.GET.copy()
    query.pop("after", None)
    newer = f"{request.path}?{query.urlencode()}" if request.GET.get("after") else ""
    query["after"] = found.older
    return {
        "nav": rail,
        "person": person(user),
        "rows": found.rows,
        "older_url": f"{request.path}?{query.urlencode()}" if found.older else "",
        "newer_url": newer,
        "filter": only,
    }


def _only(request: HttpRequest) -> str:
    only = request.GET.get("filter", "")
    return only if only in lists.FILTERS else ""


def _again(request: HttpRequest, name: str, *args: int) -> str:
    """The list's address with what it was narrowed to and how far back it begins, so that it stays what it was."""
    asked = {"filter": _only(request), "after": request.GET.get("after", "")}
    words = urlencode({field: value for field, value in asked.items() if value})
    return reverse(name, args=args) + (f"?{words}" if words else "")


def region(request: HttpRequest) -> str:
    """Older rows alone where "Older" asks for them; the list as it stands where it is fetched again."""
    htmx = getattr(request, "htmx", None)
    again = htmx is not None and htmx.target == "rows"
    return "more" if request.GET.get("after") and not again else "rows"


def _empty_everywhere(accounts: list[MailAccount]) -> Empty:
    if any(account.state == MailAccount.State.NEW for account in accounts):
        return Empty(gettext("Mail is on its way"), gettext("The newest messages appear here first."))
    return Empty(gettext("Every inbox is empty"), gettext("New mail appears here by itself."))


def _empty(box: Mailbox, only: str) -> Empty:
    if only == "unread":
        return Empty(gettext("Everything is read"), gettext("New mail appears here by itself."))
    if only == "starred":
        return Empty(gettext("Nothing is starred here"), gettext("Star a conversation and it stays at hand."))
    if box.account.state == MailAccount.State.NEW and box.account.last_sync_at is None:
        return Empty(gettext("Mail is on its way"), gettext("The newest messages appear here first."))
    texts: dict[str, tuple[str, str]] = {
        Mailbox.Role.INBOX: (gettext("Your inbox is empty"), gettext("New mail appears here by itself.")),
        Mailbox.Role.DRAFTS: (gettext("No drafts"), gettext("What you begin to write is kept here.")),
        Mailbox.Role.SENT: (gettext("Nothing sent yet"), gettext("A copy of what you send lies here.")),
        Mailbox.Role.TRASH: (gettext("Trash is empty"), gettext("Deleted messages wait here.")),
        Mailbox.Role.JUNK: (gettext("No spam"), gettext("What you mark as spam lies here.")),
    }
    title, sentence = texts.get(box.role, (gettext("Nothing here"), gettext("Move conversations here to keep them.")))
    return Empty(title, sentence)
