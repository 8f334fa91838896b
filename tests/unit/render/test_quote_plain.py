"""Plain text going back into the editor keeps its lines and its levels."""

import pytest

from webmail.render.compose import clean_for_editor, plain_lines, quote_plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one\ntwo", ["<div>one</div>", "<div>two</div>"]),
        ("> quoted\nown", ["<blockquote", "<div>quoted</div></blockquote><div>own</div>"]),
        ("> > deep\n>> also", ["<div>deep</div><div>also</div>"]),
        ("a\n\nb", ["<div>a</div><div><br></div><div>b</div>"]),
        ("<script>x</script>", ["&lt;script&gt;"]),
    ],
)
def test_lines_and_levels_survive(text: str, words: list[str]) -> None:
    html = plain_lines(text)
    assert all(word in html for word in words)
    assert html.count("<blockquote") == html.count("</blockquote>")


def test_quote_passes_the_editors_cleaner_unchanged_in_words() -> None:
    html = quote_plain("> a\nb", "Ann wrote:")
    cleaned = clean_for_editor(html)
    assert cleaned.count("<blockquote") == 2
    assert "Ann wrote:" in cleaned
