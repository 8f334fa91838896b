"""Link targets, and links that name another site than they lead to."""

import pytest

from webmail.render.html import sanitize
from webmail.render.links import deceptions
from webmail.render.urls import clean_link
from webmail.render.values import Link, Policy


@pytest.mark.parametrize(
    ("text", "href", "host"),
    [
        ("https://bank.com", "https://evil.test/", "evil.test"),
        ("bank.com/login", "https://bank.com.evil.test/", "bank.com.evil.test"),
        ("https://bank.com", "https://bank.com@evil.test/", "evil.test"),
        ("https://bank.com", "https://evil.test\\@bank.com/", "evil.test"),
        ("www.bank.co.uk", "https://other.co.uk/", "other.co.uk"),
        ("apple.com", "https://аpple.com/", "xn--pple-43d.com"),
        ("аpple.com", "https://apple.com/", "apple.com"),
        ("Sign in", "https://bank.com@evil.test/", "evil.test"),
        ("Sign in", "https://bank.com:x@evil.test/", "evil.test"),
        ("Sign in", "https://bank%2Ecom@evil.test/", "evil.test"),
        ("https://bank.com@evil.test/", "https://bank.com@evil.test/", "evil.test"),
        ("Sign in", "https://аpple.com/", "xn--pple-43d.com"),
        ("https://аpple.com/", "https://аpple.com/", "xn--pple-43d.com"),
    ],
)
def test_a_link_that_names_another_site(text: str, href: str, host: str) -> None:
    (found,) = deceptions([Link(text, href)])
    assert found.host == host


@pytest.mark.parametrize(
    "text",
    [
        "https://ba\u200bnk.com",
        "https://ba\u00adnk.com",
        "ba\u2060nk\ufe0f.com",
        "\u200b" * 400 + "https://bank.com",
        "\u2066https://bank.com\u2069",
        "https://bank\uff0ecom",
        "https://bank\u3002com/login",
        "bank\u2024com",
        "https:// bank.com",
        "https:\\\\bank.com",
        "//bank.com",
        "https://bank.com - secure sign in",
        "https://bank.com<span style='display:none'> x</span>",
        "<b></b>" * 1_000 + "bank.com",
        "\u2192 bank.com",
        "\u201cbank.com\u201d",
        "\u00abbank.com\u00bb",
    ],
)
def test_s47_what_a_reader_takes_for_an_address_counts_as_one(text: str) -> None:
    found = sanitize(f'<a href="https://evil.test/">{text}</a>', policy=Policy(cid_url=lambda _cid: None))
    (deception,) = deceptions(found.links)
    assert (deception.claimed, deception.host) == ("bank.com", "evil.test")


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("Click here", "https://evil.test/"),
        ("https://bank.com", "https://click.bank.com/x"),
        ("www.bank.co.uk", "https://bank.co.uk/"),
        ("bank.com", "mailto:a@evil.test"),
        ("Read more at bank.com today", "https://news.test/"),
        ("bank.com is closed", "https://news.test/"),
        ("#bank.com", "https://social.test/"),
        ("https is safer", "https://news.test/"),
        ("", "https://x.test/"),
        ("Sign in", "https://me@bank.com/"),
        ("Sign in", "https://bücher.test/"),
        ("Sign in", "https://bank.com/?next=https://shop.test@x"),
    ],
)
def test_other_links_are_left_alone(text: str, href: str) -> None:
    assert deceptions([Link(text, href)]) == ()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (" https://a.test/ ", "https://a.test/"),
        ("tel:+49 30 123", "tel:+49 30 123"),
        ("MAILTO:a@b.test?Subject=x&bcc=c@d.test&in-reply-to=y", "mailto:a@b.test?subject=x&bcc=c%40d.test"),
        ("mailto:a@b.test,c@d.test", "mailto:a@b.test,c@d.test"),
        ("https://a.test/" + "x" * 20_000, None),
        ("sms:1", None),
    ],
)
def test_link_targets(url: str, kept: str | None) -> None:
    assert clean_link(url) == kept


def test_a_page_of_deceptions_is_cut() -> None:
    assert len(deceptions([Link("bank.com", f"https://evil{number}.test/") for number in range(200)])) == 50
