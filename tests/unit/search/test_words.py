"""Words: the same for the index and the query, in every script."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webmail.search.words import MAX_TERM, MAX_TERMS, highlight, normalise, query_terms, query_words, terms


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HELLO", "hello"),
        ("Zürich", "zurich"),
        ("ZU\u0308RICH", "zurich"),
        ("Straße", "strasse"),
        ("Łódź Øre Æsir", "lodz ore aesir"),
        ("İstanbul ısı", "istanbul isi"),
        ("Ёлка", "елка"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("ｆｕｌｌ ﬁne", "full fine"),
        ("ガギ", "ガギ"),
        ("ｶﾞ", "ガ"),
        ("한국어", "한국어"),
        ("مُحَمَّد", "محمد"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_one_form_of_a_word(text: str, normal: str) -> None:
    assert normalise(text) == normal


@given(st.text(max_size=60))
def test_the_one_form_is_stable(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't stop, foo_bar!", ["don", "t", "stop", "foo", "bar"]),
        ("ann.b@mail.test", ["ann", "b", "mail", "test"]),
        ("日本語", ["日本", "本語", "語"]),
        ("abc株式会社1", ["abc", "株式", "式会", "会社", "社", "1"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("ภาษาไทย"[:3], ["ภา", "าษ", "ษ"]),
        ("x" * 100, ["x" * MAX_TERM]),
        ("--- ...", []),
    ],
)
def test_words_of_a_text(text: str, found: list[str]) -> None:
    assert terms(text) == found


def test_long_texts_are_cut() -> None:
    assert len(terms("word " * 50_000)) == MAX_TERMS


def follows(haystack: list[str], needle: list[str]) -> bool:
    return any(haystack[start : start + len(needle)] == needle for start in range(len(haystack)))


@pytest.mark.parametrize("part", ["日本", "日本語", "本語", "語", "東京都", "都"])
def test_any_run_of_an_unspaced_script_is_found(part: str) -> None:
    text = terms("日本語 東京都")
    wanted = query_terms(part)
    assert follows(text, wanted) or (len(part) == 1 and any(term.startswith(part) for term in text))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="abcéß12", min_size=1, max_size=6), min_size=1, max_size=6))
def test_every_word_of_a_text_is_found(words: list[str]) -> None:
    indexed = terms(" ".join(words))
    assert all(follows(indexed, query_terms(word)) for word in words)


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("The Proofs of a proof, reproof", ["proof"], ["Proofs", "proof"]),
        ("Zürich ZU\u0308RICH", ["zurich"], ["Zürich", "ZU\u0308RICH"]),
        ("Straße", ["strasse"], ["Straße"]),
        ("日本語", ["本語"], ["本語"]),
        ("it is as it was", ["it"], ["it", "it"]),
        ("a .* b", [".*"], [".*"]),
        ("nothing", ["else"], []),
        ("", ["x"], []),
        ("<b>proof</b>", ["proof"], ["proof"]),
    ],
)
def test_hits_are_marked(text: str, words: list[str], marked: list[str]) -> None:
    pieces = highlight(text, words)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, hit in pieces if hit] == marked


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=6), max_size=4))
def test_marking_never_changes_the_text(text: str, words: list[str]) -> None:
    pieces = highlight(text, words)
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece for piece, _ in pieces)


def test_words_of_a_query_are_whole() -> None:
    assert query_words("Zürich 日本語") == ["zurich", "日本語"]
