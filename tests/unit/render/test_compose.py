"""What the editor is given, and what it may send."""

import pytest

from tests.unit.render import vectors
from tests.unit.render.oracle import objections, tree
from webmail.render.compose import clean_for_editor, clean_outgoing, quote_html
from webmail.render.text import plain_to_html
from webmail.render.values import CleanHtml


@pytest.mark.parametrize("vector", vectors.ALL)
def test_nothing_hostile_reaches_the_editor_or_leaves_it(vector: str) -> None:
    html = vectors.filled(vector)
    assert objections(CleanHtml(html=clean_for_editor(html))) == []
    outgoing = [
        found for found in objections(CleanHtml(html=clean_outgoing(html))) if not found.startswith("src https:")
    ]
    assert outgoing == []


@pytest.mark.parametrize("vector", vectors.ALL)
def test_saving_and_opening_again_changes_nothing(vector: str) -> None:
    once = clean_for_editor(vectors.filled(vector))
    assert tree(clean_for_editor(once)) == tree(once)
    assert tree(clean_for_editor(clean_outgoing(once))) == tree(once)


def test_nothing_hidden_or_named_is_quoted() -> None:
    html = '<style>p{color:red}</style><p id=a class=b style="display:none;color:red">x</p>'
    html += "<details><summary>more</summary>y</details>"
    assert clean_for_editor(html) == '<p style="color:red">x</p>y'


def test_pictures_of_the_message_stay_and_others_go() -> None:
    assert clean_for_editor('<img src="cid:a@b" alt="l"><img src="https://x.test/1">').count("src=") == 1


def test_outgoing_keeps_cid_and_https_pictures() -> None:
    html = clean_outgoing(
        '<img src="cid:a@b"><img src="https://x.test/1"><img src="http://x.test/2"><img src="data:image/png;base64,AA">'
    )
    assert html == '<img src="cid:a@b"><img src="https://x.test/1"><img><img>'


def test_outgoing_keeps_what_mail_programs_understand() -> None:
    html = '<div dir="ltr"><b>a</b> <a href="mailto:a@b.test">m</a></div><ol start="2"><li>x</li></ol>'
    html += '<blockquote type="cite">q</blockquote>'
    assert tree(clean_outgoing(html)) == tree(html)


def test_a_quote_has_its_attribution_as_text() -> None:
    quoted = quote_html(CleanHtml(html="<p>hello</p>"), 'Ann <a@b.test> "wrote":')
    assert quoted.startswith("<p>Ann &lt;a@b.test&gt; &quot;wrote&quot;:</p><blockquote")
    assert quoted.endswith("<p>hello</p></blockquote>")


def test_a_quote_of_plain_text_has_no_folds() -> None:
    quoted = quote_html(plain_to_html("Yes\n> no\n"), "x")
    assert "details" not in quoted
    assert "class" not in quoted


def test_too_complex_a_body_is_quoted_as_text() -> None:
    assert clean_for_editor("<p>a &lt; b</p>" + "<div>" * 1_000).startswith("<div>a &lt; b</div>")
