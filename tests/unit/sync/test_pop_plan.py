"""What a POP3 session does, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webmail.protocols.pop3 import PopEntry
from webmail.sync import pop_plan
from webmail.sync.pop_plan import Entry, Listed, Policy

NOW = datetime(2026, 1, 20, tzinfo=UTC)


def entry(
    state: str = "fetched", *, days: int = 0, attempts: int = 0, gone: bool = False, listed: bool = True
) -> Entry:
    return Entry(state, NOW - timedelta(days=days), attempts, gone, listed, size=10)


def numbers(found: tuple[Listed, ...]) -> list[int]:
    return [one.number for one in found]


def test_unknown_mail_is_fetched_newest_first() -> None:
    listing = [Listed(1, "a", 10), Listed(2, "b", 10), Listed(3, "c", 10)]
    found = pop_plan.plan(listing, {"b": entry()}, Policy(), now=NOW)
    assert numbers(found.fetch) == [3, 1]
    assert not found.delete


@pytest.mark.parametrize(
    ("policy", "known", "deleted"),
    [
        (Policy("keep"), entry(), False),
        (Policy("delete"), entry(), True),
        (Policy("delete"), entry("seen"), False),
        (Policy("delete"), entry("failed", attempts=3), False),
        (Policy("after", days=7), entry(days=6), False),
        (Policy("after", days=7), entry(days=7), True),
        (Policy("mirror"), entry(), False),
        (Policy("mirror"), entry(gone=True), True),
        (Policy("keep"), entry("delete_due"), True),
        (Policy("delete", frozen=True), entry(), False),
        (Policy("keep", frozen=True), entry("delete_due"), False),
    ],
)
def test_what_may_be_deleted(policy: Policy, known: Entry, deleted: bool) -> None:
    found = pop_plan.plan([Listed(1, "a", 10)], {"a": known}, policy, now=NOW)
    assert bool(found.delete) is deleted


@pytest.mark.parametrize(
    ("known", "size", "fetched"),
    [
        (entry("deleted"), 10, False),
        (entry("deleted"), 11, True),
        (entry("deleted", listed=False), 10, True),
        (entry("fetched", listed=False), 11, True),
        (entry("fetched", listed=False), 10, False),
        (entry("fetched"), 11, False),  # some servers add a Status field, or count anew
        (entry("failed", attempts=3, listed=False), 11, True),
    ],
)
def test_what_may_be_other_mail_under_an_old_name_is_fetched_and_not_deleted(
    known: Entry, size: int, fetched: bool
) -> None:
    found = pop_plan.plan([Listed(1, "a", size)], {"a": known}, Policy("delete"), now=NOW)
    assert (bool(found.fetch), bool(found.delete)) == (fetched, not fetched)


@pytest.mark.parametrize(("attempts", "again"), [(0, True), (2, True), (3, False)])
def test_a_message_that_fails_is_tried_three_times(attempts: int, again: bool) -> None:
    found = pop_plan.plan([Listed(1, "a", 10)], {"a": entry("failed", attempts=attempts)}, Policy(), now=NOW)
    assert bool(found.fetch) is again


def test_what_the_server_forgets_and_remembers_is_noted() -> None:
    ledger = {"a": entry(), "b": entry(listed=False), "c": entry(listed=False)}
    found = pop_plan.plan([Listed(1, "b", 10)], ledger, Policy(), now=NOW)
    assert (set(found.vanished), set(found.returned)) == ({"a"}, {"b"})
    assert not found.fetch


@pytest.mark.parametrize(
    ("known", "listing", "renumbered"),
    [(51, ["x"], True), (50, ["x"], False), (51, ["x", "k3"], False), (51, [], False)],
)
def test_a_listing_of_strangers_means_renumbered(known: int, listing: list[str], renumbered: bool) -> None:
    ledger = {f"k{n}": entry() for n in range(known)}
    listed = [Listed(n + 1, key, 10) for n, key in enumerate(listing)]
    assert pop_plan.plan(listed, ledger, Policy("delete"), now=NOW).renumbered is renumbered


@pytest.mark.parametrize(
    ("size", "limit", "brief"),
    [(10, 10, False), (11, 10, True), (1, 0, True), (pop_plan.LARGEST + 1, pop_plan.LARGEST, True)],
)
def test_of_too_large_a_message_only_the_beginning_comes(size: int, limit: int, brief: bool) -> None:
    found = pop_plan.plan([Listed(1, "a", size)], {}, Policy(limit=limit), now=NOW)
    assert (numbers(found.fetch), "a" in found.brief) == ([1], brief)


def test_what_its_owner_asked_for_comes_first_and_whole() -> None:
    listing = [Listed(1, "a", 900), Listed(2, "b", 10)]
    found = pop_plan.plan(listing, {"a": entry("wanted")}, Policy(limit=100), now=NOW)
    assert (numbers(found.fetch), found.brief) == ([1, 2], frozenset())


def test_a_larger_limit_brings_what_was_left() -> None:
    listing, ledger = [Listed(1, "a", 900)], {"a": entry("too_large")}
    assert numbers(pop_plan.plan(listing, ledger, Policy(limit=899), now=NOW).fetch) == []
    assert numbers(pop_plan.plan(listing, ledger, Policy(limit=900), now=NOW).fetch) == [1]


@pytest.mark.parametrize("kind", ["keep", "delete", "after", "mirror"])
@pytest.mark.parametrize("state", ["too_large", "wanted"])
def test_what_was_never_downloaded_goes_only_when_its_owner_deleted_it(kind: str, state: str) -> None:
    listing, policy = [Listed(1, "a", 900)], Policy(kind, days=1, limit=100)
    assert not pop_plan.plan(listing, {"a": entry(state, days=9)}, policy, now=NOW).delete
    assert numbers(pop_plan.plan(listing, {"a": entry(state, gone=True)}, policy, now=NOW).delete) == [1]


@pytest.mark.parametrize(
    ("ledger", "fetched", "more"),
    [
        ({}, 0, False),
        ({}, 3, False),
        ({}, pop_plan.BATCH, True),
        ({"old": entry()}, 3, True),  # what was fetched is hidden: the server shows mail in batches
        ({"old": entry("deleted", listed=False)}, 3, False),
        ({"a": entry(), "old": entry()}, 1, False),
    ],
)
def test_whether_another_session_would_list_more(ledger: dict[str, Entry], fetched: int, more: bool) -> None:
    listing = [Listed(1, "a", 10), Listed(2, "b", 10), Listed(3, "c", 10)]
    assert pop_plan.more_likely(listing, ledger, fetched) is more


def test_identifiers_that_do_not_tell_apart_are_completed_by_the_header() -> None:
    listing = [PopEntry(1, "same", 5), PopEntry(2, "same", 6), PopEntry(3, None, 7), PopEntry(4, "own", 8)]
    doubtful = pop_plan.doubtful(listing)
    assert [one.number for one in doubtful] == [1, 2, 3]
    keys = [one.key for one in pop_plan.keyed(listing, {1: "aa", 2: "bb", 3: "cc"})]
    assert keys == ["same#aa", "same#bb", "h#cc", "own"]


def test_two_listings_of_one_message_are_one() -> None:
    listing = [PopEntry(1, "same", 5), PopEntry(2, "same", 5)]
    assert len(pop_plan.keyed(listing, {1: "aa", 2: "aa"})) == 1
