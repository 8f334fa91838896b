"""The address book: a list to look through and choose in, a page for each contact, files in and out."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from webmail.forms.contacts import ContactForm, GroupForm, ImportForm
from webmail.mime.contact_tables import NoTable, read_table, write_table
from webmail.mime.vcards import Entry, split_cards, write_cards
from webmail.models import Contact, ContactGroup
from webmail.queries import access, card_servers, composing
from webmail.queries import contacts as reading
from webmail.queries.nav import nav
from webmail.services import contacts

from .composing import number
from .lists import person, signed_in

_MOST_CHOSEN = 1_000
_FORMATS: dict[str, tuple[str, Callable[[Iterator[Entry]], Iterator[bytes]]]] = {
    "vcf": ("text/vcard; charset=utf-8", write_cards),
    "csv": ("text/csv; charset=utf-8", write_table),
}


def _frame(user: User, **context: Any) -> dict[str, Any]:
    return {"nav": nav(user, current="contacts"), "person": person(user), "groups": reading.groups(user)} | context


@login_required
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """``q`` narrows it by words, ``group`` to a group."""
    user = signed_in(request)
    typed, group = request.GET.get("q", "")[:200], _group(user, request.GET.get("group", ""))
    found = reading.page(user, typed=typed, group=group, after=request.GET.get("after", "")[:300])
    more = {"q": typed, "group": group.pk if group else "", "after": found.after}
    context = _frame(
        user,
        page=found,
        typed=typed,
        group=group,
        more_url=f"?{urlencode(more)}" if found.after else "",
        export_query=urlencode({"q": typed, "group": group.pk if group else ""}),
        group_form=GroupForm(),
        needing=card_servers.needing(user),
    )
    return render(request, "contacts/list.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, contact_id: int = 0) -> HttpResponse:
    """One contact as a form; a new one may begin with a ``name``, ``mail``, ``organisation`` and ``number``."""
    user = signed_in(request)
    known = access.contact(user, contact_id) if contact_id else None
    if known is not None and known.removed_at is not None:
        raise Http404
    form = ContactForm(_posted(request), user=user, contact=known, initial=None if known else _begun(request))
    if request.method == "POST" and form.is_valid():
        try:
            kept = contacts.save(user, form.details(), known)
        except contacts.TooMany:
            form.add_error(None, _too_many())
        else:
            messages.success(request, _("Saved") if known else _("%s is in your contacts") % kept.shown_name)
            return HttpResponseRedirect(reverse("mail:contacts"))
    context = _frame(user, form=form, contact=known)
    if known is not None:
        context |= {"book": card_servers.book_of(known), "crossed": card_servers.crossed_of(known)}
    return render(request, "contacts/contact.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
def do(request: HttpRequest) -> HttpResponse:
    """``do`` with those chosen as ``contact``: remove, merge, write, or join:GROUP, leave:GROUP."""
    user = signed_in(request)
    chosen = _chosen(request, user)
    what, _mark, rest = request.POST.get("do", "").partition(":")
    if what in ("join", "leave"):
        _regroup(request, access.contact_group(user, number(rest)), chosen, join=what == "join")
    elif not chosen:
        messages.info(request, _("Choose somebody first"))
    elif what == "write":
        return HttpResponseRedirect(f"{reverse('mail:compose')}?{urlencode({'to': ', '.join(_named(chosen))})}")
    elif what == "merge" and (kept := contacts.merge(chosen)) is not None:
        undo = reverse("mail:contact_apart", args=[kept.pk])
        messages.success(request, _("Merged into %s") % kept.shown_name, extra_tags=undo)
    elif what == "merge":
        messages.info(request, _("Choose two or more to merge"))
    elif what == "remove":
        _removed(request, chosen)
    else:
        raise Http404
    return HttpResponseRedirect(_back(request))


@login_required
@require_POST
def restore(request: HttpRequest, ids: str) -> HttpResponse:
    """Undo of removing: the ids that went, with dots between."""
    count = contacts.restore(signed_in(request), [number(one) for one in ids.split(".")[:_MOST_CHOSEN]])
    if not count:
        raise Http404
    messages.success(request, _("Taken back"))
    return HttpResponseRedirect(reverse("mail:contacts"))


@login_required
@require_POST
def apart(request: HttpRequest, contact_id: int) -> HttpResponse:
    if not contacts.take_apart(access.contact(signed_in(request), contact_id)):
        raise Http404
    messages.success(request, _("Taken back"))
    return HttpResponseRedirect(reverse("mail:contacts"))


@login_required
@require_POST
def group(request: HttpRequest, group_id: int = 0) -> HttpResponse:
    """Makes a group, renames it, or with ``do=remove`` lets it go; its people stay."""
    user = signed_in(request)
    known = access.contact_group(user, group_id) if group_id else None
    if known is not None and request.POST.get("do") == "remove":
        contacts.drop_group(known)
        undo = reverse("mail:contact_group_back", args=[known.pk])
        messages.success(request, _("The group is gone, its people are still here"), extra_tags=undo)
        return HttpResponseRedirect(reverse("mail:contacts"))
    form = GroupForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for error in form.errors["name"]))
        return HttpResponseRedirect(_back(request))
    try:
        made = contacts.name_group(user, form.cleaned_data["name"], known)
    except IntegrityError:
        messages.error(request, _("Another group has this name"))
        return HttpResponseRedirect(_back(request))
    return HttpResponseRedirect(f"{reverse('mail:contacts')}?group={made.pk}")


@login_required
@require_POST
def group_back(request: HttpRequest, group_id: int) -> HttpResponse:
    if not contacts.restore_group(signed_in(request), group_id):
        raise Http404
    messages.success(request, _("Taken back"))
    return HttpResponseRedirect(f"{reverse('mail:contacts')}?group={group_id}")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def bring_in(request: HttpRequest) -> HttpResponse:
    """A file of contacts. Whoever is known by an address gains what is new; nobody is written over."""
    user = signed_in(request)
    form = ImportForm(_posted(request), request.FILES or None)
    if request.method == "POST" and form.is_valid():
        octets = form.cleaned_data["file"].read()
        try:
            cards = list(split_cards(octets) if b"BEGIN:VCARD" in octets.upper() else read_table(octets))
            brought = contacts.bring_in(user, cards)
        except NoTable:
            form.add_error("file", _("This is neither a vCard file nor a table with names or addresses."))
        except contacts.TooMany:
            form.add_error("file", _too_many())
        else:
            undo = ".".join(map(str, brought.made)) if 0 < len(brought.made) <= 500 else ""
            where = reverse("mail:contacts_unbring", args=[undo]) if undo else ""
            messages.success(request, _brought(brought), extra_tags=where)
            return HttpResponseRedirect(reverse("mail:contacts"))
    return render(request, "contacts/import.html", _frame(user, form=form), status=422 if form.is_bound else 200)


@login_required
@require_POST
def unbring(request: HttpRequest, ids: str) -> HttpResponse:
    """Undo of an import: those it added go again; what others gained stays."""
    user = signed_in(request)
    wanted = [number(one) for one in ids.split(".")[:_MOST_CHOSEN]]
    if not contacts.remove(access.contacts(user).filter(pk__in=wanted)):
        raise Http404
    messages.success(request, _("Taken back"))
    return HttpResponseRedirect(reverse("mail:contacts"))


@login_required
@require_GET
def export(request: HttpRequest, kind: str) -> StreamingHttpResponse:
    """All, or those that ``q`` and ``group`` leave."""
    user = signed_in(request)
    media_type, write = _FORMATS[kind]
    found = reading.matching(user, typed=request.GET.get("q", ""), group=_group(user, request.GET.get("group", "")))
    response = StreamingHttpResponse(write(reading.entries(found)), content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="contacts.{kind}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _group(user: User, asked: str) -> ContactGroup | None:
    return access.contact_group(user, number(asked)) if asked else None


def _chosen(request: HttpRequest, user: User) -> list[Contact]:
    ids = [number(one) for one in request.POST.getlist("contact")[:_MOST_CHOSEN]]
    found = {one.pk: one for one in access.contacts(user).filter(pk__in=ids)}
    return [found[pk] for pk in dict.fromkeys(ids) if pk in found]


def _named(chosen: list[Contact]) -> list[str]:
    return [composing.format_people([[one.name, one.mails[0]]]) for one in chosen if one.mails]


def _regroup(request: HttpRequest, group: ContactGroup, chosen: list[Contact], *, join: bool) -> None:
    if join:
        group.contacts.add(*chosen)
    else:
        group.contacts.remove(*chosen)
    words = {"count": len(chosen), "group": group.name}
    text = _("%(count)d added to %(group)s") if join else _("%(count)d taken out of %(group)s")
    messages.success(request, text % words)


def _removed(request: HttpRequest, chosen: list[Contact]) -> None:
    contacts.remove(chosen)
    undo = reverse("mail:contacts_restore", args=[".".join(str(one.pk) for one in chosen)])
    one = _("%s removed") % chosen[0].shown_name
    many = ngettext("%d contact removed", "%d contacts removed", len(chosen)) % len(chosen)
    messages.success(request, one if len(chosen) == 1 else many, extra_tags=undo)


def _brought(brought: contacts.Brought) -> str:
    if not (brought.new or brought.changed or brought.same):
        return _("Nobody was found in this file")
    words = {"new": brought.new, "changed": brought.changed, "same": brought.same}
    return _("%(new)d added, %(changed)d have gained something, %(same)d were here already") % words


def _too_many() -> str:
    return _("An address book holds %d contacts. Remove some first.") % contacts.MOST


def _begun(request: HttpRequest) -> dict[str, str]:
    asked = request.GET
    line = {name: " ".join(asked.get(name, "").replace("\0", "").split())[:200] for name in ("name", "organisation")}
    return line | {"mails": asked.get("mail", "")[:320], "numbers": asked.get("number", "")[:60]}


def _back(request: HttpRequest) -> str:
    group = request.POST.get("in_group", "")
    return reverse("mail:contacts") + (f"?group={group}" if group.isdecimal() else "")
