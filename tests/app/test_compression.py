"""What goes over the wire compressed, what does not, and that equal pages do not come out equally long (BREACH)."""

from __future__ import annotations

import gzip

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from webmail.middleware import Compression, accepts_gzip

PAGE = b"<p>The tide table</p>" * 100


def answered(response: HttpResponse | StreamingHttpResponse, accepts: str = "gzip, deflate, br") -> HttpResponse:
    request = HttpRequest()
    request.META["HTTP_ACCEPT_ENCODING"] = accepts
    return Compression(lambda _: response)(request)  # type: ignore[arg-type,return-value]  # streams too


def test_a_page_is_packed_and_comes_out_whole() -> None:
    response = HttpResponse(PAGE, headers={"ETag": '"abc"', "Content-Length": str(len(PAGE))})
    packed = answered(response)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] == 'W/"abc"'
    assert packed.headers["Content-Length"] == str(len(packed.content))
    assert len(packed.content) < len(PAGE) // 5
    assert gzip.decompress(packed.content) == PAGE


def test_the_same_page_differs_in_length_from_time_to_time() -> None:
    assert len({len(answered(HttpResponse(PAGE)).content) for _ in range(50)}) > 5


@pytest.mark.parametrize(
    ("response", "accepts"),
    [
        (HttpResponse(PAGE), ""),
        (HttpResponse(PAGE), "br, gzip;q=0"),
        (HttpResponse(PAGE), "gzip; q=0.000"),
        (HttpResponse(b"short"), "gzip"),
        (HttpResponse(PAGE, headers={"Content-Encoding": "identity"}), "gzip"),
        (StreamingHttpResponse([PAGE]), "gzip"),
        (HttpResponse(bytes(range(256))), "gzip"),
    ],
    ids=["not asked", "refused", "refused in words", "short", "encoded already", "streamed", "does not shrink"],
)
def test_what_is_sent_as_it_is(response: HttpResponse, accepts: str) -> None:
    before = b"" if response.streaming else response.content
    sent = answered(response, accepts)
    assert sent.headers.get("Content-Encoding") != "gzip"
    assert sent.streaming or sent.content == before


@pytest.mark.parametrize("header", ["gzip", "GZIP", "deflate, gzip;q=1.0, *;q=0.5", "gzip ; q=0.5"])
def test_gzip_is_taken(header: str) -> None:
    assert accepts_gzip(header)
