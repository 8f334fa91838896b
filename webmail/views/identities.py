"""The addresses a person writes from, one card each; adding one sends a mail whose link confirms it."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Identity, User
from webmail import storage
from webmail.forms.identities import IdentityForm, NewIdentityForm
from webmail.queries import access
from webmail.queries.drafting import signature_pictures
from webmail.render import headers
from webmail.services import identities
from webmail.services.mailboxes import NotPossible

from .files import stored, with_own_policy
from .lists import signed_in
from .settings import frame


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """One small form for each address; ``identity`` says which of them was sent."""
    user = signed_in(request)
    chosen = request.POST.get("identity", "")
    forms, valid = [], False
    for identity in access.own_identities(user).order_by("account__position", "account", "-is_default", "id"):
        posted = request.method == "POST" and chosen == str(identity.pk)
        form = IdentityForm(request.POST if posted else None, instance=identity, auto_id=f"i{identity.pk}_%s")
        if posted and form.is_valid():
            identities.forget_pictures(form.save())
            valid = True
        forms.append(form)
    if valid:
        messages.success(request, _("Saved"))
        return HttpResponseRedirect(reverse("mail:identities"))
    status = 422 if any(form.is_bound for form in forms) else 200
    if request.method == "POST" and status == 200:
        raise Http404
    context = frame(request, "identities") | {"forms": forms, "pictures": json.dumps(signature_pictures(user))}
    return render(request, "settings/identities.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = NewIdentityForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        new = form.cleaned_data
        try:
            made = identities.add(
                user, new["account"], address=new["address"], name=new["name"], origin=_origin(request)
            )
        except NotPossible as error:
            form.add_error("address", str(error))
        else:
            messages.success(request, _asked(made))
            return HttpResponseRedirect(reverse("mail:identities"))
    context = frame(request, "identities") | {"form": form}
    return render(request, "settings/identity_add.html", context, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link in the mail leads. The button decides, since mail servers follow links to look at them."""
    user = signed_in(request)
    identity = identities.named_by(user, token)
    if request.method == "POST" and identity is not None and identities.confirm(user, token):
        messages.success(request, _("You can write from %s now") % identity.address)
        return HttpResponseRedirect(reverse("mail:identities"))
    context = frame(request, "identities") | {"identity": identity}
    return render(request, "settings/identity_confirm.html", context, status=200 if identity else 404)


@login_required
@require_POST
def add_picture(request: HttpRequest, identity_id: int) -> JsonResponse:
    """A picture for the signature being written: its content id, or why it cannot be one."""
    identity = access.identity(signed_in(request), identity_id)
    file = request.FILES.get("file")
    if file is None:
        raise Http404
    try:
        made = identities.add_picture(
            identity, filename=file.name or "", content_type=file.content_type or "", file=file
        )
    except NotPossible as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"cid": made.content_id})


@login_required
@require_GET
def picture(request: HttpRequest, identity_id: int, picture_id: int) -> HttpResponse | StreamingHttpResponse:
    """A picture of a signature, for its editor and for the composer."""
    found = access.identity(signed_in(request), identity_id).pictures.filter(pk=picture_id).first()
    if found is None or not storage.exists(found.identity.account_id, found.digest):
        raise Http404
    response = stored(request, found.identity.account_id, found.digest)
    return with_own_policy(response, headers.download_headers(found.filename, found.content_type, inline=False))


@login_required
@require_POST
def do(request: HttpRequest, identity_id: int, do: str) -> HttpResponse:
    """``do``: ask (again), remove, restore, first."""
    user = signed_in(request)
    identity = access.any_identity(user, identity_id)
    if do not in ("ask", "remove", "restore", "first") or (do == "first" and not identity.is_usable):
        raise Http404
    try:
        text, undo = _done(request, user, identity, do)
        messages.success(request, text, extra_tags=undo)
    except NotPossible as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("mail:identities"))


def _done(request: HttpRequest, user: User, identity: Identity, do: str) -> tuple[str, str]:
    """What to say of it, and where Undo is."""
    if do == "ask":
        identities.ask(user, identity, origin=_origin(request))
        return _asked(identity), ""
    if do == "remove":
        identities.remove(identity)
        return _("%s removed") % identity.address, reverse("mail:identity_do", args=[identity.pk, "restore"])
    if do == "restore":
        identities.restore(identity)
        return _("Taken back"), ""
    identities.use_first(identity)
    return _("%s is used first") % identity.address, ""


def _asked(identity: Identity) -> str:
    return _("A mail is on its way to %s. Open the link in it.") % identity.address


def _origin(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")
