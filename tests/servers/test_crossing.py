"""A person and a worker at the same rows at the same moment: neither costs the other their work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import psycopg.errors
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import MailAccount
from tests import factories
from tests.servers.sync_rig import check_summaries, message
from webmail.delivery import answered
from webmail.models import Action, Flag, Mailbox, Message, Outgoing, Placement, RemoteOp, folder_tree
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.protocols.values import FlagRow, UidSet
from webmail.services import actions, ops, targets, undo
from webmail.services.ops import Spot
from webmail.sync import labels, messages, ops_settle, placements, pop_store, purge, vanish
from webmail.sync import lease as leases
from webmail.sync.lease import guarded
from webmail.sync.ops_plan import Batch, Op
from webmail.sync.pop_plan import Listed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def placed() -> Placement:
    return factories.message(factories.mailbox(factories.account(factories.user("Alice"))))


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@contextmanager
def beside(other: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """``other`` in a thread of its own. What is given starts it and returns once it waits for a row, or has ended; at
    the end it has ended, without an error.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            other()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)

    def start() -> None:
        thread.start()
        pause = threading.Event()
        while thread.is_alive() and not somebody_waits():
            pause.wait(0.02)

    yield start
    thread.join()
    assert not errors


def lease_of(placed: Placement) -> leases.Lease:
    lease = leases.take(placed.account_id)
    assert lease is not None
    return lease


def amid_a_batch(placed: Placement, person: Callable[[], object]) -> None:
    """Something is done while a worker writes, and then the worker comes to the same message."""
    with beside(person) as start, guarded(lease_of(placed)):
        start()
        Placement.objects.filter(pk=placed.pk).update(keywords=["seen"])


def test_an_action_amid_a_batch_about_the_same_message(placed: Placement) -> None:
    client = Client()
    client.force_login(placed.account.user)
    amid_a_batch(placed, lambda: client.post(reverse("mail:act"), {"action": "star", "message": placed.message_id}))
    placed.refresh_from_db()
    placed.account.refresh_from_db()
    assert (placed.flags, placed.keywords) == (Flag.FLAGGED, ["seen"])
    assert placed.account.woken_at is not None


def test_an_answer_leaves_amid_a_batch_about_its_original(placed: Placement) -> None:
    outgoing = Outgoing(original=placed.message, mode="reply", account=placed.account)
    amid_a_batch(placed, transaction.atomic(lambda: answered.mark(outgoing)))
    placed.refresh_from_db()
    assert (placed.flags, placed.keywords) == (Flag.ANSWERED, ["seen"])


def test_an_action_that_lost_a_deadlock_is_done_again(placed: Placement, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh, calls = actions.refresh, []

    def lose_once(*words: object, **options: object) -> None:
        calls.append(words)
        if len(calls) == 1:
            raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected()
        refresh(*words, **options)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(actions, "refresh", lose_once)
    client = Client()
    client.force_login(placed.account.user)
    client.post(reverse("mail:act"), {"action": "star", "message": placed.message_id})
    calls.clear()
    client.post(reverse("mail:undo", args=[Action.objects.get().pk]))
    placed.refresh_from_db()
    assert (len(calls), placed.flags) == (2, 0)


def amid_an_action(placed: Placement, *, person: Callable[[list[Spot]], object], worker: Callable[[], object]) -> None:
    """A worker comes to the message while its owner's action on it is not committed yet."""
    lease = lease_of(placed)

    def work() -> None:
        with guarded(lease):
            worker()

    with beside(work) as start, transaction.atomic():
        person(targets.lock(Placement.objects.filter(pk=placed.pk)))
        start()


def test_mail_moved_out_of_a_folder_while_that_vanishes_stays_where_it_was_put(placed: Placement) -> None:
    """The worker has found the folder's messages and waits for one that its owner is just taking out."""
    kept = factories.mailbox(placed.account, name="Kept")
    amid_an_action(
        placed,
        person=lambda spots: actions.move(placed.account.user, "move", spots, kept),
        worker=lambda: vanish.hide_mailbox(placed.mailbox_id),
    )
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.state) == (kept.pk, Placement.State.LIVE)
    check_summaries(placed.account)


