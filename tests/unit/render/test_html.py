"""The sanitizer: nothing hostile comes out, what is harmless does, and no text makes it fail."""

import json
import os
from pathlib import Path

import nh3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.render import vectors
from tests.unit.render.oracle import objections, tree
from webmail.render.html import sanitize
from webmail.render.values import CleanHtml, Link, Policy

BLOCKED = Policy(cid_url=lambda cid: f"https://own.test/c/{cid}" if cid == "logo@a" else None)
PROXIED = Policy(cid_url=BLOCKED.cid_url, image_url=lambda url: "https://own.test/i/token")
SAME = Policy(cid_url=BLOCKED.cid_url, image_url=lambda url: url)
QUOTE = Policy(cid_url=BLOCKED.cid_url, profile="quote")


def clean(html: str, policy: Policy = BLOCKED) -> CleanHtml:
    return sanitize(html, policy=policy)


@pytest.mark.parametrize("policy", [BLOCKED, PROXIED, QUOTE], ids=["blocked", "proxied", "quote"])
@pytest.mark.parametrize("vector", vectors.ALL)
def test_nothing_hostile_is_left(vector: str, policy: Policy) -> None:
    assert objections(clean(vectors.filled(vector), policy)) == []


@pytest.mark.parametrize("vector", vectors.ALL)
def test_cleaning_twice_changes_nothing(vector: str) -> None:
    once = clean(vectors.filled(vector), SAME)
    assert tree(clean(once.html, SAME).html) == tree(once.html)


def test_the_oracle_objects_to_the_vectors_themselves() -> None:
    silent = [v for v in vectors.ALL if not objections(CleanHtml(html=vectors.filled(v)))]
    assert len(silent) < 20, silent  # some only turn hostile in a browser


def corpus(name: str) -> str:
    root = os.environ.get("MAILROOM_CORPUS")
    if not root:
        pytest.skip("MAILROOM_CORPUS does not name a folder of public test data")
    return (Path(root) / "html" / name).read_text(encoding="utf-8")


def test_public_payloads_leave_nothing_hostile() -> None:
    for case in json.loads(corpus("dompurify-expect.json")):
        assert objections(clean(case["payload"])) == [], case["payload"]


def test_public_leaks_leave_nothing_to_load() -> None:
    cleaned = clean(corpus("httpleaks.html"))
    assert objections(cleaned) == []
    assert cleaned.problem == ""


def test_a_public_newsletter_keeps_its_design() -> None:
    cleaned = clean(corpus("newsletter-simple.html"))
    assert cleaned.designed
    assert "@media only screen and (max-width: 640px)" in cleaned.stylesheet.replace(
        "(max-width:640px)", "(max-width: 640px)"
    )
    assert cleaned.links[0].text == "Call To Action"


fragments = st.sampled_from(
    [*vectors.ALL, "<div>", "</div>", "<table>", "<td>", "text ", "<b>", "<!--", "-->", "'", '"', ">"]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(fragments, st.text(max_size=8)), max_size=12).map("".join))
def test_any_mixture_is_cleaned(html: str) -> None:
    assert objections(clean(vectors.filled(html), PROXIED)) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_is_cleaned(text: str) -> None:
    clean(text).html.encode()


def test_links_open_elsewhere_and_are_listed() -> None:
    cleaned = clean(
        '<a href="https://a.test/?x=1&amp;y=2">go <b>now</b></a>'
        '<a href="mailto:a@b.test?bcc=c@d.test&attach=/etc">m</a>'
    )
    assert 'target="_blank"' in cleaned.html
    assert 'rel="noopener noreferrer"' in cleaned.html
    assert cleaned.links == (
        Link("go now", "https://a.test/?x=1&y=2"),
        Link("m", "mailto:a@b.test?bcc=c%40d.test"),
    )


def test_pictures_of_the_message_get_their_urls() -> None:
    html = clean('<img src="cid:logo@a"><img src="CID:&lt;logo@a&gt;"><img src="cid:other">').html
    assert html == '<img src="https://own.test/c/logo@a"><img src="https://own.test/c/logo@a"><img>'


def test_a_path_may_stand_for_a_picture_of_the_message() -> None:
    policy = Policy(cid_url=lambda cid: "/c/1")
    assert clean('<img src="cid:x">', policy).html == '<img src="/c/1">'


def test_remote_pictures_are_held_back_and_counted() -> None:
    cleaned = clean("<img src=https://a.test/1><img src=https://a.test/2><img src=http://b.test/3>")
    assert cleaned.html == "<img><img><img>"
    assert (cleaned.remote_images, cleaned.blocked_hosts) == (3, ("a.test", "b.test"))


def test_remote_pictures_come_from_the_proxy_when_allowed() -> None:
    cleaned = clean("<img src=https://a.test/1>", PROXIED)
    assert cleaned.html == '<img src="https://own.test/i/token">'
    assert (cleaned.remote_images, cleaned.blocked_hosts) == (1, ())


@pytest.mark.parametrize(
    "pixel",
    [
        "<img src=https://a.test/p width=1 height=1>",
        "<img src=https://a.test/p width='0' height='1px'>",
        "<img src=https://a.test/p style='display:none'>",
        "<img src=https://a.test/p style='width:1px;height:1px'>",
        "<img src=https://a.test/wf/open?upn=1>",
        "<img src=https://x.mailtrack.io/trace>",
    ],
)
def test_trackers_are_never_loaded(pixel: str) -> None:
    cleaned = clean(pixel, PROXIED)
    assert (cleaned.trackers, cleaned.remote_images) == (1, 0)
    assert "src" not in cleaned.html


