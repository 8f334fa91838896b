"""What to ask a mailbox for, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webmail.protocols.values import MailboxStatus, Selected, UidSet
from webmail.sync import plan
from webmail.sync.plan import Known, Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = Known(
    uidvalidity=7,
    uidnext=101,
    highestmodseq=50,
    verified_high=100,
    backfill_low=1,
    exists=90,
    unseen=3,
    full_flags_at=NOW,
)
SEEN = Selected(b"INBOX", True, 90, 7, 101, highestmodseq=50)
STATUS = MailboxStatus(90, 101, 7, 3, 50)


@pytest.mark.parametrize(
    ("known", "seen", "path"),
    [
        (Known(), SEEN, Path.NOTHING_KNOWN),
        (replace(KNOWN, verified_high=0), SEEN, Path.NOTHING_KNOWN),
        (KNOWN, replace(SEEN, resynced=True), Path.QRESYNC),
        (KNOWN, SEEN, Path.CONDSTORE),
        (KNOWN, replace(SEEN, highestmodseq=None), Path.PLAIN),
        (KNOWN, replace(SEEN, highestmodseq=49), Path.PLAIN),
        (KNOWN, replace(SEEN, highestmodseq=49, resynced=True), Path.PLAIN),
        (replace(KNOWN, highestmodseq=None), SEEN, Path.PLAIN),
    ],
)
def test_the_path_is_chosen_by_what_can_be_trusted(known: Known, seen: Selected, path: Path) -> None:
    assert plan.choose_path(known, seen) is path


@pytest.mark.parametrize(
    ("status", "same"),
    [
        (STATUS, True),
        (replace(STATUS, messages=91), False),
        (replace(STATUS, uidnext=102), False),
        (replace(STATUS, unseen=4), False),
        (replace(STATUS, highestmodseq=51), False),
        (replace(STATUS, uidvalidity=8), False),
        (replace(STATUS, uidvalidity=0), False),
        (replace(STATUS, highestmodseq=None), True),
    ],
)
def test_a_mailbox_is_skipped_only_on_proof(status: MailboxStatus, same: bool) -> None:
    assert plan.unchanged(KNOWN, status, now=NOW, active=True) is same


@pytest.mark.parametrize(("minutes", "active", "same"), [(29, True, True), (31, True, False), (31, False, True)])
def test_without_mod_sequences_flags_are_read_again_in_time(minutes: int, active: bool, same: bool) -> None:
    known = replace(KNOWN, highestmodseq=None)
    status = replace(STATUS, highestmodseq=None)
    assert plan.unchanged(known, status, now=NOW + timedelta(minutes=minutes), active=active) is same


@pytest.mark.parametrize(("uidvalidity", "new"), [(7, False), (8, True), (0, True)])
def test_another_uidvalidity_is_another_numbering(uidvalidity: int, new: bool) -> None:
    assert plan.renumbered(KNOWN, replace(SEEN, uidvalidity=uidvalidity)) is new
    assert not plan.renumbered(Known(), replace(SEEN, uidvalidity=uidvalidity))


def test_new_mail_lies_between_what_is_verified_and_uidnext() -> None:
    assert plan.new_range(KNOWN, replace(SEEN, uidnext=105)) == UidSet.span(101, 104)
    assert not plan.new_range(KNOWN, SEEN)
    assert not plan.new_range(KNOWN, replace(SEEN, uidnext=50))
    assert plan.rewound(KNOWN, replace(SEEN, uidnext=50))


def test_flags_are_asked_for_where_they_may_have_changed() -> None:
    known = replace(KNOWN, verified_high=10_000, backfill_low=1)
    assert plan.flag_ranges(known, Path.CONDSTORE, recent_only=False) == UidSet.span(1, 10_000)
    assert plan.flag_ranges(known, Path.PLAIN, recent_only=True) == UidSet.span(8_001, 10_000)
    assert plan.flag_ranges(known, Path.PLAIN, recent_only=False) == UidSet.span(1, 10_000)
    assert not plan.flag_ranges(known, Path.QRESYNC, recent_only=False)


def test_only_without_mod_sequences_do_the_newest_flags_suffice() -> None:
    without = replace(SEEN, highestmodseq=None)
    late = NOW + timedelta(hours=1)
    assert plan.recent_flags_do(KNOWN, without, Path.PLAIN, now=NOW, active=True)
    assert not plan.recent_flags_do(KNOWN, without, Path.PLAIN, now=late, active=True)
    assert not plan.recent_flags_do(KNOWN, replace(SEEN, highestmodseq=1), Path.PLAIN, now=NOW, active=True)
    assert not plan.recent_flags_do(KNOWN, SEEN, Path.CONDSTORE, now=NOW, active=True)


@pytest.mark.parametrize(
    ("vanished", "stored", "mass"), [(100, 10, False), (101, 10, True), (200, 1000, False), (201, 1000, True)]
)
def test_a_mass_is_more_than_a_hundred_and_a_fifth(vanished: int, stored: int, mass: bool) -> None:
    assert plan.mass(vanished, stored) is mass


@pytest.mark.parametrize(("exists", "uidnext", "width"), [(1000, 1001, 500), (10, 10_001, 500_000), (0, 1, 2_000_000)])
def test_a_window_is_as_wide_as_the_mailbox_is_sparse(exists: int, uidnext: int, width: int) -> None:
    assert plan.window_width(exists=exists, uidnext=uidnext) == width


def test_windows_grow_while_they_are_quick_and_shrink_when_slow() -> None:
    assert [plan.next_rows(500, seconds=seconds) for seconds in (0.1, 0.7, 2.0)] == [1000, 500, 250]
    assert plan.next_rows(1000, seconds=0.1) == 1000
    assert plan.next_rows(250, seconds=9) == 250


@given(st.sets(st.integers(1, 400)), st.integers(1, 50))
def test_pieces_newest_first_are_the_whole_in_order(uids: set[int], size: int) -> None:
    pieces = [list(piece) for piece in plan.newest_first(UidSet.collect(uids), size)]
    assert [uid for piece in pieces for uid in reversed(piece)] == sorted(uids, reverse=True)
    assert all(len(piece) == size for piece in pieces[:-1])


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 60))
def test_drift_is_what_either_side_lacks(server: set[int], stored: set[int], low: int) -> None:
    found = plan.drift(server=UidSet.collect(server), stored=UidSet.collect(stored), low=low)
    assert set(found.missing) == {uid for uid in server if uid >= low} - stored
    assert set(found.vanished) == stored - server


@pytest.mark.parametrize(("named", "exists", "believed"), [(3, 3, True), (0, 3, False), (2, 3, False)])
def test_an_enumeration_is_believed_when_it_counts_right(named: int, exists: int, believed: bool) -> None:
    assert plan.enumerable(UidSet.span(1, named), count=named, exists=exists) is believed


def test_another_mailbox_under_the_old_name_and_numbers_is_noticed() -> None:
    known = replace(KNOWN, mailbox_id="F1")
    seen = replace(SEEN, uidvalidity=known.uidvalidity or 0)
    assert plan.renumbered(known, replace(seen, mailbox_id="F2"))
    assert not plan.renumbered(known, replace(seen, mailbox_id="F1"))
    assert not plan.renumbered(known, replace(seen, mailbox_id=None))
