import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.mime.headers import HeaderSummary
from webmail.mime.threads import base_subject, group, normalise_id, parse_ids, reference_ids


@pytest.mark.parametrize(
    ("value", "message_id"),
    [
        ("<a@X.Example>", "a@x.example"),
        (" <a@x.example> (comment)", "a@x.example"),
        ("a@x.example", "a@x.example"),
        ("<A b@x>", "Ab@x"),
        ("<[a@x]>", "[a@x]"),
        ("<unclosed@x", "unclosed@x"),
        ("<>", ""),
        ("", ""),
    ],
)
def test_identifiers_compare(value: str, message_id: str) -> None:
    assert normalise_id(value) == message_id


def test_reference_lists() -> None:
    assert parse_ids("<a@x><b@x>\n <a@x> junk") == ("a@x", "b@x")
    assert parse_ids("a@x b@x words") == ("a@x", "b@x")


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("Lunch", "Lunch", False),
        ("Re: Lunch", "Lunch", True),
        ("RE: AW: Sv: Re[2]: re(3) : Lunch", "Lunch", True),
        ("Antw: Lunch", "Lunch", True),
        ("回复：午餐", "午餐", True),
        ("Ответ: Обед", "Обед", True),
        ("R: Pranzo", "Pranzo", True),
        ("Fwd: Lunch", "Lunch", False),
        ("WG: Mittag", "Mittag", False),
        ("Lunch (fwd)", "Lunch", False),
        ("[team] Re: [team] Lunch", "Lunch", True),
        ("[urgent]", "[urgent]", False),
        ("Regarding: Lunch", "Regarding: Lunch", False),
        ("Re:", "", True),
        ("", "", False),
    ],
)
def test_base_subject(subject: str, base: str, is_reply: bool) -> None:
    assert base_subject(subject) == (base, is_reply)


def test_a_message_is_tied_by_all_its_identifiers() -> None:
    summary = HeaderSummary(message_id="m@x", references=("r@x", "p@x"), in_reply_to="p@x")
    assert reference_ids(summary) == ("m@x", "r@x", "p@x")
    assert reference_ids(HeaderSummary()) == ()


def test_groups_grow_together_through_a_late_link() -> None:
    messages = [(1, ["a"]), (2, ["b"]), (3, []), (4, ["c", "a"]), (5, ["c", "b"])]
    assert group(messages) == [(1, 2, 4, 5), (3,)]


def test_a_long_chain_is_one_group() -> None:
    chain = [(number, [str(number), str(number + 1)]) for number in range(20_000)]
    assert [len(members) for members in group(chain)] == [20_000]


@given(
    st.lists(st.tuples(st.integers(), st.lists(st.sampled_from("abcdef"), max_size=3)), unique_by=lambda item: item[0])
)
def test_groups_are_a_partition_closed_under_sharing(messages: list[tuple[int, list[str]]]) -> None:
    groups = group(messages)
    assert sorted(key for members in groups for key in members) == sorted(key for key, _ in messages)
    where = {key: index for index, members in enumerate(groups) for key in members}
    for left, left_ids in messages:
        for right, right_ids in messages:
            if {*left_ids} & {*right_ids}:
                assert where[left] == where[right]
