"""Whom a line of a list names."""

import pytest

from webmail.queries.lists import sender_words

ME = frozenset({"maren@harbourlane.example"})


@pytest.mark.parametrize(
    ("participants", "words"),
    [
        ([["Amara Okafor", "amara@pier4.example"]], "Amara Okafor"),
        ([["", "amara@pier4.example"]], "amara@pier4.example"),
        ([["Maren", "maren@harbourlane.example"]], "Me"),
        ([["Amara Okafor", "a@b.example"], ["Maren", "maren@harbourlane.example"]], "Amara, me"),
        ([["", ""]], "No sender"),
    ],
)
def test_a_line_always_names_somebody(participants: list[list[str]], words: str) -> None:
    assert sender_words(participants, ME) == words
