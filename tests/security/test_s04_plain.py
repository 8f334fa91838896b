"""S04: plain text comes out as that text, with links to the web and to mail in it and nothing else."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.render.text import plain_to_html

TAGS = {"div", "a", "blockquote", "details", "summary", "span"}
ATTRIBUTES = {"class", "href", "target", "rel"}
ODD = st.sampled_from(
    [
        *('http://x/"onmouseover=alert(1)//', "<script>alert(1)</script>", "javascript:alert(1)", "data:text/html,x"),
        *("\u202e", "www.a.test", "https://bank.com@evil.test", "a@b.test", "mailto:a@b?bcc=c@d&attach=/etc/passwd"),
        *(
            "> ",
            "-- \n",
            "\n",
            "&lt;",
            "&#60;",
            "''",
            '"',
            "\0",
            "file:///etc/passwd",
            "vbscript:x",
            "-----\nFrom: a\n",
        ),
    ]
)


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        values = dict(attrs)
        if tag == "a":
            assert (values["href"] or "").lower().startswith(("http://", "https://", "mailto:"))
            assert not re.match("mailto:.*attach=", values["href"] or "", re.IGNORECASE)
            assert (values["target"], values["rel"]) == ("_blank", "noopener noreferrer")

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.lists(st.one_of(ODD, st.text(max_size=12)), max_size=12).map("".join))
def test_s04_any_text_comes_out_as_it_was(text: str) -> None:
    kept = text.encode("utf-8", "replace").decode()
    assert Reader(plain_to_html(text).html).text == kept


@pytest.mark.parametrize(
    "text",
    [
        'http://x/"onmouseover=alert(1)//',
        "<script>alert(1)</script>",
        "javascript:alert(1)",
        "a\u202etxt.exe",
        "x" * 2**20,
    ],
)
def test_s04_the_named_inputs(text: str) -> None:
    html = plain_to_html(text).html
    assert "<script" not in html
    assert 'onmouseover="' not in html
    assert Reader(html).text == text[:1_000_000]