def batch_of(op: RemoteOp) -> Batch:
    """The operation as a worker claims it."""
    value = Op(
        op.pk,
        op.kind,
        op.mailbox_id,
        op.gen,
        op.destination_id,
        tuple(op.placements),
        tuple(op.uids),
        set_flags=op.set_flags,
        clear_flags=op.clear_flags,
    )
    return Batch(op.kind, op.mailbox_id, op.gen, op.destination_id, [value])


def moved_as(op: RemoteOp, uid: int, *, left: UidSet | None = None) -> None:
    """What a worker writes when the server has moved the operation's message and given it this UID."""
    assert op.mailbox is not None
    assert op.destination is not None
    moved = ops_settle.Moved({op.placements[0]: uid}, frozenset(), left or UidSet())
    ops_settle.move_done(batch_of(op), op.mailbox, op.destination, moved)


def on_its_way(placed: Placement) -> tuple[RemoteOp, Mailbox]:
    """The message was put into another folder here, where it has no UID yet."""
    kept = factories.mailbox(placed.account, name="Kept")
    spots = transaction.atomic(targets.lock)(Placement.objects.filter(pk=placed.pk))
    actions.move(placed.account.user, "move", spots, kept)
    return RemoteOp.objects.get(), kept


def test_mail_moved_on_while_its_first_move_is_settled_gets_no_uid_of_the_first_place(placed: Placement) -> None:
    op, kept = on_its_way(placed)
    last = factories.mailbox(placed.account, name="Last")
    amid_an_action(
        placed,
        person=lambda spots: actions.move(placed.account.user, "move", spots, last),
        worker=lambda: moved_as(op, 77),
    )
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.uid, placed.state) == (last.pk, None, Placement.State.LIVE)
    assert RemoteOp.objects.get(mailbox=kept).uids == [77]  # the second move finds it by that
    check_summaries(placed.account)


def test_mail_deleted_while_its_move_is_settled_stays_deleted(placed: Placement) -> None:
    op, kept = on_its_way(placed)
    amid_an_action(
        placed,
        person=lambda spots: actions.expunge(placed.account.user, spots),
        worker=lambda: moved_as(op, 77),
    )
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.uid, placed.state) == (kept.pk, 77, Placement.State.GONE)
    assert RemoteOp.objects.get(mailbox=kept).uids == [77]
    check_summaries(placed.account)


def test_flags_told_of_a_message_that_is_just_moved_on_are_written_where_it_was_put(placed: Placement) -> None:
    """The message takes them along; a \\Deleted flag takes it from the list there, and its line with it."""
    spot = placements.Spot(placed.account_id, placed.mailbox_id, placed.gen)
    assert placed.uid is not None
    row = FlagRow(placed.uid, frozenset({"\\Deleted"}), None)
    kept = factories.mailbox(placed.account, name="Kept")
    amid_an_action(
        placed,
        person=lambda spots: actions.move(placed.account.user, "move", spots, kept),
        worker=lambda: vanish.change_flags(spot, [row]),
    )
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.flags) == (kept.pk, Flag.DELETED)
    check_summaries(placed.account)


def test_a_folder_hidden_while_conversations_are_joined_keeps_no_line(placed: Placement) -> None:
    """The message belongs to another conversation by the time it is hidden."""
    other = factories.message(factories.mailbox(placed.account, name="Elsewhere"))
    hide = partial(folder_tree.hide_mail, placed.mailbox_id, timezone.now())
    with beside(transaction.atomic(hide)) as start, transaction.atomic():
        Placement.objects.select_for_update().get(pk=placed.pk)
        start()
        Placement.objects.filter(pk=placed.pk).update(thread=other.thread_id)
        Message.objects.filter(pk=placed.message_id).update(thread=other.thread_id)
        refresh_lines({placed.mailbox_id}, {placed.thread_id, other.thread_id})
        refresh_threads({placed.thread_id, other.thread_id})
    placed.refresh_from_db()
    assert (placed.thread_id, placed.state) == (other.thread_id, Placement.State.GONE)
    check_summaries(placed.account)


