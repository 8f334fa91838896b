"""The way out to web servers, against a server on this machine that answers for names nobody owns."""

from collections.abc import Sequence

import pytest

from tests.support.pictures import PictureServer
from webmail.protocols import egress
from webmail.protocols.egress import Target, parse
from webmail.protocols.errors import HostNotAllowed, MailServerError, ProtocolViolation, Unreachable

ACCEPT = "image/png,image/jpeg"


def get(server: PictureServer, path: str, *, largest: int = 1000, patience: float = 10.0) -> bytes:
    url = f"https://pictures.test{path}"
    return egress.get(url, accept=ACCEPT, largest=largest, patience=patience, detours={"test": server.port})


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a.example", Target("http", "a.example", 80, "/")),
        ("HTTPS://A.Example:443/x?y=1#z", Target("https", "a.example", 443, "/x?y=1")),
        ("https://bücher.example/a b", Target("https", "xn--bcher-kva.example", 443, "/a%20b")),
        ("https://a.example/ü?q=ä&r=%20", Target("https", "a.example", 443, "/%C3%BC?q=%C3%A4&r=%20")),
        ("http://[2a00:1450::1]/", Target("http", "2a00:1450::1", 80, "/")),
        ("http://a.example:443/", Target("http", "a.example", 443, "/")),
    ],
)  # fmt: skip
def test_urls_as_requests(url: str, target: Target) -> None:
    assert parse(url) == target


def test_host_field_names_a_port_only_where_it_is_another() -> None:
    assert parse("http://a.example/").authority == "a.example"
    assert parse("http://a.example:443/").authority == "a.example:443"
    assert parse("https://[2a00:1450::1]/").authority == "[2a00:1450::1]"


def test_what_the_server_learns(pictures: PictureServer) -> None:
    """Criterion S14: one fixed User-Agent and nothing of the person."""
    pictures.serve("/a.png?b=c", b"picture")
    assert get(pictures, "/a.png?b=c") == b"picture"
    assert pictures.asked == [
        {
            "path": "/a.png?b=c",
            "method": "GET",
            "Host": "pictures.test",
            "User-Agent": egress.USER_AGENT,
            "Accept": ACCEPT,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
    ]


def test_three_redirects_are_followed_and_no_more(pictures: PictureServer) -> None:
    for number in range(5):
        pictures.redirect(f"/{number}", f"/{number + 1}" if number % 2 else f"http://other.test/{number + 1}")
    pictures.serve("/5", b"picture")
    assert get(pictures, "/2") == b"picture"
    with pytest.raises(ProtocolViolation):
        get(pictures, "/1")
    assert pictures.paths == ["/2", "/3", "/4", "/5", "/1", "/2", "/3", "/4"]


def test_cookies_of_one_hop_are_not_told_to_the_next(pictures: PictureServer) -> None:
    pictures.raw("/a", b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: who=you\r\nContent-Length: 0\r\n\r\n")
    pictures.serve("/b", b"picture")
    get(pictures, "/a")
    assert all("Cookie" not in one and "Referer" not in one for one in pictures.asked)


def test_chunks_are_put_together(pictures: PictureServer) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pictures.raw("/", head, b"4\r\npict\r\n", b"3\r\nure\r\n0\r\n\r\n")
    assert get(pictures, "/") == b"picture"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
        b"* OK IMAP4rev1 ready\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"",
    ],
)
def test_answers_that_are_none(pictures: PictureServer, answer: bytes) -> None:
    pictures.raw("/", answer)
    with pytest.raises(MailServerError) as caught:
        get(pictures, "/")
    assert "pictures.test" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "endless"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
    ],
)
def test_time_is_over_for_who_drips(pictures: PictureServer, first: bytes, endless: bytes) -> None:
    pictures.raw("/", first, endless=endless)
    with pytest.raises(MailServerError):
        get(pictures, "/", patience=0.6)


def test_a_name_that_nobody_answers_for_is_given_up(pictures: PictureServer) -> None:
    def silent(host: str, port: int) -> Sequence[str]:
        pictures.held.wait(20)
        return ["8.8.8.8"]

    with pytest.raises(Unreachable):
        egress.get("http://slow.example.org/", accept=ACCEPT, largest=10, patience=0.3, resolver=silent)


@pytest.mark.parametrize("host", ["pictures.test.evil.org", "test", "picturestest", "example.com", "localhost"])
def test_a_detour_is_for_names_that_nobody_owns(
    host: str, pictures: PictureServer, connects: list[tuple[str, int]]
) -> None:
    detours = {"test": pictures.port, "org": pictures.port, "com": pictures.port, "localhost": pictures.port}
    try:
        egress.get(f"http://{host}/", accept=ACCEPT, largest=10, detours=detours, resolver=lambda *_: ["8.8.8.8"])
    except (HostNotAllowed, Unreachable, ProtocolViolation):
        pass
    assert (("127.0.0.1", pictures.port) in connects) == (host == "test")
