"""Files to the browser in constant memory, under whichever server runs the view, and ranges of them (RFC 9110)."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import IO, Protocol

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Readable(Protocol):
    """What is read in pieces and closed at the end."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> object: ...


def file_response(request: HttpRequest, file: Readable, *, size: int | None = None) -> StreamingHttpResponse:
    """The file in pieces, closed at its end; under ASGI Django would gather a plain iterator whole first."""
    pieces = _async_pieces(file) if isinstance(request, ASGIRequest) else _pieces(file)
    response = StreamingHttpResponse(pieces)
    if size is not None:
        response.headers["Content-Length"] = str(size)
    response.headers["Content-Encoding"] = "identity"  # pictures and archives do not shrink, and memory stays flat
    return response


def ranged_response(request: HttpRequest, file: IO[bytes], *, size: int, etag: str) -> StreamingHttpResponse:
    """The file, or the one range of it that was asked for (RFC 9110 section 14): players seek by it.

    Several ranges at once, and a range of another version of the file, are answered with all of it.
    """
    wanted = request.headers.get("Range", "")
    same = request.headers.get("If-Range", f'"{etag}"') == f'"{etag}"'
    span = _span(wanted, size) if wanted and same else (0, size - 1)
    if span is None:
        file.close()
        response = StreamingHttpResponse(status=416)
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    first, last = span
    file.seek(first)
    whole = (first, last) == (0, size - 1)
    response = file_response(request, file if whole else _Window(file, last + 1 - first), size=last + 1 - first)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = f'"{etag}"'
    if wanted and not whole:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """First and last octet; None when none of them exists. What is no single range asks for everything."""
    match = _RANGE.fullmatch(wanted.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return 0, size - 1
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return 0, size - 1
    return (first, last) if first <= last else None


class _Window:
    """So many octets of a file from where it stands."""

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file, self._left = file, left

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._file.close()


def _pieces(file: Readable) -> Iterator[bytes]:
    try:
        while piece := file.read(_PIECE):
            yield piece
    finally:
        file.close()


async def _async_pieces(file: Readable) -> AsyncIterator[bytes]:
    try:
        while piece := await sync_to_async(file.read)(_PIECE):
            yield piece
    finally:
        await sync_to_async(file.close)()
