"""The words of HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.render.plain import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b", "a\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>x{}</style><script>y</script>a", "a"),
        ("<title>t</title><!-- c --><b>a</b>&nbsp;&amp;&lt;b&gt;", "a &<b>"),
        ("<tr><td>1</td><td>2</td></tr>", "1 2"),
        ("a < b > c", "a < b > c"),
        ("a <b", "a <b"),
        ("  many \n\t spaces ", "many spaces"),
    ],
)
def test_words(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "html",
    ["<!--" * 10**5, "<a " * 10**5, "<" * 10**6 + ">", "<title>" * 10**5, "< " * 10**5 + ">", "<svg" * 10**5 + ">"],
)
def test_worst_cases_end(html: str) -> None:
    html_to_text(html)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    html_to_text(text)
