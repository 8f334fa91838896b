"""A person and a worker at the same rows at the same moment: neither costs the other their work."""

import threading
from collections.abc import Callable

import psycopg.errors
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.servers.sync_rig import check_summaries
from webmail.delivery import answered
from webmail.models import Action, Flag, Outgoing, Placement
from webmail.services import actions, targets
from webmail.sync import lease as leases
from webmail.sync import vanish
from webmail.sync.lease import guarded

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


def test_mail_moved_out_of_a_folder_while_that_vanishes_stays_where_it_was_put(placed: Placement) -> None:
    """The worker has found the folder's messages and waits for one that its owner is just taking out."""
    kept = factories.mailbox(placed.account, name="Kept")
    lease = leases.take(placed.account_id)
    assert lease is not None

    def vanished() -> None:
        try:
            with guarded(lease):
                vanish.hide_mailbox(placed.mailbox_id)
        finally:
            connection.close()

    thread = threading.Thread(target=vanished)
    with transaction.atomic():
        spots = targets.lock(Placement.objects.filter(pk=placed.pk))
        actions.move(placed.account.user, "move", spots, kept)
        thread.start()
        pause = threading.Event()
        while thread.is_alive() and not somebody_waits():
            pause.wait(0.02)
    thread.join()
    placed.refresh_from_db()
    assert (placed.mailbox_id, placed.state) == (kept.pk, Placement.State.LIVE)
    check_summaries(placed.account)
