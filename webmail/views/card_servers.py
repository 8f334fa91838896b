"""Address book servers: connected, looked after, chosen from and disconnected. Nothing here talks to a server."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import CardServer
from webmail.forms.card_servers import BooksForm, SignInForm
from webmail.queries import access
from webmail.queries import card_servers as reading
from webmail.services import card_servers

from .htmx import page
from .lists import signed_in
from .settings import frame


@login_required
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    context = frame(request, "address_books") | {"lines": reading.lines(user), "only_here": reading.only_here(user)}
    return page(request, "settings/address_books.html", context, region="lines")


@login_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = SignInForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            made = card_servers.connect(
                user, address=typed["address"], username=typed["username"], password=typed["password"]
            )
        except card_servers.TooMany:
            form.add_error(None, _("At most %d servers. Disconnect one first.") % card_servers.MOST)
        else:
            return HttpResponseRedirect(reverse("mail:address_book", args=[made.pk]))
    context = frame(request, "address_books") | {"form": form}
    return render(request, "settings/address_book_add.html", context, status=422 if form.is_bound else 200)


@login_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def server(request: HttpRequest, server_id: int) -> HttpResponse:
    """How the server is doing; ``part`` says which form was posted: books or signin."""
    user = signed_in(request)
    found = access.card_server(user, server_id)
    part = request.POST.get("part", "")
    known = reading.books(found)
    only_here = reading.only_here(user)
    books = BooksForm(request.POST if part == "books" else None, books=known, only_here=only_here)
    sign_in = SignInForm(request.POST if part == "signin" else None, server=found, fixed=bool(known))
    if part and _saved(request, found, books, sign_in):
        return HttpResponseRedirect(reverse("mail:address_book", args=[found.pk]))
    context = frame(request, "address_books") | {
        "server": found,
        "details": reading.details(found),
        "books": books if known else None,
        "sign_in": sign_in,
        "only_here": only_here,
    }
    return page(request, "settings/address_book.html", context, region="state", status=422 if part else 200)


def _saved(request: HttpRequest, found: CardServer, books: BooksForm, sign_in: SignInForm) -> bool:
    if books.is_bound and books.is_valid():
        typed = books.cleaned_data
        also_here = bool(typed.get("also_here"))
        card_servers.choose(found, typed["books"], takes_new=typed["takes_new"] or None, also_here=also_here)
        messages.success(request, _("Saved"))
        return True
    if sign_in.is_bound and sign_in.is_valid():
        typed = sign_in.cleaned_data
        address = typed.get("address", found.address)
        card_servers.sign_in(found, address=address, username=typed["username"], password=typed["password"])
        messages.success(request, _("The password is stored and being tried"))
        return True
    return False


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, server_id: int) -> HttpResponse:
    """Asks whether what came from there stays; ``take``=1: it goes."""
    found = access.card_server(signed_in(request), server_id)
    if request.method == "POST":
        count = card_servers.disconnect(found, take=request.POST.get("take") == "1")
        words = _("%s is disconnected") % reading.host_of(found)
        if count:
            words = ngettext(
                "%(host)s is disconnected, its contact removed here",
                "%(host)s is disconnected, its %(count)d contacts removed here",
                count,
            ) % {"host": reading.host_of(found), "count": count}
        messages.success(request, words, extra_tags=reverse("mail:address_book_do", args=[found.pk, "reconnect"]))
        return HttpResponseRedirect(reverse("mail:address_books"))
    context = frame(request, "address_books") | {"server": found, "line": reading.line(found)}
    return render(request, "settings/address_book_remove.html", context)


@login_required
@require_POST
def do(request: HttpRequest, server_id: int, do: str) -> HttpResponse:
    """sync; believe or put_back what the server says is gone; reconnect, which is Undo."""
    user = signed_in(request)
    found = access.card_server(user, server_id, removed=do == "reconnect")
    if do == "sync":
        asked = card_servers.sync_now(found)
        host = reading.host_of(found)
        messages.info(request, (_("Asking %s") if asked else _("%s wants to be left alone for a while")) % host)
    elif do == "believe":
        count = card_servers.believe(found)
        messages.success(request, ngettext("%d contact removed", "%d contacts removed", count) % count)
    elif do == "put_back":
        count = card_servers.put_back(found)
        messages.success(request, ngettext("%d contact goes back", "%d contacts go back", count) % count)
    elif do == "reconnect":
        if not card_servers.reconnect(found):
            raise Http404
        messages.success(request, _("Taken back"))
    else:
        raise Http404
    return HttpResponseRedirect(reverse("mail:address_book", args=[found.pk]))


@login_required
@require_POST
def settle(request: HttpRequest, contact_id: int) -> HttpResponse:
    """A change on both sides was seen: ``do``=keep, or mine for the fields as they were here."""
    what: Any = request.POST.get("do", "keep")
    if what not in ("keep", "mine"):
        raise Http404
    contact = access.contact(signed_in(request), contact_id)
    card_servers.settle(contact, mine=what == "mine")
    messages.success(request, _("As it was here") if what == "mine" else _("Kept as it is"))
    return HttpResponseRedirect(reverse("mail:contact", args=[contact.pk]))
