"""Plain text: shown as it is, linked, folded, and in linear time."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webmail.render.text import plain_to_html
from webmail.render.values import Link

TAG = re.compile(r"<(?:/?(?:blockquote|details|div|span|summary|a)(?: (?:class|href|target|rel)=\"[^\"<>]*\")*)>")


def shown(rendered: str) -> str:
    return html.unescape(TAG.sub("", rendered))


line = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "> quoted",
            ">> deep",
            "-- ",
            "On 1 May, Ann wrote:",
            "https://a.test/(b)",
            "a@b.test",
            "-----Original Message-----",
            "From: x@y",
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(line, max_size=12).map("\n".join))
def test_tags_out_and_entities_back_give_the_text(text: str) -> None:
    assert shown(plain_to_html(text).html) == text


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://a.test/x.", "https://a.test/x"),
        ("(https://a.test/x_(y))", "https://a.test/x_(y)"),
        ("<https://a.test/>", "https://a.test/"),
        ('https://a.test/"onmouseover=alert(1)//', "https://a.test/"),
        ("https://a.test/'onmouseover='x", "https://a.test/'onmouseover='x"),
        ("https://a.test/\u202egpj.exe", "https://a.test/"),
        ("www.a.test/x,", "https://www.a.test/x"),
        ("HTTPS://A.test/", "HTTPS://A.test/"),
        ("mailto:a@b.test?attach=/etc/passwd&subject=x", "mailto:a@b.test?subject=x"),
        ("write to ann.b+c@mail.b.test.", "mailto:ann.b+c@mail.b.test"),
        ("https://a.test/見て。次", "https://a.test/見て"),
    ],
)
def test_addresses_become_links(text: str, href: str) -> None:
    assert [link.href for link in plain_to_html(text).links] == [href]


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://",
        "https:///x",
        "a@",
        "@b.test",
        "a@b",
        "..@b.test",
        "file:///x",
        "x.@b.test",
        "https://[::1",
    ],
)
def test_other_things_do_not(text: str) -> None:
    assert plain_to_html(text).links == ()


def test_markup_is_only_text() -> None:
    rendered = plain_to_html("<script>alert(1)</script> & \"'").html
    assert rendered == '<div class="m-text">&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;&#x27;</div>'


def test_quotes_are_nested() -> None:
    rendered = plain_to_html("own\n> one\n>> two\n> one\nown").html
    assert re.sub(r"<span.*?</span>|\n", "", rendered) == (
        '<div class="m-text">own<blockquote>one<blockquote>two</blockquote>one</blockquote>own</div>'
    )


def test_the_quoted_end_is_folded_with_its_attribution() -> None:
    rendered = plain_to_html("Yes.\n\nOn 5 May 2026, Bob <b@c.test>\nwrote:\n> Will you?\n").html
    own, fold = rendered.split('<details class="m-quote"><summary></summary>')
    assert shown(own) == "Yes.\n\n"
    assert shown(fold).startswith("On 5 May 2026, Bob")


def test_a_forwarded_header_is_folded() -> None:
    rendered = plain_to_html("FYI\n-----Original Message-----\nFrom: a@b.test\nSubject: x\n\nhello\n").html
    assert shown(rendered.split("<details")[0]) == "FYI\n"


@pytest.mark.parametrize(
    "text", ["> all of it\n> is quoted", "> asked\nanswered between\n", "no quote at all", "-- \nonly a signature"]
)
def test_what_is_all_there_is_stays_open(text: str) -> None:
    assert "<details" not in plain_to_html(text).html


def test_a_signature_is_marked() -> None:
    assert (
        plain_to_html("Hi\n-- \nAnn\n").html
        == '<div class="m-text">Hi\n<div class="m-signature">-- \nAnn\n</div></div>'
    )


def test_a_signature_before_and_after_the_quote() -> None:
    assert plain_to_html("Hi\n-- \nAnn\n> quoted\n").html.index("m-signature") > 0
    after = plain_to_html("Hi\n> quoted\n-- \nAnn\n").html
    assert after.index("m-quote") < after.index("m-signature")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10**6,
        "https://" * 10**5,
        "@" * 10**5,
        "a@" * 10**5,
        ">" * 10**6,
        ")" * 10**5,
        "www." * 10**5,
        "-" * 10**5 + "\n" * 100,
        "_" * 10**6,
    ],
)
def test_worst_cases_end(text: str) -> None:
    assert shown(plain_to_html(text).html) == text


def test_of_a_very_long_text_the_beginning_is_shown() -> None:
    rendered = plain_to_html("x\n" * 600_000)
    assert rendered.problem == "cut"
    assert len(rendered.html) < 1_100_000


def test_lone_surrogates_can_be_sent() -> None:
    plain_to_html("a\ud800b").html.encode()


def test_link_text_is_what_is_written() -> None:
    assert plain_to_html("www.a.test").links == (Link("www.a.test", "https://www.a.test"),)