def test_mail_deleted_for_good_returns_by_undo_while_a_worker_is_at_the_operation(placed: Placement) -> None:
    """The worker only tells it what its message is called on the server; it has not begun it."""
    spots = transaction.atomic(targets.lock)(Placement.objects.filter(pk=placed.pk))
    action = transaction.atomic(actions.expunge)(placed.account.user, spots)
    with beside(partial(undo.undo, placed.account.user, action)) as start, guarded(lease_of(placed)):
        RemoteOp.objects.select_for_update().get()
        start()
        RemoteOp.objects.update(uids=[77])
    placed.refresh_from_db()
    assert (placed.state, RemoteOp.objects.get().state) == (Placement.State.LIVE, RemoteOp.State.CANCELLED)
    check_summaries(placed.account)


def test_a_copy_made_while_its_conversation_is_joined_to_another_belongs_to_that_too(placed: Placement) -> None:
    kept = factories.mailbox(placed.account, name="Kept")
    other = factories.message(placed.mailbox, subject="Re: Harbour signage")

    def join() -> None:
        boxes = messages._merge({placed.thread_id: other.thread_id})
        refresh_lines(boxes, {placed.thread_id, other.thread_id})
        refresh_threads({placed.thread_id, other.thread_id})

    amid_an_action(placed, person=lambda spots: actions.copy(placed.account.user, spots, kept), worker=join)
    assert set(Placement.objects.values_list("thread", flat=True)) == {other.thread_id}
    check_summaries(placed.account)


def test_refused_marks_leave_the_counts_of_the_folder_where_the_message_is_now(placed: Placement) -> None:
    kept = factories.mailbox(placed.account, name="Kept")
    spots = transaction.atomic(targets.lock)(Placement.objects.filter(pk=placed.pk))
    actions.change_flags(placed.account.user, "read", spots, set_=Flag.SEEN, clear=0)
    actions.move(placed.account.user, "move", spots, kept)
    with guarded(lease_of(placed)):
        ops_settle.revert(batch_of(RemoteOp.objects.get(kind="flags")), "no")
    kept.refresh_from_db()
    assert (kept.total, kept.unread) == (1, 1)
    check_summaries(placed.account)


def test_a_refused_move_of_what_has_no_uid_leaves_others_that_wait_there(placed: Placement) -> None:
    kept = factories.mailbox(placed.account, name="Kept")
    last = factories.mailbox(placed.account, name="Last")
    other = factories.message(placed.mailbox)
    spots = transaction.atomic(targets.lock)(Placement.objects.filter(mailbox=placed.mailbox_id))
    actions.move(placed.account.user, "move", spots, kept)
    mine = transaction.atomic(targets.lock)(Placement.objects.filter(pk=placed.pk))
    actions.move(placed.account.user, "move", mine, last)
    with guarded(lease_of(placed)):
        ops_settle.revert(batch_of(RemoteOp.objects.get(destination=last)), "no")
    assert set(Placement.objects.filter(mailbox=kept, state=0).values_list("pk", flat=True)) == {placed.pk, other.pk}
    check_summaries(placed.account)


def test_labels_told_of_a_message_that_is_just_put_into_trash_are_not_written_there(placed: Placement) -> None:
    Mailbox.objects.filter(pk=placed.mailbox_id).update(labelled=True)
    spot = placements.Spot(placed.account_id, placed.mailbox_id, placed.gen, labelled=True)
    trash = factories.mailbox(placed.account, "trash")
    amid_an_action(
        placed,
        person=lambda spots: actions.carry(placed.account.user, "delete", spots, trash),
        worker=lambda: labels.note(spot, {placed.pk: ("Boats",)}),
    )
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.server_labels) == (trash.pk, None)


