"""S30: what the image proxy refuses to connect to: every literal and name of the list, at once, behind redirects, and
where a name changes its mind. What counts is the socket: nothing is opened.
"""

import socket
from collections.abc import Sequence

import pytest

from tests.support.pictures import PictureServer
from tests.unit.protocols.test_net import FORBIDDEN
from webmail.protocols import egress, net
from webmail.protocols.errors import HostNotAllowed, MailServerError, Unreachable
from webmail.protocols.net import system_resolver

ODD_URLS = [
    "http://user@8.8.8.8/",
    "http://user:word@8.8.8.8/",
    "http://8.8.8.8@127.0.0.1/",
    "http://8.8.8.8\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://127.0.0.1\\.example.org/",
    "//127.0.0.1/",
    "/x.png",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "http://",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:0/",
    "http://8.8.8.8:99999/",
    "https://8.8.8.8:993/",
    "http://8.8.8.8\r\nHost: x/",
    "http://a\tb.example.org/",
    "file:///etc/passwd",
    "gopher://8.8.8.8:80/_GET",
    "ftp://8.8.8.8/x.png",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "HTTP://[::ffff:7f00:1]/",
    "http://[::1%25eth0]/",
    "http://[::1/",
    "http://" + "a" * 300 + ".example.org/",
]


def fetch(url: str, resolver: net.Resolver = system_resolver, **detours: int) -> bytes:
    return egress.get(url, accept="image/png", largest=1000, detours=detours, resolver=resolver)


def resolving(address: str | None) -> net.Resolver:
    return (lambda host, port: [address]) if address else system_resolver


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("host", "resolved"), FORBIDDEN)
def test_s30_forbidden_hosts_are_not_connected_to(
    scheme: str, host: str, resolved: str | None, connects: list[tuple[str, int]]
) -> None:
    with pytest.raises(HostNotAllowed):
        fetch(f"{scheme}://{host}/x.png", resolving(resolved))
    assert connects == []


@pytest.mark.parametrize("url", ODD_URLS)
def test_s30_odd_urls_are_not_connected_to(url: str, connects: list[tuple[str, int]]) -> None:
    with pytest.raises(HostNotAllowed):
        fetch(url)
    assert connects == []


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize(("host", "resolved"), FORBIDDEN)
def test_s30_forbidden_hosts_behind_a_redirect(
    host: str, resolved: str | None, status: int, pictures: PictureServer, connects: list[tuple[str, int]]
) -> None:
    try:
        location = f"http://{host}/x.png".encode("ascii")
    except UnicodeEncodeError:
        location = f"http://{host}/x.png".encode()
    head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
    pictures.raw("/start", head)
    with pytest.raises(HostNotAllowed):
        fetch("https://pictures.test/start", resolving(resolved), test=pictures.port)
    assert connects == [("127.0.0.1", pictures.port)]


@pytest.mark.parametrize("url", [url for url in ODD_URLS if "\r" not in url and url[:1] != "/"])
def test_s30_odd_urls_behind_a_redirect(url: str, pictures: PictureServer, connects: list[tuple[str, int]]) -> None:
    pictures.redirect("/start", url)
    with pytest.raises(MailServerError):
        fetch("https://pictures.test/start", test=pictures.port)
    # what is relative stays with the server that said it; nothing else is opened
    assert set(connects) == {("127.0.0.1", pictures.port)}


def test_s30_the_third_hop_is_judged_like_the_first(pictures: PictureServer, connects: list[tuple[str, int]]) -> None:
    pictures.redirect("/1", "/2")
    pictures.redirect("/2", "/3")
    pictures.redirect("/3", "http://169.254.169.254/latest/meta-data/")
    with pytest.raises(HostNotAllowed):
        fetch("https://pictures.test/1", test=pictures.port)
    assert connects == [("127.0.0.1", pictures.port)] * 3


def test_s30_a_name_that_changes_its_mind_is_asked_once(connects: list[tuple[str, int]]) -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]])

    def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    with pytest.raises(Unreachable):
        fetch("http://rebind.example.org/x.png", rebinding)
    assert connects == [("8.8.8.8", 80)]


def test_s30_one_bad_address_refuses_the_name(connects: list[tuple[str, int]]) -> None:
    with pytest.raises(HostNotAllowed):
        fetch("http://mixed.example.org/", lambda host, port: ["8.8.8.8", "192.168.0.1"])
    assert connects == []


def test_s30_who_was_reached_is_looked_at_again(pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if something on the way led the connection to a public address back into the house."""
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: real(("127.0.0.1", pictures.port)))
    with pytest.raises(HostNotAllowed):
        fetch("http://public.example.org/x.png", lambda host, port: ["8.8.8.8"])
    assert pictures.asked == []