def test_spacers_are_not_trackers() -> None:
    assert clean("<img src=https://a.test/s.gif width=1 height=20>", PROXIED).trackers == 0


def test_pictures_carried_as_data_stay_for_reading_only() -> None:
    html = '<img src="data:image/png;base64,AAAA">'
    assert clean(html).html == html
    assert clean(html, QUOTE).html == "<img>"


def test_ids_and_their_selectors_get_the_same_prefix() -> None:
    cleaned = clean("<style>#top a.x:hover{color:red}</style><p id=top><a class=x>y</a></p>")
    assert 'id="m-top"' in cleaned.html
    assert cleaned.stylesheet == "#m-top a.x:hover{color:red}"


def test_what_body_says_becomes_the_papers_style() -> None:
    cleaned = clean('<html dir=rtl><body bgcolor=f4f4f4 text="#111" link=red style="margin:0;background:url(x)"><p>x')
    assert cleaned.stylesheet == (
        ":where(.m-body){background-color:#f4f4f4;color:#111;direction:rtl;margin:0}\n:where(.m-body) a{color:red}"
    )


def test_style_elements_keep_their_media() -> None:
    cleaned = clean('<style media="print">p{color:red}</style><style media="(width>1px)">p{color:blue}</style>')
    assert cleaned.stylesheet == "@media print{p{color:red}}"


def test_the_quote_profile_has_no_styles_ids_or_classes() -> None:
    cleaned = clean('<style>p{color:red}</style><p id=a class=b style="color:red;display:none;position:fixed">x', QUOTE)
    assert (cleaned.html, cleaned.stylesheet) == ('<p style="color:red">x</p>', "")


@pytest.mark.parametrize(
    ("html", "designed"),
    [
        ("<div dir=ltr>hello</div>", False),
        ('<p style="background:white">x</p><div style="background-color:rgb(255, 255, 255)">y</div>', False),
        ("<table border=1><tr><td>data</td></tr></table>", False),
        ('<span style="background:yellow">marked</span>', False),
        ("<table><tr><td><table><tr><td>x</td></tr></table></td></tr></table>", True),
        ("<body bgcolor=#eeeeee>x", True),
        ("<td bgcolor=black>x", False),  # no table, so the parser drops the cell
        ("<table><td bgcolor=black>x</table>", True),
        ("<style>.hero{background:linear-gradient(red,blue)}</style><p class=hero>x", True),
    ],
)
def test_mail_with_a_design_of_its_own_is_told_apart(html: str, designed: bool) -> None:
    assert clean(html).designed is designed


def test_ordinary_markup_stays() -> None:
    html = '<h1>T</h1><p align="center">a <b>b</b> <font color="#333">c</font></p><ul type="disc"><li>d</li></ul><hr>'
    assert tree(clean(html).html) == tree(html)


@pytest.mark.parametrize(
    "bomb",
    [
        "<div>" * 50_000,
        "<div></span>" * 30_000,
        "<div><!--!></div>-->" * 20_000,
        "<p " + " ".join(f"a{n}" for n in range(100_000)) + ">x</p>",
        "".join(f"<font size={n}>" for n in range(400)) + "<p>x" * 50_000,
        "<select><xmp></select>" + "<div>" * 50_000,
        "<svg><style>" + "<g>" * 50_000,
        "<script><!--<script></script>" + "<div>" * 50_000,
        "<table><tr><td>" * 20_000,
        "<table>" + "<b>x</b>" * 100_000,
        "<p><table></p></table>" * 20_000,
        "<font><table></font></table>" * 20_000,
        "<span><div></span></div>" * 20_000,
        "<form><div></form>" * 20_000,
        "<div><font size=1></div>" * 20_000,
        "<table><td><b><div></td></table></th>" + "<table><tr><td></th><div></table>" * 10_000,
        "<table><td>x<col>" + "<b>x</b>" * 100_000,
        "&amp;lt;&notin" * 60_000,
    ],
)
def test_bombs_are_shown_as_text(bomb: str) -> None:
    cleaned = clean(bomb + "the end")
    assert cleaned.problem == "too-complex"
    assert objections(CleanHtml(html=cleaned.html.replace(' class="m-text"', ""))) == []


def test_numbered_entities_are_no_bomb() -> None:
    cleaned = clean("<p>" + "&#20013;" * 150_000)
    assert (cleaned.problem, cleaned.html.count("中")) == ("", 150_000)


def test_text_of_a_bomb_can_still_be_read() -> None:
    cleaned = clean("<p>Dear <b>all</b> &lt;x&gt;</p>" + "<div>" * 1_000 + "bye https://a.test/")
    assert "Dear all &lt;x&gt;" in cleaned.html
    assert cleaned.links == (Link("https://a.test/", "https://a.test/"),)


def test_of_a_very_long_mail_the_beginning_is_shown() -> None:
    cleaned = clean("<p>hello</p>" * 300_000)
    assert cleaned.problem == "cut"
    assert 1_000_000 < len(cleaned.html) <= 2_000_000


class PanicException(BaseException):
    """Named as the Rust bindings name theirs."""


def test_a_panic_of_the_parser_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*args: object, **kwargs: object) -> str:
        raise PanicException("in Rust")

    monkeypatch.setattr(nh3, "clean", panic)
    cleaned = clean("<p>words</p>")
    assert (cleaned.problem, cleaned.html) == ("unreadable", '<div class="m-text">words</div>')


def test_being_told_to_stop_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object, **kwargs: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(nh3, "clean", stop)
    with pytest.raises(KeyboardInterrupt):
        clean("<p>words</p>")