def crossed(first: Placement, second: Placement, worker: Callable[[], object]) -> None:
    """Somebody takes two rows in the order of their ids while another writer takes both, of which the table and its
    indexes have the second first.
    """
    Placement.objects.filter(pk=first.pk).update(received_at=factories.NOON - timedelta(days=1))
    with beside(transaction.atomic(worker)) as start, transaction.atomic():
        Placement.objects.select_for_update().get(pk=first.pk)
        start()
        Placement.objects.select_for_update().get(pk=second.pk)


def test_a_folder_is_hidden_and_shown_in_the_order_all_take_rows(placed: Placement) -> None:
    other, at = factories.message(placed.mailbox), timezone.now()
    crossed(placed, other, lambda: folder_tree.hide_mail(placed.mailbox_id, at))
    crossed(placed, other, lambda: folder_tree.show_mail(placed.mailbox_id, at))


def test_the_original_of_an_answer_is_marked_in_the_order_all_take_rows(placed: Placement) -> None:
    other = twin_of(placed)
    crossed(placed, other, lambda: answered.mark(Outgoing(original=placed.message, mode="reply")))


def test_what_is_moved_away_is_hidden_in_the_order_all_take_rows(placed: Placement) -> None:
    other = factories.message(placed.mailbox)
    op, _ = on_its_way(factories.message(placed.mailbox))
    Placement.objects.filter(pk=placed.pk).update(uid=90_000)
    crossed(placed, other, lambda: moved_as(op, 77, left=UidSet.span(1, 90_000)))


def test_conversations_are_joined_in_the_order_all_take_rows(placed: Placement) -> None:
    other, winner = twin_of(placed), factories.message(placed.mailbox)
    crossed(placed, other, lambda: messages._merge({placed.thread_id: winner.thread_id}))


@pytest.mark.parametrize("what", ["gives way", "is completed"])
def test_the_beginning_of_a_pop_message_changes_in_the_order_all_take_rows(placed: Placement, what: str) -> None:
    other, rows = twin_of(placed), message(1, subject="The whole")
    one = pop_store.brought(placed.account, Listed(1, "x", len(rows)), rows, size=len(rows))
    if what == "gives way":
        crossed(placed, other, lambda: pop_store._give_way(placed.message_id))
    else:
        crossed(placed, other, lambda: pop_store._complete(placed.account, placed.message_id, one.row))
    check_summaries(placed.account)


def twin_of(placed: Placement) -> Placement:
    """The same message once more: this lies where the first one did, which is in another folder now."""
    Placement.objects.filter(pk=placed.pk).update(mailbox=factories.mailbox(placed.account, name="Kept"))
    return Placement.objects.create(
        account=placed.account,
        mailbox=placed.mailbox,
        uid=1,
        message=placed.message,
        thread=placed.thread,
        received_at=placed.received_at,
    )


def test_a_tombstone_that_comes_back_while_it_is_purged_stays(placed: Placement) -> None:
    buried = timezone.now() - timedelta(days=8)
    Placement.objects.filter(pk=placed.pk).update(state=Placement.State.GONE, gone_at=buried)
    with beside(purge.purge) as start, transaction.atomic():
        Placement.objects.filter(pk=placed.pk).update(state=Placement.State.LIVE, gone_at=None)
        start()
    placed.refresh_from_db()
    assert placed.state == Placement.State.LIVE


def test_an_account_is_removed_amid_an_action_on_its_mail(placed: Placement) -> None:
    """The action's rows hold the removal up, and its operation waits for the account: a deadlock, and both go on."""
    client = Client()
    client.force_login(placed.account.user)
    kept = factories.mailbox(placed.account, name="Kept")
    user = placed.account.user
    begun: list[bool] = []
    address = reverse("mail:account_remove", args=[placed.account_id])

    def act() -> None:
        spots = targets.lock(Placement.objects.filter(pk=placed.pk))
        actions.move(user, "move", spots, kept)
        if not begun:
            begun.append(True)
            start()

    with beside(lambda: client.post(address, {"confirm": "yes"})) as start:
        ops.done_again(act)
    assert not Placement.objects.exists()
    assert not MailAccount.objects.exists()
