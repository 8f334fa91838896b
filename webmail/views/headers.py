"""Every header field of one message as a page; the whole message is fetched for it where it is not here."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from webmail.queries import access
from webmail.queries import headers as reading
from webmail.queries.nav import nav

from .arriving import fetched_or_page
from .lists import person, signed_in


@login_required
@require_GET
def headers(request: HttpRequest, message_id: int) -> HttpResponse:
    user = signed_in(request)
    found = access.message(user, message_id)
    if found.extra.get("not_downloaded"):
        raise Http404  # only its beginning is here, and no worker brings the rest unasked
    digests = fetched_or_page(request, found, {"": found.size})
    if isinstance(digests, HttpResponse):
        return digests
    source_url = reverse("mail:source", args=[found.pk])
    context = {
        "nav": nav(user, current="mailbox"),
        "person": person(user),
        "subject": found.subject or gettext("(no subject)"),
        "fields": reading.fields(found, digests[""]),
        "source_url": source_url,
        "file_url": f"{source_url}?download=1",
    }
    return render(request, "mail/headers.html", context)
