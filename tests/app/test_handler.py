"""The ASGI handler: one thread a request, every response closed once, and a stream ends when its reader goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.core import signals
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import override_settings

from webmail.handler import OneThreadHandler

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
View = Callable[[HttpRequest], HttpResponseBase]
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "scheme": "http",
    "headers": [(b"host", b"127.0.0.1")],
}


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Its result; in a thread of its own, since a browser test before this one leaves its loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Client:
    """What a server would hand to the application; the reader goes away when `gone` is set."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def handler(view: View) -> OneThreadHandler:
    made = OneThreadHandler()
    made.get_response = view  # type: ignore[method-assign,assignment]  # the middleware is not what is tested
    return made


@pytest.fixture
def finished() -> Iterator[list[int]]:
    """The thread of each request_finished."""
    seen: list[int] = []

    def note(**_: object) -> None:
        seen.append(threading.get_ident())

    signals.request_finished.connect(note, weak=False)
    yield seen
    signals.request_finished.disconnect(note)


def test_a_page_is_made_and_closed_in_one_thread(finished: list[int]) -> None:
    threads: list[int] = []

    def view(request: HttpRequest) -> HttpResponse:
        threads.append(threading.get_ident())
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
        return HttpResponse(b"tide table")

    async def one_by_one() -> list[Client]:
        clients = [Client() for _ in range(20)]
        application = handler(view)
        for client in clients:
            await application(SCOPE, client.receive, client.send)
        return clients

    for client in finish(one_by_one()):
        assert client.sent[0]["status"] == 200
        assert client.body == b"tide table"
    assert finished == threads
    assert threading.get_ident() not in threads
    assert len(set(threads)) <= 3  # it is kept; one that is not idle yet when the next request comes gets company


def test_a_stream_ends_when_its_reader_goes(finished: list[int]) -> None:
    ended: list[str] = []

    async def events() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"event\n"
                await asyncio.sleep(0.01)
        finally:
            ended.append("ended")

    async def leave() -> Client:
        client = Client()
        serving = asyncio.create_task(
            handler(lambda _: StreamingHttpResponse(events()))(SCOPE, client.receive, client.send)
        )
        while len(client.sent) < 3:
            await asyncio.sleep(0.01)
        client.gone.set()
        await asyncio.wait_for(serving, 5)
        return client

    client = finish(leave())
    assert client.body.startswith(b"event\nevent\n")
    assert ended == ["ended"]
    assert len(finished) == 1


def test_a_stream_holds_no_connection_of_the_thread_that_began_it() -> None:
    held: list[bool] = []

    def view(request: HttpRequest) -> StreamingHttpResponse:
        connection = connections["default"]
        connection.ensure_connection()

        async def late() -> AsyncIterator[bytes]:
            held.append(connection.connection is not None)
            yield b"words"

        return StreamingHttpResponse(late())

    async def once() -> Client:
        client = Client()
        await handler(view)(SCOPE, client.receive, client.send)
        return client

    assert finish(once()).body == b"words"
    assert held == [False]


def test_what_breaks_in_a_stream_is_not_hidden(finished: list[int]) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("the disk is gone")

    async def once() -> None:
        client = Client()
        await handler(lambda _: StreamingHttpResponse(broken()))(SCOPE, client.receive, client.send)

    with pytest.raises(OSError, match="the disk is gone"):
        finish(once())
    assert len(finished) == 1


def test_a_request_whose_body_never_comes_is_dropped() -> None:
    async def once() -> Client:
        client = Client()
        client._asked = True
        client.gone.set()
        await handler(lambda _: HttpResponse(b""))(SCOPE, client.receive, client.send)
        return client

    assert finish(once()).sent == []


def test_only_http_is_served() -> None:
    with pytest.raises(ValueError, match="websocket"):
        finish(handler(lambda _: HttpResponse())({"type": "websocket"}, Client().receive, Client().send))


# --- what is too long ------------------------------------------------------------------------------------------------


class Pours(Client):
    """A client that sends without end, a mebibyte at a time, and counts what was taken."""

    taken = 0

    async def receive(self) -> dict[str, Any]:
        self.taken += 1
        return {"type": "http.request", "body": b"x" * 2**20, "more_body": True}


@pytest.mark.parametrize("told", [None, b"0", b"-1", b"many"])
def test_a_body_without_end_is_taken_no_further_than_any_form(told: bytes | None) -> None:
    client = Pours()
    headers = [] if told is None else [(b"content-length", told)]
    scope = {**SCOPE, "method": "POST", "path": "/signin/", "headers": [*SCOPE["headers"], *headers]}
    with override_settings(MAILROOM={**settings.MAILROOM, "UPLOAD_MAX_BYTES": 2**20}):
        finish(handler(never)(scope, client.receive, client.send))
    assert client.sent[0]["status"] == 413
    assert b"at most 1 MB" in client.body
    assert client.taken <= 23


def test_four_gigabytes_are_refused_before_they_come() -> None:
    client = Pours()
    scope = {**SCOPE, "method": "POST", "headers": [*SCOPE["headers"], (b"content-length", b"%d" % 2**32)]}
    finish(handler(never)(scope, client.receive, client.send))
    assert (client.sent[0]["status"], client.taken) == (413, 0)


def test_what_a_form_may_have_is_taken_whole() -> None:
    most = settings.MAILROOM["UPLOAD_MAX_BYTES"]
    seen: list[int] = []

    class Sends(Client):
        async def receive(self) -> dict[str, Any]:
            self.taken = getattr(self, "taken", 0) + 1
            return {"type": "http.request", "body": b"x" * 2**20, "more_body": self.taken < most // 2**20}

    def view(request: HttpRequest) -> HttpResponse:
        while piece := request.read(2**20):
            seen.append(len(piece))
        return HttpResponse(b"")

    client = Sends()
    scope = {**SCOPE, "method": "POST", "headers": [*SCOPE["headers"], (b"content-length", b"%d" % most)]}
    finish(handler(view)(scope, client.receive, client.send))
    assert (client.sent[0]["status"], sum(seen)) == (200, most)


def never(request: HttpRequest) -> HttpResponse:
    raise AssertionError("nobody is to see it")
