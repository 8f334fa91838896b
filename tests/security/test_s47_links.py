"""S47: a link that names another site than it leads to is told, with the host it really leads to."""

from html import unescape

import pytest

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db

HEAD = (
    b"From: News <news@shop.test>\r\nTo: alice@harbourlane.example\r\nSubject: Offer\r\nMessage-ID: <s47@shop.test>\r\n"
)
HTML = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
PLAIN = HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def page_of(who: World, raw: bytes) -> str:
    return unescape(who.client.get(address_of(who.inbox, deliver(who.inbox, raw))).content.decode())


@pytest.mark.parametrize(
    ("link", "claimed", "host"),
    [
        ('<a href="https://evil.test/">https://bank.example</a>', "bank.example", "evil.test"),
        ('<a href="https://bank.example.evil.test/">bank.example/login</a>', "bank.example", "bank.example.evil.test"),
        ('<a href="https://bank.example@evil.test/">Sign in</a>', "bank.example", "evil.test"),
        ('<a href="https://аpple.com/">apple.com</a>', "apple.com", "xn--pple-43d.com"),
        ('<a href="https://аpple.com/">Sign in</a>', "look-alike letters", "xn--pple-43d.com"),
        ('<a href="https://evil.test/"><b>bank</b>.example</a>', "bank.example", "evil.test"),
        ('<a href="https://evil.test/">https://ba&#8203;nk.example</a>', "bank.example", "evil.test"),
        ('<a href="https://evil.test/">https://bank.example &ndash; secure</a>', "bank.example", "evil.test"),
        (
            '<style>.n{font-size:0}</style><a href="https://evil.test/">bank.example<i class=n> is safe</i></a>',
            "bank.example",
            "evil.test",
        ),
    ],
)
def test_s47_a_deceptive_link_is_told(alice: World, link: str, claimed: str, host: str) -> None:
    page = page_of(alice, HTML + link.encode())
    assert 'class="trust warn"' in page
    row = page.partition('<table class="trust-links">')[2].partition("</table>")[0].replace("<wbr>", "")
    assert f'{claimed}</bdi></td><td><bdi dir="ltr">{host}</bdi>' in row or (
        f'{claimed}</td><td><bdi dir="ltr">{host}</bdi>' in row
    )


@pytest.mark.parametrize("text", ["Look: https://bank.example@evil.test/login", "Look: https://аpple.com/login"])
def test_s47_so_is_one_in_plain_text(alice: World, text: str) -> None:
    assert '<table class="trust-links">' in page_of(alice, PLAIN + text.encode())


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://click.shop.test/x">www.shop.test</a>',
        '<a href="https://elsewhere.test/">Read more</a>',
        '<a href="https://bücher.test/">bücher.test</a>',
    ],
)
def test_s47_others_are_left_alone(alice: World, link: str) -> None:
    assert "trust-links" not in page_of(alice, HTML + link.encode())


@pytest.mark.parametrize(
    "scheme", ["javascript:alert(1)", "data:text/html,x", "blob:https://x/1", "file:///etc/passwd"]
)
def test_s47_other_schemes_are_gone(alice: World, scheme: str) -> None:
    message = deliver(alice.inbox, HTML + f'<a href="{scheme}">bank.example</a>'.encode())
    assert "href" not in message.body.clean_html
