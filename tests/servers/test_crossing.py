"""A person and a worker at the same rows at the same moment: neither costs the other their work."""

import threading
from collections.abc import Callable

import psycopg.errors
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.servers.sync_rig import check_summaries
from webmail.delivery import answered
from webmail.models import Action, Flag, Mailbox, Message, Outgoing, Placement, folder_tree
from webmail.models.summaries import refresh_lines, refresh_threads
from webmail.protocols.values import FlagRow
from webmail.services import actions, targets
from webmail.sync import lease as leases
from webmail.sync import vanish
from webmail.sync.lease import guarded
from webmail.sync.placements import Spot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def placed() -> Placement:
    return factories.message(factories.mailbox(factories.account(factories.user("Alice"))))


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def amid_a_batch(placed: Placement, person: Callable[[], object]) -> None:
    """Something is done while a worker writes, and then the worker comes to the same message."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            person()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    lease = leases.take(placed.account_id)
    assert lease is not None
    with guarded(lease):
        thread.start()
        pause = threading.Event()
        while thread.is_alive() and not somebody_waits():
            pause.wait(0.02)
        Placement.objects.filter(pk=placed.pk).update(keywords=["seen"])
    thread.join()
    assert not errors


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


def amid_a_move(placed: Placement, worker: Callable[[], object]) -> Mailbox:
    """A worker waits for a message that its owner is just taking to another folder, which is returned."""
    kept = factories.mailbox(placed.account, name="Kept")
    lease = leases.take(placed.account_id)
    assert lease is not None
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with guarded(lease):
                worker()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        spots = targets.lock(Placement.objects.filter(pk=placed.pk))
        actions.move(placed.account.user, "move", spots, kept)
        thread.start()
        pause = threading.Event()
        while thread.is_alive() and not somebody_waits():
            pause.wait(0.02)
    thread.join()
    assert not errors
    placed.refresh_from_db()
    return kept


def test_mail_moved_out_of_a_folder_while_that_vanishes_stays_where_it_was_put(placed: Placement) -> None:
    folder = placed.mailbox_id
    kept = amid_a_move(placed, lambda: vanish.hide_mailbox(folder))
    assert (placed.mailbox_id, placed.state) == (kept.pk, Placement.State.LIVE)
    check_summaries(placed.account)


def test_flags_told_of_a_message_that_is_just_moved_on_are_not_written_elsewhere(placed: Placement) -> None:
    """A \\Deleted flag would take it from the list of the folder it was put into, whose line would stay."""
    spot = Spot(placed.account_id, placed.mailbox_id, placed.gen)
    assert placed.uid is not None
    row = FlagRow(placed.uid, frozenset({"\\Deleted"}), None)
    kept = amid_a_move(placed, lambda: vanish.change_flags(spot, [row]))
    assert (placed.mailbox_id, placed.flags) == (kept.pk, 0)
    check_summaries(placed.account)


def test_mail_moved_out_of_a_folder_while_that_is_hidden_keeps_its_line(placed: Placement) -> None:
    """Joined with another conversation meanwhile, its line is that of the conversation it has now."""
    other = factories.message(factories.mailbox(placed.account, name="Elsewhere"))
    hidden = threading.Thread(target=hide, args=[placed])
    with transaction.atomic():
        Placement.objects.select_for_update().get(pk=placed.pk)
        hidden.start()
        pause = threading.Event()
        while hidden.is_alive() and not somebody_waits():
            pause.wait(0.02)
        Placement.objects.filter(pk=placed.pk).update(thread=other.thread_id)
        Message.objects.filter(pk=placed.message_id).update(thread=other.thread_id)
        refresh_lines({placed.mailbox_id}, {placed.thread_id, other.thread_id})
        refresh_threads({placed.thread_id, other.thread_id})
    hidden.join()
    check_summaries(placed.account)


def hide(placed: Placement) -> None:
    try:
        with transaction.atomic():
            folder_tree.hide_mail(placed.mailbox_id, timezone.now())
    finally:
        connection.close()
