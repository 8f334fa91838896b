"""What CardDAV servers say, read; addresses people type, understood; XML that means harm, refused."""

import pytest

from webmail.protocols import carddav, dav
from webmail.protocols.dav_xml import DEEPEST, parse
from webmail.protocols.dav_xml import dav as name
from webmail.protocols.errors import AuthenticationFailed, HostNotAllowed, ProtocolViolation
from webmail.protocols.net import Credential, Endpoint, Secret


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("example.org", ("https://example.org/.well-known/carddav", "https://example.org/")),
        ("me@example.org", ("https://example.org/.well-known/carddav", "https://example.org/")),
        ("https://dav.example.org", ("https://dav.example.org/.well-known/carddav", "https://dav.example.org")),
        ("https://x.example/dav/me/", ("https://x.example/dav/me/", "https://x.example/.well-known/carddav")),
        ("x.example/dav", ("https://x.example/dav", "https://x.example/.well-known/carddav")),
        ("x.example:5232", ("https://x.example:5232/.well-known/carddav", "https://x.example:5232/")),
        ("me@fastmail.com", ("https://carddav.fastmail.com/",)),
        ("me@bücher.example", ("https://xn--bcher-kva.example/.well-known/carddav", "https://xn--bcher-kva.example/")),
        (
            "https://bücher.example/é/",
            ("https://xn--bcher-kva.example/%C3%A9/", "https://xn--bcher-kva.example/.well-known/carddav"),
        ),
        ("no such thing", ()),
        ("", ()),
    ],
)
def test_what_people_type(typed: str, places: tuple[str, ...]) -> None:
    assert carddav.candidates(typed) == places


@pytest.mark.parametrize(
    ("href", "same"),
    [
        ("/b/a%20b.vcf", "/b/a b.vcf"),
        ("/b/%41.vcf", "/b/A.vcf"),
        ("/b/a%2fb.vcf", "/b/a%2Fb.vcf"),
        ("/b/ü", "/b/%C3%BC"),
    ],
)
def test_hrefs_are_compared_in_one_form(href: str, same: str) -> None:
    assert carddav.normal(href) == carddav.normal(same)


def test_a_slash_in_a_name_is_none_of_the_path() -> None:
    assert carddav.normal("/b/a%2Fb.vcf") != carddav.normal("/b/a/b.vcf")


@pytest.mark.parametrize(
    "text",
    [
        b"<!DOCTYPE m><m/>",
        b'<!DOCTYPE m [<!ENTITY a "b">]><m>&a;</m>',
        b'<!DOCTYPE m SYSTEM "http://127.0.0.1/x.dtd"><m/>',
        b'<!DOCTYPE m [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><m/>',
        b"<m>&undefined;</m>",
        b"<m",
        b"",
        b"\xff\xfe\x00",
        b"<a>" * (DEEPEST + 1),
        b'<?xml version="1.0" encoding="made-up"?><m/>',
    ],
)
def test_harmful_xml_is_refused(text: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse(text)


def test_text_that_comes_in_very_many_pieces_is_joined_once() -> None:
    root = parse(b'<multistatus xmlns="DAV:"><x>' + b"&amp;\n" * 200_000 + b"</x></multistatus>")
    assert root.said(name("x")).count("&") == 200_000


@pytest.mark.parametrize(
    "url",
    [
        "http://x.example/",
        "https://u:p@x.example/",
        "https://x.example\\@127.0.0.1/",
        "https://",
        "https://x.example/a b",
        "https://x.example/\r\nHost: y",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
def test_only_plain_https_is_asked(url: str) -> None:
    with pytest.raises(HostNotAllowed):
        dav.split(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "[::1]", "169.254.169.254", "192.168.1.1"])
def test_private_networks_are_refused(host: str) -> None:
    session = dav.Session(lambda host, port: Endpoint(host, port, "tls"), Credential("u", Secret("p")))
    with pytest.raises(HostNotAllowed):
        session.ask("PROPFIND", f"https://{host}/", largest=10)
    with pytest.raises(HostNotAllowed):
        session.ask("PROPFIND", "https://8.8.8.8:22/", largest=10)


def test_a_user_name_with_a_colon_cannot_sign_in() -> None:
    with pytest.raises(AuthenticationFailed):
        dav.Session(lambda host, port: Endpoint(host, port, "tls"), Credential("a:b", Secret("p")))
