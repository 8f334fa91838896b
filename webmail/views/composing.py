"""Writing: one page, one form, one address to post to. Opening writes nothing; the first save makes the draft.

A form gets a page back (422 with what is wrong beside the fields), a script that asks for JSON gets the same as data.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.formats import time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from webmail.forms.composing import HEADERS, ComposeForm, SendTimeForm
from webmail.jobs import Job, enqueue
from webmail.mime.mailto import read_mailto
from webmail.models import Draft, Message, MessageBody, Outgoing, Upload
from webmail.queries import access, composing, drafting
from webmail.queries.drafting import Sheet
from webmail.queries.nav import nav
from webmail.queries.outbox import day_and_time
from webmail.render.text import plain_to_html
from webmail.services import drafts, outbox

from .arriving import until
from .lists import person, signed_in

MOST_FILES = 100
UNDO_SHOWN_SECONDS = 10
_FIELD = 60_000  # characters of a field of recipients


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def compose(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _posted(request, signed_in(request))
    sheet = _opening(request, signed_in(request))
    if sheet is None:
        messages.info(request, _("That message was sent or discarded already."))
        return HttpResponseRedirect(reverse("mail:home"))
    return show(request, sheet)


def show(request: HttpRequest, sheet: Sheet, *, status: int = 200) -> HttpResponse:
    """The composer as a page, or as a window for the script of a page that is open."""
    context: dict[str, Any] = {"sheet": sheet, "uid": f"c{get_random_string(6)}"}
    if "window" in request.GET:
        return render(request, "compose/_window.html", context, status=status)
    if getattr(request, "htmx", None):  # no region of another page holds a composer
        return HttpResponse(status=204, headers={"HX-Redirect": request.get_full_path()})
    user = signed_in(request)
    context |= {"nav": nav(user, current="compose"), "person": person(user), "whole": True}
    return render(request, "compose/compose.html", context, status=status)


def _opening(request: HttpRequest, user: User) -> Sheet | None:
    """What is asked for: a draft, an answer, or a blank sheet. Of a mailto link only these four fields count (S16)."""
    asked = request.GET
    if "draft" in asked:
        draft = access.draft(user, number(asked["draft"]))
        return None if draft.closed_at else drafting.of_draft(user, draft)
    if "reply" in asked:
        return _answer(user, access.message(user, number(asked["reply"])), asked.get("mode", ""))
    link = read_mailto(asked.get("mailto", ""))
    to, subject = _people(asked.get("to")) or link.to, _line(asked.get("subject")) or link.subject
    sheet = drafting.of_opening(user, composing.blank(user, to=to, subject=subject))
    body = (asked.get("body", "") or link.body)[:100_000].replace("\0", "")
    if body:
        html = plain_to_html(body).html + sheet.html
        sheet = replace(sheet, html=html, text=f"{body}\n{sheet.text}")
    return replace(sheet, cc=_people(asked.get("cc")) or link.cc)


def _answer(user: User, original: Message, mode: str) -> Sheet:
    chosen = mode if mode in Draft.ANSWERS | Draft.FORWARDS | {Draft.Mode.AGAIN} else Draft.Mode.REPLY
    goes_on = drafting.is_draft(original)
    if goes_on or chosen in (Draft.Mode.FORWARD, Draft.Mode.AGAIN):
        _await_text(original)
    if goes_on:
        found = composing.go_on(user, original)
        return drafting.of_draft(user, found) if isinstance(found, Draft) else drafting.of_opening(user, found)
    if chosen == Draft.Mode.AGAIN:
        return drafting.of_opening(user, composing.again(user, original))
    return drafting.of_opening(user, composing.answer(user, original, chosen))


def _await_text(original: Message) -> None:
    """What goes on as a whole is fetched first; a server that takes longer than a moment costs its text."""
    known = MessageBody.objects.filter(message=original).exclude(state=MessageBody.State.WANTED)
    if not known.exists() and not original.extra.get("not_downloaded"):
        enqueue(Job.FETCH_BODY, original.pk)
        until(known.first)


def _line(text: str | None, longest: int = 2_000) -> str:
    return " ".join((text or "").replace("\0", "").split())[:longest]


def _people(text: str | None) -> str:
    """As many as a field holds: who is cut off half would be somebody else."""
    line = _line(text, _FIELD + 1)
    return line if len(line) <= _FIELD else line.rpartition(",")[0]


def number(text: str) -> int:
    """An id from a form or an address; anything else is a page that does not exist."""
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


def _posted(request: HttpRequest, user: User) -> HttpResponse:
    data = request.POST
    do = data.get("do", "save")
    draft = access.draft(user, number(data["draft"])) if data.get("draft") else None
    if do == "discard":
        return _discard(request, draft)
    form = ComposeForm(data, user=user)
    original = access.message(user, number(data["original"])) if data.get("original") else None
    leaving = access.upload(user, number(do.removeprefix("remove:"))) if do.startswith("remove:") else None
    if leaving and (draft is None or leaving.draft_id != draft.pk):
        raise Http404
    form.is_valid()
    if "identity" in form.errors:
        return _answered(request, _typed(user, form, draft, original), _words(form), kept=False)
    with transaction.atomic():
        saved, beside = drafts.save(
            user,
            form.kept(draft),
            draft=draft,
            revision=form.cleaned_data.get("revision") or 0,
            mode=form.cleaned_data.get("mode") or Draft.Mode.NEW,
            original=original,
        )
        errors = _words(form)
        if leaving is not None:
            _remove(leaving, saved)
        repeated = saved == draft and saved.revision != (form.cleaned_data.get("revision") or 0) + 1
        if not repeated:
            errors |= attach_all(saved, request.FILES.getlist("files"))
    at = None
    if do.startswith("schedule"):
        at, wrong = _sending_time(do.partition(":")[2] or data.get("send_at", ""))
        errors |= wrong
    if do == "merge" and not errors:
        return HttpResponseRedirect(reverse("mail:merge", args=[saved.pk]))
    leaving_now = at is not None or do == "send"
    if leaving_now and beside and draft is not None:
        errors |= {"": _not_this(draft)}
    if leaving_now and not errors:
        try:
            return _sent(request, outbox.submit(saved, send_after=at))
        except outbox.NotReady as refused:
            errors = refused.errors
    return _answered(request, drafting.of_draft(user, saved), errors, beside=beside, quiet=do == "save")


def _sending_time(typed: str) -> tuple[datetime | None, dict[str, str]]:
    form = SendTimeForm({"send_at": typed})
    return (form.cleaned_data["send_at"], {}) if form.is_valid() else (None, _words(form))


def _not_this(draft: Draft) -> str:
    """Why what was kept beside another version is not sent without asking again."""
    if draft.closed_at:
        return _("This message was sent or discarded already, perhaps in another window. Your version is kept.")
    return _("This draft was changed elsewhere meanwhile. Both versions are kept; Send again sends yours.")


def _typed(user: User, form: ComposeForm, draft: Draft | None, original: Message | None) -> Sheet:
    """What was typed, to show again though it could not be saved."""
    empty = Sheet(choices=drafting.choices(user), mode=form.cleaned_data.get("mode") or Draft.Mode.NEW)
    base = drafting.of_draft(user, draft) if draft else replace(empty, original=original.pk if original else 0)
    headers: dict[str, Any] = {name: form.typed(name) for name in HEADERS}
    text, html = form.cleaned_data.get("text", ""), form.cleaned_data.get("html", "")
    plain = form.cleaned_data.get("format") != "html"
    revision = form.cleaned_data.get("revision") or 0
    return replace(base, **headers, revision=revision, text=text, html=html, plain=plain)


def _words(form: Form) -> dict[str, str]:
    return {name: " ".join(str(error) for error in found) for name, found in form.errors.items()}


def attach_all(draft: Draft, files: list[Any], *, inline: bool = False) -> dict[str, str]:
    """Ties the files to the draft; an error in words for what was too large, the others are kept."""
    errors = {}
    for file in files[:MOST_FILES]:
        try:
            kind, octets = file.content_type or "", file.file or file
            drafts.attach(draft, filename=file.name or "", content_type=kind, file=octets, inline=inline)
        except drafts.TooLarge as refused:
            errors["attachments"] = f"{file.name}: {refused}"
    return errors


def _remove(upload: Upload, draft: Draft) -> None:
    """Takes the file off the draft, or off the one kept beside it, which holds a copy of the entry."""
    if upload.draft_id != draft.pk:
        same = draft.uploads.filter(filename=upload.filename, digest=upload.digest, size=upload.size)
        upload = same.first() or upload
    drafts.detach(upload)


def _discard(request: HttpRequest, draft: Draft | None) -> HttpResponse:
    if draft is not None and draft.closed_at is None:
        drafts.discard(draft)
    undo = reverse("mail:draft_reopen", args=[draft.pk]) if draft else ""
    if wants_data(request):
        return JsonResponse({"discarded": True, "undo_url": undo, "text": _("Draft discarded")})
    messages.success(request, _("Draft discarded"), extra_tags=undo)
    return HttpResponseRedirect(reverse("mail:home"))


@login_required
@require_POST
def reopen(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Takes discarding back, as long as the draft was not sent."""
    draft = access.draft(signed_in(request), draft_id)
    if draft.closed_at and drafts.were_sent(Draft.objects.filter(pk=draft.pk)).exists():
        raise Http404
    drafts.reopen(draft)
    return to_composer(request, draft)


