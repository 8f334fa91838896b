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
        "bank.com \u2192",
        "bank.com \u2026",
        "bank.com \u00bb \u2713",
        "bank\u200a.\u200acom",
        "bank\ua4f8com",
    ],
)
def test_s47_what_a_reader_takes_for_an_address_counts_as_one(text: str) -> None:
    found = sanitize(f'<a href="https://evil.test/">{text}</a>', policy=Policy(cid_url=lambda _cid: None))
    (deception,) = deceptions(found.links)
    assert (deception.claimed, deception.host) == ("bank.com", "evil.test")


def test_s47_an_address_may_begin_with_www() -> None:
    assert named('<a href="https://evil.test/">www.bank.com secure sign in</a>') == ["www.bank.com"]


HIDES = [
    "display:none",
    "DISPLAY : none !important",
    "display:table-column",
    "visibility:hidden",
    "opacity:0",
    "opacity:0.01",
    "font-size:0",
    "font-size:1px",
    "font-size:calc(0px)",
    "font:0/0 a",
    "color:#fff",
    "color:white",
    "color:transparent",
    "color:rgba(0,0,0,0)",
    "color:rgb(250, 251, 252)",
    "background:#333;color:#333333",
    "display:inline-block;width:0;overflow:hidden",
    "display:block;max-height:0;overflow:hidden",
    "display:inline-block;overflow:hidden;text-indent:999px",
    "letter-spacing:-1em",
]


def named(html: str) -> list[str]:
    found = sanitize(html, policy=Policy(cid_url=lambda _cid: None))
    return [one.claimed for one in deceptions(found.links) if one.host == "evil.test"]


@pytest.mark.parametrize("style", HIDES)
def test_s47_words_that_nobody_sees_make_no_host_a_word(style: str) -> None:
    link = '<a href="https://evil.test/">{}</a>'
    hidden = f'<span style="{style}"> {{}} </span>'
    assert named(link.format("bank.com" + hidden.format("is safe"))) == ["bank.com"]
    assert named(link.format(hidden.format("Look at <b>this</b>") + "bank.com")) == ["bank.com"]
    assert named(link.format("ba" + hidden.format("x") + "nk" + hidden.format("y") + ".com")) == ["bank.com"]
    assert named(link.format(hidden.format("https://evil.test/") + "bank.com")) == ["bank.com"]
    assert named(
        f"<style>.h b{{color:red}} div > .h:first-child{{{style}}}</style>" + link.format("bank.com<i class=h> x</i>")
    )
    assert named(f"<style>@media screen{{i,u{{{style}}}}}</style>" + link.format("bank.com<i> is safe</i>"))
    assert named(f"<style>[title]{{{style}}}</style>" + link.format("bank.com<i title=x> is safe</i>"))
    assert named(f"<style>#h{{{style}}}</style>" + link.format("bank.com<i id=h> is safe</i>"))


@pytest.mark.parametrize(
    ("hide", "show"),
    [("font-size:0", "font-size:14px"), ("visibility:hidden", "visibility:visible"), ("color:#fff", "color:#000")],
)
def test_s47_words_may_be_hidden_around_what_is_seen(hide: str, show: str) -> None:
    seen = f'words <span style="{show}">bank.com</span> more words'
    assert named(f'<a href="https://evil.test/" style="{hide}">{seen}</a>') == ["bank.com"]
    assert named(f'<p>x</p><table><td style="{hide}"><br><div><a href="https://evil.test/">{seen}</a></div>') == [
        "bank.com"
    ]


def test_s47_rules_that_contradict_each_other_are_read_both_ways() -> None:
    sheet = "<style>.x{display:none} b.x{display:inline}</style>"
    assert named(sheet + '<a href="https://evil.test/">bank.com<i class=x> is safe</i></a>') == ["bank.com"]
    assert named(sheet + '<a href="https://evil.test/"><b class=x>bank.com</b></a>') == ["bank.com"]
    assert "bank.com" in named(
        sheet + '<a href="https://evil.test/"><b class=x>bank.com</b><i class=x> is safe</i></a>'
    )
    nothing = "<style>u u a, u u .y{display:none} .x{font-size:0}</style>"
    assert "bank.com" in named(nothing + '<a href="https://evil.test/"><b class=y>bank.com</b><i class=x> x</i></a>')
    style = "display:none;display:inline"
    assert named(f'<a href="https://evil.test/"><b style="{style}">bank.com</b><i style="display:none"> x</i></a>')


@pytest.mark.parametrize(
    "html",
    [
        '<bdo dir=rtl><a href="https://evil.test/">moc.knab</a></bdo>',
        '<a href="https://evil.test/"><bdo dir=rtl>moc.knab</bdo></a>',
        '<a href="https://evil.test/" style="unicode-bidi:bidi-override;direction:rtl">moc.knab</a>',
    ],
)
def test_s47_letters_in_an_order_of_their_own(html: str) -> None:
    assert "bank.com" in named(html)


@pytest.mark.parametrize(
    "text",
    [
        '<b style="font-weight:bold">bank.com</b> is closed',
        '<span style="background:#06c;color:#fff">Go to bank.com</span> today',
        'Read <b style="color:#333">everything</b> at bank.com',
        '<table style="width:0"><td style="overflow:hidden">News about bank.com</td></table>',
        "invoice.pdf",
        "Report.docx",
    ],
)
def test_words_that_are_seen_stay_words(text: str) -> None:
    assert named(f'<a href="https://evil.test/">{text}</a>') == []


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
