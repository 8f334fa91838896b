"""One text to each person of a table: the table, a look at every message, the making and its progress. One address."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from webmail.forms.composing import SendTimeForm
from webmail.forms.merging import ColumnForm, TableForm
from webmail.models import Draft, MailMerge
from webmail.queries import access
from webmail.queries import merging as reading
from webmail.queries.nav import nav
from webmail.services import merging, outbox

from .composing import number, open_composer
from .htmx import page
from .lists import person, signed_in


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def merge(request: HttpRequest, draft_id: int) -> HttpResponse:
    """``row`` of a visit is the message to look at. ``do`` of a post: table, column, begin, stop, on, back, aside."""
    user = signed_in(request)
    draft = access.draft(user, draft_id)
    found = MailMerge.objects.filter(draft=draft, user=user).select_related("draft__account__outgoing").first()
    if found is None and draft.closed_at:
        raise Http404
    if request.method != "POST":
        return _page(request, draft, found)
    do = request.POST.get("do", "")
    if do == "table":
        return _table(request, draft, found)
    if do == "back" and found is None:  # pressed twice
        return HttpResponseRedirect(request.path)
    act = _ACTS.get(do)
    if act is None or found is None:
        raise Http404
    return act(request, found)


def _page(
    request: HttpRequest,
    draft: Draft,
    found: MailMerge | None,
    *,
    form: TableForm | None = None,
    problems: dict[str, str] | None = None,
) -> HttpResponse:
    user = signed_in(request)
    context: dict[str, Any] = {
        "nav": nav(user, current="compose"),
        "person": person(user),
        "draft": draft,
        "edit_url": f"{reverse('mail:compose')}?draft={draft.pk}",
        "merge": found,
        "form": form or TableForm(),
        "problems": problems or {},
    }
    if found is not None and found.state == MailMerge.State.OPEN:
        context |= _look(request, found)
    elif found is not None:
        context["progress"] = reading.progress(found)
    return page(request, "compose/merge.html", context, region="merging", status=422 if problems or form else 200)


def _look(request: HttpRequest, found: MailMerge) -> dict[str, Any]:
    asked = request.GET.get("row", "1")
    at = min(max(number(asked), 1), found.total) if asked.isdecimal() else 1
    left_out = reading.without_address(found)
    return {
        "row": reading.filled_row(found, at - 1),
        "before": f"?row={at - 1}" if at > 1 else "",
        "after": f"?row={at + 1}" if at < found.total else "",
        "unknown": reading.unknown_names(found),
        "left_out": left_out,
        "count": found.total - left_out,
        "column_form": ColumnForm(merge=found),
    }


def _table(request: HttpRequest, draft: Draft, found: MailMerge | None) -> HttpResponse:
    form = TableForm(request.POST, request.FILES)
    if found is not None and found.state != MailMerge.State.OPEN:
        raise Http404
    if not form.is_valid():
        return _page(request, draft, found, form=form)
    try:
        merging.lay_beside(draft, form.cleaned_data["table"])
    except outbox.NotReady:
        raise Http404 from None
    return HttpResponseRedirect(request.path)


def _column(request: HttpRequest, found: MailMerge) -> HttpResponse:
    form = ColumnForm(request.POST, merge=found)
    if not form.is_valid():
        raise Http404
    merging.choose_column(found, form.cleaned_data["column"])
    return HttpResponseRedirect(request.path)


def _begin(request: HttpRequest, found: MailMerge) -> HttpResponse:
    at = None
    if request.POST.get("when") == "later":
        form = SendTimeForm({"send_at": request.POST.get("send_at", "")})
        if not form.is_valid():
            return _page(
                request,
                found.draft,
                found,
                problems={"send_at": " ".join(str(word) for word in form.errors["send_at"])},
            )
        at = form.cleaned_data["send_at"]
    try:
        merging.begin(found, send_after=at)
    except outbox.NotReady as refused:
        return _page(request, found.draft, found, problems={"": " ".join(refused.errors.values())})
    return HttpResponseRedirect(request.path)


def _stop(request: HttpRequest, found: MailMerge) -> HttpResponse:
    merging.stop(found)
    return HttpResponseRedirect(request.path)


def _on(request: HttpRequest, found: MailMerge) -> HttpResponse:
    merging.go_on(found)
    return HttpResponseRedirect(request.path)


def _back(request: HttpRequest, found: MailMerge) -> HttpResponse:
    count = merging.take_back(found)
    words = ngettext("%(count)d message was taken back", "%(count)d messages were taken back", count)
    messages.success(request, words % {"count": count} if count else _("All messages have left already"))
    return HttpResponseRedirect(request.path)


def _aside(request: HttpRequest, found: MailMerge) -> HttpResponse:
    merging.put_aside(found)
    return open_composer(request, f"draft={found.draft_id}")


_ACTS: dict[str, Callable[[HttpRequest, MailMerge], HttpResponse]] = {
    "column": _column,
    "begin": _begin,
    "stop": _stop,
    "on": _on,
    "back": _back,
    "aside": _aside,
}