def to_composer(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Opens the composer with the draft: here and now in an open page, else as a page."""
    return open_composer(request, f"draft={draft.pk}")


def open_composer(request: HttpRequest, asked: str) -> HttpResponse:
    """The composer with what a query string asks for."""
    address = f"{reverse('mail:compose')}?{asked}"
    if getattr(request, "htmx", None):
        response = HttpResponse(status=204)
        response.headers["HX-Trigger"] = f'{{"mailroom:compose": {{"url": "{address}"}}}}'
        return response
    return HttpResponseRedirect(address)


def _sent(request: HttpRequest, outgoing: Outgoing) -> HttpResponse:
    """``waits``: it leaves later, so that the seconds are only how long Undo is shown."""
    if not wants_data(request):
        return HttpResponseRedirect(reverse("mail:outgoing", args=[outgoing.pk]))
    told = {"sent": outgoing.pk, "waits": outgoing.scheduled, "seconds": outgoing.user.undo_send_seconds}
    undo = reverse("mail:outgoing_do", args=[outgoing.pk, "undo"])
    if outgoing.scheduled:
        text = _("Leaves %s") % day_and_time(outgoing.send_after)
        return JsonResponse(told | {"text": text, "undo_url": undo, "seconds": UNDO_SHOWN_SECONDS})
    seconds = told["seconds"]
    return JsonResponse(told | {"text": _("Sending") if seconds else _("Sent"), "undo_url": undo if seconds else ""})


def _answered(
    request: HttpRequest,
    sheet: Sheet,
    errors: dict[str, str],
    *,
    beside: bool = False,
    kept: bool = True,
    quiet: bool = True,
) -> HttpResponse:
    status = 422 if errors else 200
    if wants_data(request):
        return JsonResponse(as_data(sheet, errors, beside=beside), status=status)
    if beside:
        messages.info(request, _("This draft was changed elsewhere meanwhile. Both versions are kept; this is yours."))
    if errors or not kept:
        return show(request, replace(sheet, errors=errors), status=status)
    if quiet:
        messages.success(request, _("Draft saved"))
    return HttpResponseRedirect(f"{reverse('mail:compose')}?draft={sheet.draft}")


def as_data(sheet: Sheet, errors: dict[str, str], *, beside: bool = False) -> dict[str, Any]:
    """The state of a draft for the composer's script."""
    return {
        "draft": sheet.draft,
        "revision": sheet.revision,
        "saved_at": time_format(localtime(sheet.saved_at), "H:i") if sheet.saved_at else "",
        "kept_beside": beside,
        "errors": errors,
        "uploads": [
            {"id": file.id, "name": file.filename, "size": file.size, "kind": file.kind, "cid": file.content_id}
            for file in sheet.files
        ],
    }


def wants_data(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")
