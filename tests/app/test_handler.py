"""The ASGI handler: one thread a request, every response closed once, and a stream ends when its reader goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.core import signals
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

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
