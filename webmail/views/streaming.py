"""Files to the browser in constant memory, under whichever server runs the view."""

from collections.abc import AsyncIterator, Iterator
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_PIECE = 256 * 1024


def file_response(request: HttpRequest, file: IO[bytes], *, size: int | None = None) -> StreamingHttpResponse:
    """The file in pieces, closed at its end; under ASGI Django would gather a plain iterator whole first."""
    pieces = _async_pieces(file) if isinstance(request, ASGIRequest) else _pieces(file)
    response = StreamingHttpResponse(pieces)
    if size is not None:
        response.headers["Content-Length"] = str(size)
    response.headers["Content-Encoding"] = "identity"  # pictures and archives do not shrink, and memory stays flat
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


async def _async_pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await sync_to_async(file.read)(_PIECE):
            yield piece
    finally:
        await sync_to_async(file.close)()
