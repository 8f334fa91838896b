"""How the web process answers a request: in one thread, or from the event loop where a body streams."""

import asyncio
import logging
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

log = logging.getLogger(__name__)
REQUESTS_AT_ONCE = 64  # of a process; further ones wait their turn, open event streams do not count


FORM_ROOM = 20 * 2**20  # octets of a form beside its files: the text twice, the names of fields, MIME


class TooLong(Exception):
    """A request has more octets than any form here."""


class OneThreadHandler(ASGIHandler):
    """Answers a request in one thread, entered once: its signals, its middleware, its view, its database connection.

    Django's own handler makes a thread for every request and changes to it for the signals and for every hook of a
    middleware that is not written for asyncio, which costs more than the work of a small page. Here threads are kept.
    A body that streams is sent from the event loop, and what its iterator hands to threads gets one of its own.

    A request that is longer than any form is refused by its length, or where it goes too far: what is sent would lie on
    the disk before anybody knows who sends it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        await self.handle(scope, receive, send)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """One request from its first byte to the last of its answer."""
        try:
            body = await self._read(scope, receive)
        except RequestAborted:
            return
        except TooLong:
            log.warning("a request for %s was longer than any form", scope["path"])
            await self.send_response(_too_long(), send)
            return
        with closing(body):
            set_script_prefix(get_script_prefix(scope))
            request, response = self.create_request(scope, body)
            if request is not None:
                answer = sync_to_async(self._answer, thread_sensitive=False, executor=self._threads)
                response = await answer(request, scope)
            assert response is not None  # there is a request, or what is said instead
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)

    async def _read(self, scope: Any, receive: Any) -> IO[bytes]:
        """The body, from memory or a file. Raises RequestAborted, TooLong."""
        most = settings.MAILROOM["UPLOAD_MAX_BYTES"] + FORM_ROOM
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if told.isdigit() and int(told) > most:
            raise TooLong
        body = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115  the request's
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestAborted
                body.write(message.get("body", b""))
                if body.tell() > most:
                    raise TooLong
                more = message.get("more_body", False)
            body.seek(0)
        except BaseException:
            body.close()
            raise
        return body

    def _answer(self, request: HttpRequest, scope: Any) -> HttpResponseBase:
        signals.request_started.send(sender=type(self), scope=scope)
        response = self.get_response(request)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if response.streaming:
            close_old_connections()  # the thread goes on to other requests while the body is being sent
        else:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Sends the body until it ends or its reader has gone; whatever happens, the response is closed."""
        async with ThreadSensitiveContext():
            sending = asyncio.ensure_future(self.send_response(response, send))
            leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
            try:
                await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                leaving.cancel()
                sent, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
                await sync_to_async(response.close)()
        if isinstance(sent, Exception):
            raise sent


def _too_long() -> HttpResponse:
    """Said before anybody is known, so in no language but the code's own."""
    words = f"413 One message carries at most {settings.MAILROOM['UPLOAD_MAX_BYTES'] // 2**20} MB of attachments."
    return HttpResponse(words, status=413, content_type="text/plain; charset=utf-8")
