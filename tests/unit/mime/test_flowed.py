import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.flowed import flow, unflow


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        ("> a \n> b\nc", "> a b\nc"),
        ("> a \n>> b", "> a \n>> b"),
        (" >not a quote", ">not a quote"),
        ("text \n-- \nAnn", "text \n-- \nAnn"),
        ("> x \n> -- \n> Ann", "> x \n> -- \n> Ann"),
        ("", ""),
    ],
)
def test_soft_breaks_are_joined(text: str, joined: str) -> None:
    assert unflow(text) == joined


def test_delsp_drops_the_blank() -> None:
    assert unflow("日本 \n語", delsp=True) == "日本語"


def test_long_lines_are_broken_softly() -> None:
    text = "word " * 40 + "end\n> " + "quoted " * 30 + "end\n-- \nAnn"
    flowed = flow(text)
    assert max(map(len, flowed.split("\n"))) <= 78
    assert unflow(flowed) == text


@given(st.text(alphabet="ab >\n-F", max_size=300).map(lambda text: "\n".join(map(str.rstrip, text.split("\n")))))
def test_paragraphs_survive(text: str) -> None:
    assert [line.split() for line in unflow(flow(text)).split("\n")] == [
        [*line.replace(">", "> ", 0).split()] for line in _normal(text).split("\n")
    ]


def _normal(text: str) -> str:
    """Quote marks apart from what they quote, as `unflow` writes them."""
    lines = []
    for line in text.split("\n"):
        body = line.lstrip(">")
        marks = line[: len(line) - len(body)]
        lines.append(f"{marks} {body}" if marks else body)
    return "\n".join(lines)
