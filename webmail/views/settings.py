"""Settings of a person: how Mailroom behaves, how they sign, and how they sign in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.services import audit
from webmail.forms.preferences import PreferencesForm
from webmail.queries import settings as reading
from webmail.queries.nav import nav

from .composing import wants_data
from .htmx import page
from .lists import person, signed_in

_SHORT = ("undo_send_seconds", "hide_remote_images", "theme")


def frame(request: HttpRequest, section: str) -> dict[str, Any]:
    """What every settings page prints around its content."""
    user = signed_in(request)
    return {"nav": nav(user, current="settings"), "person": person(user), "section": section}


@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """The accounts and how each is doing; with it the few choices that hold for all of them."""
    user = signed_in(request)
    context = frame(request, "accounts") | {
        "healths": reading.healths(user),
        "form": PreferencesForm(user=user, only=_SHORT),
    }
    return page(request, "settings/accounts.html", context, region="healths")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """A page of its own; the form on the overview posts here too, naming the few fields it has."""
    user = signed_in(request)
    short = request.POST.get("short") == "1"
    only = _SHORT if short else ()
    form = PreferencesForm(request.POST or None, user=User.objects.get(pk=user.pk), only=only)
    if request.method == "POST" and form.is_valid():
        form.save()
        if wants_data(request):
            return JsonResponse({"text": _("Saved")})
        messages.success(request, _("Saved"))
        return HttpResponseRedirect(reverse("mail:settings" if short else "mail:appearance"))
    status = 422 if form.is_bound else 200
    return render(request, "settings/appearance.html", frame(request, "appearance") | {"form": form}, status=status)


@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """The person's own password for Mailroom. This session goes on, all their others end."""
    user = signed_in(request)
    required = user.must_change_password
    form = PasswordChangeForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        User.objects.filter(pk=user.pk).update(must_change_password=False)
        audit.record(user, "own password changed", target=user.email)
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is changed"))
        return HttpResponseRedirect(reverse("mail:home" if required else "mail:password"))
    status = 422 if form.is_bound else 200
    if required:
        return render(request, "settings/password_required.html", {"form": form}, status=status)
    return render(request, "settings/password.html", frame(request, "password") | {"form": form}, status=status)
