"""Sending a message on as it is: a page with whom to and from which address."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from webmail.forms.composing import RedirectForm
from webmail.queries import composing
from webmail.queries.nav import nav
from webmail.services import outbox, redirecting

from .arriving import whole_message
from .lists import person, signed_in


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def redirect(request: HttpRequest, message_id: int) -> HttpResponse:
    """The whole message is fetched before the page shows, so that sending it on waits for nothing."""
    whole = whole_message(request, message_id)
    if isinstance(whole, HttpResponse):
        return whole
    original, digest = whole
    user = signed_in(request)
    form = RedirectForm(request.POST or None, user=user, initial={"identity": composing.identity_for(user, original)})
    if request.method == "POST" and form.is_valid():
        try:
            outgoing = redirecting.redirect(form.cleaned_data["identity"], original, digest, to=form.cleaned_data["to"])
        except outbox.NotReady as refused:
            for field, words in refused.errors.items():
                form.add_error(field or None, words)
        else:
            undo = reverse("mail:outgoing_do", args=[outgoing.pk, "undo"]) if user.undo_send_seconds else ""
            messages.success(request, _("Sending"), extra_tags=undo)
            return HttpResponseRedirect(reverse("mail:outgoing", args=[outgoing.pk]))
    context = {
        "nav": nav(user, current="compose"),
        "person": person(user),
        "form": form,
        "original": original,
    }
    return render(request, "compose/redirect.html", context, status=422 if form.is_bound else 200)
