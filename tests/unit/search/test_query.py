"""Search queries: what they mean, what is said about mistakes, and that nothing makes reading fail."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webmail.search import parse
from webmail.search.query import OPERATORS, Chip, Query
from webmail.search.tree import And, Dated, HasAttachment, In, Is, Larger, Node, Not, Or, Smaller, Text

TODAY = date(2026, 11, 24)


def read(text: str) -> Query:
    return parse(text, today=TODAY)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("", None),
        ("   ", None),
        ("proof", Text("proof", prefix=True)),
        ("second proof", And((Text("second"), Text("proof", prefix=True)))),
        ("proof ", Text("proof")),
        ('"second proof"', Text("second proof")),
        ('"second proof', Text("second proof")),
        ("-proof", Not(Text("proof", prefix=True))),
        ('-"a b" c', And((Not(Text("a b")), Text("c", prefix=True)))),
        ("from:amara", Text("amara", "from", prefix=True)),
        ('FROM:"Amara Okafor"', Text("Amara Okafor", "from")),
        ("to:a@b.test", Text("a@b.test", "to", prefix=True)),
        ("cc:x", Text("x", "cc", prefix=True)),
        ("subject:hello", Text("hello", "subject", prefix=True)),
        ("filename:proof.pdf", Text("proof.pdf", "filename", prefix=True)),
        ("in:Archive", In("Archive")),
        ('in:"Pier 4"', In("Pier 4")),
        ("is:unread", Is("unread")),
        ("is:Starred", Is("starred")),
        ("is:flagged", Is("starred")),
        ("-is:read", Not(Is("read"))),
        ("has:attachment", HasAttachment()),
        ("larger:5M", Larger(5 << 20)),
        ("smaller:1.5kb", Smaller(1536)),
        ("before:2024-05-07", Dated(until=date(2024, 5, 7))),
        ("after:2024-05", Dated(since=date(2024, 5, 1))),
        ("after:7d", Dated(since=date(2026, 11, 17))),
        ("on:yesterday", Dated(date(2026, 11, 23), date(2026, 11, 24))),
        ("on:2024", Dated(date(2024, 1, 1), date(2025, 1, 1))),
        ("from:a OR from:b", Or((Text("a", "from", prefix=True), Text("b", "from", prefix=True)))),
        ("a OR b OR c", Or((Text("a"), Text("b"), Text("c", prefix=True)))),
        ("x a OR -b", And((Text("x"), Or((Text("a"), Not(Text("b", prefix=True))))))),
        ("OR a OR", Text("a")),
        ("or", Text("or", prefix=True)),
        ("re:hello", Text("re:hello", prefix=True)),
        ("https://a.test/x", Text("https://a.test/x", prefix=True)),
        (") * \\ %_ ! -", None),
    ],
)
def test_meaning(text: str, root: Node | None) -> None:
    query = read(text)
    assert (query.root, query.problems) == (root, ())


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("from:", "from"),
        ("from: amara", "from"),
        ('to:""', "to"),
        ("subject:***", "subject"),
        ("is:happy", "is"),
        ("has:cheese", "has"),
        ("before:soon", "before"),
        ("on:2024-13", "on"),
        ("after:99999y", "after"),
        ("larger:big", "larger"),
        ("smaller:-1", "smaller"),
        ('in:" "', "in"),
    ],
)
def test_a_mistake_is_named_and_the_rest_is_searched(text: str, operator: str) -> None:
    query = read("word " + text)
    (problem,) = query.problems
    assert problem.operator == operator
    assert problem.sentence.endswith(".")
    assert problem.source in text
    assert "word" in query.words


def test_operators_are_chips_and_words_are_not() -> None:
    query = read('from:"Amara Okafor" has:attachment -is:read proof')
    assert query.chips() == (
        Chip("from: Amara Okafor", 'from:"Amara Okafor"'),
        Chip("has: attachment", "has:attachment"),
        Chip("-is: read", "-is:read"),
    )
    assert query.plain == "proof"


def test_words_to_highlight_leave_out_what_must_be_absent() -> None:
    assert read("Zürich subject:Proof -draft 日本語 in:Archive").words == ("zurich", "proof", "日本語")


def test_index_words_of_a_leaf() -> None:
    assert Text("Zürich-West").words == ("zurich", "west")
    assert Text("日本語").words == ("日本", "本語")


@pytest.mark.parametrize("text", ["a " * 6_000, "x" * 10_001, "a " * 101, "from:a " * 200])
def test_of_a_very_long_query_the_beginning_is_used(text: str) -> None:
    query = read(text)
    assert query.cut
    assert query.problems[-1].operator == ""
    assert query.root is not None


pieces = st.one_of(
    st.sampled_from(
        [
            *(name + ":" for name in OPERATORS),
            '"',
            "-",
            " ",
            "OR",
            "|",
            "(",
            ")",
            "7d",
            "2024-02-31",
            "5M",
            "a",
            "日本",
            "\0",
        ]
    ),
    st.text(max_size=5),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces, max_size=30).map("".join))
def test_any_query_is_read(text: str) -> None:
    query = read(text)
    for chip in query.chips():
        assert chip.source in text.replace("\0", " ")
    for word in query.words:
        assert word.strip()


@pytest.mark.parametrize(
    "text", ['"' * 10_000, "-" * 10_000, ":" * 10_000, "from:" * 2_000, "a:" * 5_000, "(" * 10_000, "from: " * 1_500]
)
def test_worst_cases_are_read(text: str) -> None:
    read(text)
