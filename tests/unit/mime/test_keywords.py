from __future__ import annotations

import pytest

from webmail.mime.folder_names import BadName
from webmail.mime.keywords import is_label, is_sendable, label_keyword, label_name


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("Pier 4", "Pier_4"),
        ("Färjor & båtar", "F&AOQ-rjor_&-_b&AOU-tar"),
        ("日本語", "&ZeVnLIqe-"),
    ],
)
def test_a_name_becomes_an_atom_that_says_it(name: str, keyword: str) -> None:
    assert label_keyword(name) == keyword
    assert label_name(keyword) == name
    assert is_sendable(keyword)


@pytest.mark.parametrize("name", ['a (b) {c} "d" \\e ]f %g *h', "\t a\r\nb ", "$pier", "\\Seen"])
def test_whatever_was_typed_the_atom_is_one_and_no_flag_of_the_protocol(name: str) -> None:
    keyword = label_keyword(name)
    assert is_sendable(keyword)
    assert keyword[0] not in "$\\"


@pytest.mark.parametrize(
    ("name", "why"),
    [("", "empty"), ("* %", "empty"), ("NonJunk", "taken"), ("ä" * 60, "long"), ("a\x00b", "character")],
)
def test_what_cannot_be_a_label_says_why(name: str, why: str) -> None:
    with pytest.raises(BadName) as caught:
        label_keyword(name)
    assert caught.value.why == why


def test_what_programs_tell_each_other_is_no_label() -> None:
    assert [is_label(word) for word in ("$label1", "$Label5", "Pier", "$MDNSent", "NonJunk", "$label6", "_")] == [
        *(True, True, True),
        *(False, False, False, False),
    ]


@pytest.mark.parametrize("keyword", ["a b", "a\r\nX LOGOUT", "(a", "\\Seen", "ä", "", "x" * 101, "$Junk"])
def test_what_a_form_sends_is_an_atom_or_nothing(keyword: str) -> None:
    assert not is_sendable(keyword)
