"""One POST to a web server that mail names: what it says, and what is known of it afterwards."""

import pytest

from tests.support.pictures import PictureServer
from webmail.protocols import egress
from webmail.protocols.errors import HostNotAllowed, MailServerError, Unreachable


def post(server: PictureServer, url: str = "https://news.test/u?1", patience: float = 10.0) -> int | None:
    return egress.post(url, b"a=b", patience=patience, detours={"test": server.port})


def test_what_the_server_learns(pictures: PictureServer) -> None:
    pictures.serve("/u?1", b"never read", Set_Cookie="who=you")
    assert post(pictures) == 200
    assert pictures.asked == [
        {
            "path": "/u?1",
            "method": "POST",
            "Host": "news.test",
            "User-Agent": egress.POST_AGENT,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": "3",
            "Connection": "close",
        }
    ]


def test_redirects_are_answers(pictures: PictureServer) -> None:
    pictures.redirect("/u?1", "/elsewhere")
    assert post(pictures) == 302
    assert pictures.paths == ["/u?1"]


@pytest.mark.parametrize("answer", [b"", b"* OK IMAP4rev1 ready\r\n", b"HTTP/1.1 all good\r\n\r\n"])
def test_no_answer_is_none(pictures: PictureServer, answer: bytes) -> None:
    pictures.raw("/u?1", answer)
    assert post(pictures) is None
    assert len(pictures.asked) == 1


def test_who_drips_is_left(pictures: PictureServer) -> None:
    pictures.raw("/u?1", b"HTTP/1.1 200 OK\r\n", endless=b"X: y\r\n")
    assert post(pictures, patience=0.5) is None


@pytest.mark.parametrize("url", ["http://news.test/u", "https://u@news.test/", "https://news.test:8443/", "file:///x"])
def test_only_https(pictures: PictureServer, url: str) -> None:
    with pytest.raises(HostNotAllowed):
        post(pictures, url)
    assert pictures.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_only_public_addresses(address: str, connects: list[tuple[str, int]]) -> None:
    with pytest.raises(HostNotAllowed):
        egress.post("https://news.example.org/", b"a=b", resolver=lambda host, port: [address])
    assert connects == []


def test_nobody_there_is_an_error_since_nothing_was_handed_over(connects: list[tuple[str, int]]) -> None:
    with pytest.raises(MailServerError) as caught:
        egress.post("https://news.example.org/", b"a=b", resolver=lambda host, port: ["8.8.8.8"])
    assert isinstance(caught.value, Unreachable)
