from __future__ import annotations

from webmail.sync.ops_plan import Op, batches, free_to_run

SEEN, FLAGGED = 1, 2


def flags(pk: int, placements: tuple[int, ...], *, set_: int = 0, clear: int = 0, mailbox: int = 1) -> Op:
    return Op(pk, "flags", mailbox, 1, None, placements, placements, set_, clear)


def move(pk: int, placements: tuple[int, ...], *, to: int = 2, inflight: bool = False) -> Op:
    return Op(pk, "move", 1, 1, to, placements, placements, inflight=inflight)


def test_marks_of_one_mailbox_travel_together() -> None:
    found = batches([flags(1, (1, 2), set_=SEEN), flags(2, (3,), set_=SEEN), flags(3, (4,), set_=FLAGGED)])
    assert len(found) == 1
    assert found[0].marks() == {(SEEN, 0): [1, 2, 3], (FLAGGED, 0): [4]}


def test_of_marks_that_undo_each_other_the_last_is_sent() -> None:
    found = batches([flags(1, (1,), set_=SEEN), flags(2, (1,), clear=SEEN), flags(3, (1,), set_=FLAGGED)])
    assert found[0].marks() == {(FLAGGED, SEEN): [1]}


def test_order_is_kept_around_a_move() -> None:
    found = batches([flags(1, (1,), set_=SEEN), move(2, (1,)), move(3, (2,)), flags(4, (3,), set_=SEEN)])
    assert [(batch.kind, batch.ids) for batch in found] == [("flags", [1]), ("move", [2, 3]), ("flags", [4])]


def test_moves_to_different_places_stay_apart() -> None:
    assert len(batches([move(1, (1,), to=2), move(2, (2,), to=3)])) == 2


def test_what_may_have_happened_already_is_looked_at_by_itself() -> None:
    found = batches([move(1, (1,), inflight=True), move(2, (2,))])
    assert [batch.uncertain for batch in found] == [True, False]


def test_nothing_overtakes_an_earlier_operation_on_the_same_message() -> None:
    ops = [move(1, (1,)), flags(2, (1, 2), set_=SEEN), flags(3, (2,), clear=SEEN), flags(4, (3,), set_=SEEN)]
    assert [op.id for op in free_to_run(ops, {1})] == [4]
    assert [op.id for op in free_to_run(ops, {3})] == [1, 2, 4]
    assert [op.id for op in free_to_run(ops, ())] == [1, 2, 3, 4]


def test_nothing_is_done_in_a_folder_that_is_not_made_yet_or_is_being_deleted() -> None:
    ops = [Op(1, "create", 2, 1, None, (), ()), move(2, (1,), to=2), flags(3, (1,), set_=SEEN), move(4, (2,), to=3)]
    assert [op.id for op in free_to_run(ops, {1})] == [4]
    ops = [Op(1, "remove", 2, 1, None, (), ()), move(2, (1,), to=2), Op(3, "create", 2, 1, None, (), ())]
    assert [op.id for op in free_to_run(ops, {1})] == []


def test_a_folder_is_not_deleted_while_mail_waits_to_leave_it() -> None:
    ops = [move(1, (1,)), Op(2, "remove", 1, 1, None, (), ()), Op(3, "remove", 9, 1, None, (), ())]
    assert [op.id for op in free_to_run(ops, {1})] == [3]


def test_a_copy_keeps_its_order_with_what_happens_to_its_original() -> None:
    copy = Op(2, "copy", 1, 1, 2, (10,), (1,), sources=(1,))
    assert [op.id for op in free_to_run([move(1, (1,)), copy, flags(3, (10,), set_=SEEN)], {1})] == []


def words(pk: int, placements: tuple[int, ...], *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> Op:
    return Op(pk, "keywords", 1, 1, None, placements, placements, add=add, remove=remove)


def test_of_keywords_that_undo_each_other_the_last_is_sent_whatever_its_case() -> None:
    found = batches(
        [
            words(1, (1, 2), add=("$label1", "Pier")),
            words(2, (1,), remove=("$Label1",)),
            words(3, (2,), remove=("Old",)),
        ]
    )
    assert len(found) == 1
    assert found[0].keywords() == {(("Pier",), ("$Label1",)): [1], (("$label1", "Pier"), ("Old",)): [2]}


def test_keywords_and_marks_do_not_share_a_batch() -> None:
    found = batches([words(1, (1,), add=("a",)), flags(2, (1,), set_=SEEN), words(3, (1,), add=("b",))])
    assert [batch.kind for batch in found] == ["keywords", "flags", "keywords"]
