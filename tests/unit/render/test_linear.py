"""S51: what a sender writes costs time in proportion to its length; each of these once cost its square."""

import time
from collections.abc import Callable

import pytest

from webmail.protocols.imap_fetch import message_ids
from webmail.render.compose import clean_for_editor
from webmail.render.html import sanitize
from webmail.render.plain import html_to_text
from webmail.render.values import Policy

LINK = '<a href="https://evil.test/"><b class="x y">bank.com</b><i style="display:none"> x</i></a>'
SECONDS = 2  # of CPU; they take a tenth of it at most, and took ten seconds and more


def cleaned(source: str) -> object:
    return sanitize(source, policy=Policy(cid_url=lambda _cid: None))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (cleaned, "<p>" + "<!--<b>" * 40_000),
        (cleaned, "A</div><!--</a>" * 15_000),
        (cleaned, "<style>a{color:red}" + " " * 200_000 + "b{color:red}</style>"),
        (cleaned, "<style>a{color:red}" + ":/*" * 60_000 + "</style>"),
        (cleaned, "<div>" * 600 + "&nbsp;" * 120_000),
        (clean_for_editor, "<div>" * 600 + " </a>" * 120_000),
        (cleaned, "<style>" + ("b," * 190 + "a{" + "color:#fff;" * 90 + "}") * 200 + "</style>" + LINK * 20_000),
        (cleaned, "".join(f'<b class="a{n}" style="font-size:{n}px"></b>' for n in range(20_000)) + LINK * 900),
        (cleaned, LINK.replace("</a>", "<b>x</b>" * 5_000 + "</a>") * 15),
        (html_to_text, "x" + "&#32;" * 120_000 + "x"),
        (lambda text: message_ids(text.encode()), "Message-ID: <a" + " " * 120_000 + "b>"),
    ],
    ids=[
        "comments",
        "comments without end",
        "blanks in a style",
        "comments in a style",
        "blanks",
        "blanks apart",
        "links and many rules",
        "links after many elements",
        "links of many elements",
        "numbered blanks",
        "an id",
    ],
)
def test_s51_blanks_and_comments_cost_what_they_are_long(read: Callable[[str], object], text: str) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < SECONDS


def test_a_comment_that_never_ends_hides_what_follows_it() -> None:
    found = sanitize(
        "<p>seen</p><!-- <p>unseen</p><style>p{color:red}</style>", policy=Policy(cid_url=lambda _cid: None)
    )
    assert (found.html, found.stylesheet) == ("<p>seen</p>", "")


def test_an_identifier_is_found_whatever_blanks_stand_around_it() -> None:
    header = b"MESSAGE-ID:\r\n <a@b>  \r\nX: y\r\nMessage-ID: <c@d>\t\r\n\r\n"
    assert message_ids(header) == [b"<a@b>", b"<c@d>"]
