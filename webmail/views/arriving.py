"""Waiting for files that a worker brings from the mail server: a moment in the request, then on a page of its own."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from webmail import progress
from webmail.jobs import Job, enqueue
from webmail.models import Message
from webmail.queries import access, frames

from .lists import person, signed_in

Found = TypeVar("Found")
_WAIT_SECONDS = 3.0  # how long the first request waits, before a page is shown
_LOOK_SECONDS = 0.05
_AT_ONCE = 4  # files of one message that are asked for at a time


def fetched_or_page(request: HttpRequest, message: Message, sizes: Mapping[str, int]) -> dict[str, str] | HttpResponse:
    """The digests of these parts by path ("" is the whole message), or the page that says how far they are.

    ``sizes`` are about how many octets each will have. The page asks again by itself until all are here.
    """
    user = signed_in(request)
    digests = frames.digests(user.pk, message.pk, sizes)
    missing = [path for path in sizes if not digests[path]]
    if not missing:
        return digests
    if "again" in request.GET:
        for path in missing:
            progress.forget(message.pk, path)
    if not _ask(message, missing):
        ends = time.monotonic() + _WAIT_SECONDS
        while missing and time.monotonic() < ends:
            time.sleep(_LOOK_SECONDS)
            digests = frames.digests(user.pk, message.pk, sizes)
            missing = [path for path in sizes if not digests[path]]
            if any(progress.arriving(message.pk, path).error for path in missing):
                break
    return _page(request, message, sizes, missing) if missing else digests


def whole_message(request: HttpRequest, message_id: int) -> tuple[Message, str] | HttpResponse:
    """A message of the person's and the digest of all of it, or the page that says how far it is.

    Raises Http404 also for one of which only the beginning is here: no worker brings the rest unasked.
    """
    found = access.message(signed_in(request), message_id)
    if found.extra.get("not_downloaded"):
        raise Http404
    digests = fetched_or_page(request, found, {"": found.size})
    return digests if isinstance(digests, HttpResponse) else (found, digests[""])


def until(ready: Callable[[], Found | None]) -> Found | None:
    """What becomes ready within the moment that a request waits for a worker."""
    ends = time.monotonic() + _WAIT_SECONDS
    while (found := ready()) is None and time.monotonic() < ends:
        time.sleep(_LOOK_SECONDS)
    return found


def waiting_page(request: HttpRequest) -> HttpResponse:
    """Says that a worker is at it, and asks again by itself."""
    response = render(request, "mail/fetching.html", {"person": person(signed_in(request))}, status=202)
    response.headers["Refresh"] = "2"
    return response


def _ask(message: Message, missing: list[str]) -> bool:
    """Has the workers bring them; True when they were at it already, so that waiting here helps nobody."""
    states = [progress.arriving(message.pk, path) for path in missing]
    running = sum(state.running for state in states)
    for path, state in zip(missing, states, strict=True):
        if running >= _AT_ONCE:
            break
        if not state.running and not state.error:
            enqueue(Job.FETCH_PART, message.pk, path)
            running += 1
    return any(state.running or state.error for state in states)


def _page(request: HttpRequest, message: Message, sizes: Mapping[str, int], missing: list[str]) -> HttpResponse:
    states = [progress.arriving(message.pk, path) for path in missing]
    error = next((state.error for state in states if state.error), "")
    total = sum(sizes.values())
    here = sum(size for path, size in sizes.items() if path not in missing)
    done = here + sum(min(state.done, sizes[path]) for path, state in zip(missing, states, strict=True))
    asked = request.GET.copy()
    asked["again"] = "1"
    context = {
        "person": person(signed_in(request)),
        "error": _(error) if error else "",
        "done": min(done, total),
        "total": total,
        "percent": 100 * min(done, total) // total if total else 0,
        "again_url": f"{request.path}?{asked.urlencode()}",
    }
    response = render(request, "mail/fetching.html", context, status=503 if error else 202)
    if not error:
        asked.pop("again")
        response.headers["Refresh"] = f"2; url={request.path}?{asked.urlencode()}".removesuffix("?")
    return response
