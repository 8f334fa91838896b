import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.preview import html_to_text, snippet


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello\n\nthere", "Hello there"),
        ("Yes!\n\nOn Monday Ann wrote:\n> Shall we?\n> Ann", "Yes!"),
        ("Hello\n-- \nAnn Lee, Director", "Hello"),
        ("Hello\n-----Original Message-----\nFrom: x", "Hello"),
        ("> only a quote", "only a quote"),
        ("See https://example.org/a?b=c now", "See now"),
        ("body { margin: 0 }\n.x{color:red}\nReal words", "Real words"),
        ("Sale! \u200c \u200c \u200c\u00ad \u034f \ufeff now", "Sale! now"),
        ("[image: logo.png] Hi ======== there", "Hi there"),
        ("می‌خواهم", "می‌خواهم"),
        ("", ""),
    ],
)
def test_shows_what_is_new(text: str, shown: str) -> None:
    assert snippet(text) == shown


def test_is_cut_between_visible_characters() -> None:
    assert snippet("x" * 158 + "👩‍👩‍👧" * 3).endswith("x…")
    assert snippet("e\u0301" * 200, length=10) == "e\u0301" * 4 + "…"
    assert snippet("word " * 60).endswith("word…")


@given(st.text(max_size=400), st.integers(5, 60))
def test_length_holds_for_any_text(text: str, length: int) -> None:
    shown = snippet(text, length=length)
    assert len(shown) <= length
    assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in shown)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One<p>Two", "One\n\nTwo"),
        ("<div>a</div><div>b<br>c</div>", "a\nb\nc"),
        ("<style>p{}</style><script>x<b>y</script><title>t</title>seen", "seen"),
        ("<style>never closed", ""),
        ("a<!-- b -->c<!-- never closed", "ac"),
        ("<![CDATA[x]]>y<?xml z?>", "y"),
        ("&lt;b&gt; &amp; &eacute;&nbsp;&#x41;&#99999999999;", "<b> & é\xa0A\ufffd"),
        ("<ul><li>one<li>two</ul>", "* one\n* two"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("hi<blockquote>old<blockquote>older</blockquote></blockquote>", "hi\n> old\n>> older"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('<a title=">" href="x">t</a>', "t"),
        ("1 < 2 <3 </ x", "1 < 2 <3 x"),
        ("<svg><text>no</text></svg>yes", "yes"),
        ("a\0b", "a\ufffdb"),
        ("<" * 50, "<" * 50),
    ],
)
def test_html_becomes_text(source: str, text: str) -> None:
    assert html_to_text(source) == text


def test_links_are_written_out_on_request() -> None:
    source = '<a href="https://example.org/?a&amp;b">here</a>, <a href="javascript:x">there</a>'
    assert html_to_text(source, links=True) == "here <https://example.org/?a&b>, there"


@given(st.text(alphabet="<>/!-ab&#;'\"= \nstyle", max_size=200))
def test_any_html_is_taken(source: str) -> None:
    html_to_text(source, links=True)
