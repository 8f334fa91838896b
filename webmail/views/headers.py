"""Every header field of one message as a page; the whole message is fetched for it where it is not here."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from webmail.queries import headers as reading
from webmail.queries.nav import nav

from .arriving import whole_message
from .lists import person, signed_in


@login_required
@require_GET
def headers(request: HttpRequest, message_id: int) -> HttpResponse:
    whole = whole_message(request, message_id)
    if isinstance(whole, HttpResponse):
        return whole
    found, digest = whole
    user = signed_in(request)
    source_url = reverse("mail:source", args=[found.pk])
    context = {
        "nav": nav(user, current="mailbox"),
        "person": person(user),
        "subject": found.subject or gettext("(no subject)"),
        "fields": reading.fields(found, digest),
        "source_url": source_url,
        "file_url": f"{source_url}?download=1",
    }
    return render(request, "mail/headers.html", context)
