"""Contacts changed on both sides: nothing that anybody typed is lost without being told."""

import pytest

from webmail.mime.card_lines import FIELDS, Values
from webmail.mime.card_lines import with_values as but
from webmail.sync.card_merge import changed, merge

BASE = Values("Amara", "Pier 4", "Print", ("a@x.example", "b@x.example"), ("1",), (), "Ink")


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_one_side_changed_is_taken_from_it(field: str) -> None:
    value = ("new",) if field in ("mails", "numbers", "addresses") else "new"
    other = but(BASE, **{field: value})
    assert merge(BASE, other, BASE, BASE).values == other
    assert merge(BASE, BASE, BASE, other).values == other
    both = merge(BASE, other, BASE, other)
    assert (both.values, both.crossed) == (other, {})


def test_different_fields_of_both_sides_are_both_kept() -> None:
    merged = merge(BASE, but(BASE, role="Head"), BASE, but(BASE, name="Amara Okafor", numbers=("2",)))
    assert merged.values == but(BASE, role="Head", name="Amara Okafor", numbers=("2",))
    assert merged.crossed == {}


def test_of_lists_what_either_added_stays_and_what_either_took_out_goes() -> None:
    here = but(BASE, mails=("a@x.example", "c@x.example"))  # without b, with c
    there = but(BASE, mails=("b@x.example", "d@x.example", "C@x.example"))  # without a, with d and c
    assert merge(BASE, here, BASE, there).values.mails == ("d@x.example", "C@x.example")


def test_one_address_changed_to_two_keeps_both() -> None:
    merged = merge(BASE, but(BASE, numbers=("2",)), BASE, but(BASE, numbers=("3",)))
    assert merged.values.numbers == ("3", "2")


def test_a_word_that_both_changed_is_the_servers_and_ours_is_told() -> None:
    merged = merge(BASE, but(BASE, role="Head"), BASE, but(BASE, role="Director"))
    assert merged.values.role == "Director"
    assert merged.crossed == {"role": ("Head", "Director")}


def test_a_word_beats_an_emptied_field() -> None:
    assert merge(BASE, but(BASE, role=""), BASE, but(BASE, role="Director")).values.role == "Director"
    assert merge(BASE, but(BASE, role="Head"), BASE, but(BASE, role="")).values.role == "Head"


def test_notes_stand_below_each_other_unless_they_would_be_too_long() -> None:
    assert merge(BASE, but(BASE, notes="Ink A"), BASE, but(BASE, notes="Ink B")).values.notes == "Ink B\n\nInk A"
    long = merge(BASE, but(BASE, notes="a" * 6_000), BASE, but(BASE, notes="b" * 6_000))
    assert long.crossed == {"notes": ("a" * 6_000, "b" * 6_000)}


def test_changed_names_the_fields() -> None:
    assert changed(BASE, but(BASE, role="", notes="")) == {"role", "notes"}
