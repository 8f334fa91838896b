"""A person's mail accounts: added, looked after, changed and removed. Nothing here talks to a mail server."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import MailAccount, User
from accounts.services import lifecycle, provisioning
from webmail.forms.accounts import AccountForm, AddAccountForm, FoldersForm, PasswordForm
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Mailbox
from webmail.queries import access
from webmail.queries import settings as reading
from webmail.queries.nav import display_name, nav
from webmail.queries.unsynced import count as not_synced
from webmail.services import pop, resync, roles
from webmail.services.ops import done_again

from .htmx import page
from .lists import person, signed_in
from .settings import frame


@login_required
@sensitive_post_parameters("password", "outgoing_password")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = AddAccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        account = _added(request, form)
        if account is not None:
            return HttpResponseRedirect(f"{reverse('mail:account', args=[account.pk])}?first=1")
    providers = access.oauth_providers(signed_in(request)).only("name")
    context = {"form": form, "by_hand": _by_hand(form), "providers": providers}
    return render(request, "accounts/add.html", context, status=422 if form.is_bound else 200)


def _added(request: HttpRequest, form: AddAccountForm) -> MailAccount | None:
    """The new account, its first sync on the way; None with the reason beside the address."""
    typed = form.cleaned_data
    try:
        with transaction.atomic():
            account = provisioning.add_account(
                signed_in(request),
                protocol=typed["protocol"],
                address=typed["address"],
                password=typed["password"],
                username=typed["username"],
                incoming=form.server("incoming", typed["protocol"]),
                outgoing=form.server("outgoing", "smtp"),
                outgoing_password=typed["outgoing_password"],
                pop_policy=typed["pop_policy"],
                pop_days=typed["pop_days"],
                pop_limit_mb=typed["pop_limit_mb"],
            )
            enqueue_on_commit(Job.SYNC_ACCOUNT, account.pk)
            return account
    except provisioning.AlreadyThere:
        form.add_error("address", _("This account is there already. Its settings are under Accounts."))
    except IntegrityError:
        form.add_error(None, _("The same account or server was being added at this moment. Try once more."))
    except IndexError:
        form.add_error("address", _("No server is known for this address. Name the servers below."))
    return None


def _by_hand(form: AddAccountForm) -> bool:
    """Whether the part for servers stands open: something was typed there, or is wrong there."""
    if not form.is_bound:
        return False
    names = ("incoming_host", "outgoing_host", "username", "incoming_port", "outgoing_port")
    return any(form.data.get(name) for name in names) or bool(set(form.errors) - {"address", "password"})


@login_required
@require_GET
def servers(request: HttpRequest) -> HttpResponse:
    """The servers an address would begin with, shown under it while the password is typed."""
    protocol = "pop3" if request.GET.get("protocol") == "pop3" else "imap"
    address = request.GET.get("address", "")[:254]
    found = reading.found_servers(signed_in(request).organisation, address, protocol)
    return render(request, "accounts/_found.html", {"found": found})


@login_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest, account_id: int) -> HttpResponse:
    """How the account is doing and what can be changed; a new one leads on to its inbox once that is there."""
    user = signed_in(request)
    found = access.account(user, account_id)
    mailboxes = list(access.mailboxes(user).filter(account=found).order_by("name"))
    inbox = next((box for box in mailboxes if box.role == Mailbox.Role.INBOX), None)
    first = "first" in request.GET
    if first and inbox is not None and request.method != "POST":
        return _lead(request, reverse("mail:mailbox", args=[found.pk, inbox.pk]))
    posted = request.POST.get("part", "")
    copies = reading.copy_choice(user, found)
    details = AccountForm(request.POST if posted == "details" else None, account=found, copies=copies)
    special = FoldersForm(request.POST if posted == "folders" else None, mailboxes=mailboxes)
    if posted and _saved(user, found, details, special):
        messages.success(request, _("Saved"))
        return HttpResponseRedirect(reverse("mail:account", args=[found.pk]))
    context = _account_context(request, found, mailboxes) | {
        "details": details,
        "copies_lost": copies.lost if copies else "",
        "special": special,
        "first": first,
        "inbox_url": reverse("mail:mailbox", args=[found.pk, inbox.pk]) if inbox else "",
    }
    return page(request, "accounts/account.html", context, region="state", status=422 if posted else 200)


def _account_context(request: HttpRequest, found: MailAccount, mailboxes: list[Mailbox]) -> dict[str, Any]:
    total = sum(box.total for box in mailboxes if not box.label)
    return frame(request, "accounts") | {
        "health": reading.health(found, total),
        "folders": reading.folders(found, mailboxes),
        "comparison": reading.comparison(found, mailboxes),
        "unsynced": not_synced(signed_in(request), found),
        "incoming": found.incoming,
        "outgoing": found.outgoing,
        "is_pop": found.protocol == MailAccount.Protocol.POP3,
    }


def _saved(user: User, found: MailAccount, details: AccountForm, special: FoldersForm) -> bool:
    if details.is_bound and details.is_valid():
        incoming = details.server("incoming", found.protocol)
        assert incoming is not None  # the form requires its host
        typed = details.cleaned_data
        lifecycle.change(
            found,
            label=typed["label"],
            username=typed["username"],
            incoming=incoming,
            outgoing=details.server("outgoing", "smtp"),
            pop_policy=typed["pop_policy"],
            pop_days=typed["pop_days"],
            pop_limit_mb=typed["pop_limit_mb"],
            password=typed["password"],
        )
        if "pop_copy" in details.fields:
            pop.copy_to(found, access.mailbox(user, details.copy_to) if details.copy_to else None)
        enqueue_on_commit(Job.SYNC_ACCOUNT, found.pk)
        return True
    if special.is_bound and special.is_valid():
        roles.choose(found, {role: int(box) if box else None for role, box in special.cleaned_data.items()})
        return True
    return False


def _lead(request: HttpRequest, place: str) -> HttpResponse:
    if getattr(request, "htmx", None):
        response = HttpResponse(status=204)
        response.headers["HX-Redirect"] = place
        return response
    return HttpResponseRedirect(place)


@login_required
@sensitive_post_parameters("password", "outgoing_password")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest, account_id: int) -> HttpResponse:
    found = access.account(signed_in(request), account_id)
    if provider := getattr(getattr(found, "credential", None), "provider_id", None):
        return HttpResponseRedirect(f"{reverse('mail:oauth_begin', args=[provider])}?account={found.pk}")
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            lifecycle.new_password(found, form.cleaned_data["password"], form.cleaned_data["outgoing_password"])
            enqueue_on_commit(Job.SYNC_ACCOUNT, found.pk)
        messages.success(request, _("The password is stored and being tried"))
        return HttpResponseRedirect(reverse("mail:account", args=[found.pk]))
    context = {"form": form, "health": reading.health(found, 0), "incoming": found.incoming}
    return render(request, "accounts/password.html", context, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, account_id: int) -> HttpResponse:
    user = signed_in(request)
    found = access.account(user, account_id)
    if request.method == "POST":
        label = str(found)
        done_again(lambda: lifecycle.remove(found, user))
        messages.success(request, _("%s was removed from Mailroom") % label)
        return HttpResponseRedirect(reverse("mail:settings"))
    context = {"nav": nav(user, current="settings"), "person": person(user), "health": reading.health(found, 0)}
    return render(request, "settings/remove.html", context | {"section": "accounts"})


_DOING: dict[str, tuple[Callable[[MailAccount], bool], Promise]] = {
    "sync": (lifecycle.try_again, gettext_lazy("Looking for new mail in %s")),
    "resync": (lifecycle.resync, gettext_lazy("Everything in %s is being compared with its server")),
    "pause": (lifecycle.pause, gettext_lazy("%s is paused")),
    "resume": (lifecycle.resume, gettext_lazy("%s goes on")),
}


@login_required
@require_POST
def do(request: HttpRequest, account_id: int, action: str) -> HttpResponse:
    """sync, resync, pause or resume; an account that an administrator holds stays as it is."""
    if action not in _DOING:
        raise Http404
    found = access.account(signed_in(request), account_id)
    change, words = _DOING[action]
    with transaction.atomic():
        changed = change(found)
        if changed and action != "pause":
            enqueue_on_commit(Job.SYNC_ACCOUNT, found.pk)
    messages.info(request, str(words) % found if changed else _("%s stays as it is") % found)
    there = "here" in request.POST  # pressed on the account's own page
    return HttpResponseRedirect(reverse("mail:account", args=[found.pk]) if there else reverse("mail:settings"))


@login_required
@require_POST
def resync_folder(request: HttpRequest, account_id: int, mailbox_id: int) -> HttpResponse:
    """Has one folder compared with the server again."""
    box = access.mailbox(signed_in(request), mailbox_id, account_id=account_id)
    words = _("%s is being compared with the server") if resync.ask(box) else _("%s stays as it is")
    messages.info(request, words % display_name(box))
    return HttpResponseRedirect(reverse("mail:account", args=[account_id]))
