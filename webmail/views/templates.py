"""Texts to begin messages with: kept in the settings, put into a message by the composer."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from webmail.forms.templates import TemplateForm
from webmail.queries import access, templates
from webmail.services import templates as keeping

from .lists import signed_in
from .settings import frame


@login_required
@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    context = frame(request, "templates") | {"templates": templates.templates(user)}
    return render(request, "settings/templates.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def template(request: HttpRequest, template_id: int = 0) -> HttpResponse:
    """One of them as a form; a message being written may be kept as a new one by posting it here."""
    user = signed_in(request)
    known = access.text_template(user, template_id) if template_id else None
    form = TemplateForm(request.POST if request.method == "POST" else None, user=user, template=known)
    if request.method == "POST" and form.is_valid():
        try:
            keeping.keep(user, form.values(), known)
        except keeping.NameTaken:
            form.add_error("name", _("Another template has this name."))
        else:
            messages.success(request, _("Saved"))
            return HttpResponseRedirect(reverse("mail:templates"))
    context = frame(request, "templates") | {"form": form, "template": known, "variables": templates.VARIABLES}
    return render(request, "settings/template.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
def remove(request: HttpRequest, template_id: int) -> HttpResponse:
    known = access.text_template(signed_in(request), template_id)
    keeping.remove(known)
    undo = reverse("mail:template_restore", args=[known.pk])
    messages.success(request, _("%s removed") % known.name, extra_tags=undo)
    return HttpResponseRedirect(reverse("mail:templates"))


@login_required
@require_POST
def restore(request: HttpRequest, template_id: int) -> HttpResponse:
    try:
        if not keeping.restore(signed_in(request), template_id):
            raise Http404
        messages.success(request, _("Taken back"))
    except keeping.NameTaken:
        messages.error(request, _("Another template has this name meanwhile"))
    return HttpResponseRedirect(reverse("mail:templates"))


@login_required
@require_GET
def filled(request: HttpRequest, template_id: int) -> JsonResponse:
    """Subject and text for whom ``to`` names."""
    user = signed_in(request)
    found = templates.filled(access.text_template(user, template_id), user, to=request.GET.get("to", "")[:2_000])
    return JsonResponse({"subject": found.subject, "html": found.html})
