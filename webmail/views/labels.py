"""The labels of a person: renamed, coloured, taken off everything. Nothing here needs scripting."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from webmail.forms.labels import LabelForm
from webmail.mime.folder_names import BadName
from webmail.queries import label_list, labels
from webmail.queries.label_list import Label
from webmail.services import own_labels
from webmail.services.ops import done_again

from .acting import bad_label_name, tell
from .lists import signed_in
from .settings import frame


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """A form for each label; ``keyword`` says which was sent, ``do=remove`` that it goes."""
    user = signed_in(request)
    rows = label_list.rows(user)
    forms = [LabelForm(label=label, auto_id=f"l{number}_%s") for number, label in enumerate(rows)]
    lines = list(zip(rows, forms, strict=True))
    if request.method == "POST":
        number = next((n for n, row in enumerate(rows) if row.keyword == request.POST.get("keyword")), None)
        if number is None:
            raise Http404
        label = rows[number]
        if request.POST.get("do") == "remove":
            _remove(request, user, label)
            return HttpResponseRedirect(reverse("mail:labels"))
        form = LabelForm(request.POST, label=label, auto_id=f"l{number}_%s")
        if form.is_valid() and _saved(request, user, label, form):
            return HttpResponseRedirect(reverse("mail:labels"))
        lines[number] = (label, form)
    context = frame(request, "labels") | {"lines": lines}
    return render(request, "settings/labels.html", context, status=422 if request.method == "POST" else 200)


def _saved(request: HttpRequest, user: User, label: Label, form: LabelForm) -> bool:
    hue, name = form.cleaned_data["hue"], form.cleaned_data.get("name", label.name)
    if name != label.name:
        try:
            keyword = labels.typed(name)
        except BadName as error:
            form.add_error("name", bad_label_name(error))
            return False
        if keyword.lower() != label.keyword.lower():
            action = done_again(lambda: own_labels.rename(user, label.keyword, label.spelled, keyword, hue=hue))
            if action is not None:
                tell(request, action)
            else:
                messages.success(request, _("Label renamed"))
            return True
    if hue != label.hue:
        own_labels.colour(user, label.keyword, hue)
    messages.success(request, _("Saved"))
    return True


def _remove(request: HttpRequest, user: User, label: Label) -> None:
    action = done_again(lambda: own_labels.remove(user, label.keyword, label.spelled))
    if action is not None:
        tell(request, action)
    else:
        messages.success(request, _("The label is no longer offered"))
