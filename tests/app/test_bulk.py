"""An action on more messages than a page waits for: its newest part at once, the rest by a worker, undone as one."""

from datetime import timedelta

import pytest
from django.urls import reverse

from tests import factories
from webmail.models import Action, BulkJob, Flag, Mailbox, Placement, RemoteOp
from webmail.services import bulk, ops
from webmail.sync import due

from .conftest import Somebody


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PART", 3)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Accounts whose sync was woken."""
    seen: list[int] = []
    monkeypatch.setattr(ops, "enqueue_on_commit", lambda job, pk: seen.append(pk))
    return seen


@pytest.fixture
def full(alice: Somebody) -> Somebody:
    """Ten messages in the inbox, Alice's own the newest."""
    for _ in range(9):
        factories.message(alice.inbox)
    return alice


def act_on_all(who: Somebody, kind: str, **fields: object) -> BulkJob:
    data = {"action": kind, "scope": "all", "mailbox": who.inbox.pk} | fields
    assert who.client.post(reverse("mail:act"), data).status_code == 302
    return BulkJob.objects.get()


def unread(who: Somebody) -> int:
    return Mailbox.objects.get(pk=who.inbox.pk).unread


def test_the_newest_part_is_done_at_once_and_a_worker_does_the_rest(full: Somebody, woken: list[int]) -> None:
    job = act_on_all(full, "read")
    newest = list(Placement.objects.filter(mailbox=full.inbox).order_by("-received_at").values_list("flags", flat=True))
    assert newest == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert unread(full) == 7
    assert woken == []
    assert bulk.advance(job.pk) is False
    assert unread(full) == 0
    assert woken == [full.account.pk]
    assert Action.objects.get(whole=None).count == 10
    assert sum(len(op.uids) for op in RemoteOp.objects.filter(kind="flags", set_flags=1)) == 10


def test_what_arrives_after_the_act_is_left_alone(full: Somebody) -> None:
    job = act_on_all(full, "delete")
    late = factories.message(full.inbox, at=factories.NOON + timedelta(hours=1))
    bulk.advance(job.pk)
    assert list(Placement.objects.filter(mailbox=full.inbox)) == [late]


def test_what_was_moved_on_meanwhile_stays_where_it_is(full: Somebody) -> None:
    last = Placement.objects.filter(mailbox=full.inbox).order_by("received_at").first()
    job = act_on_all(full, "archive")
    assert last is not None
    data = {"action": "delete", "message": last.message_id, "mailbox": full.inbox.pk}
    assert full.client.post(reverse("mail:act"), data).status_code == 302
    bulk.advance(job.pk)
    last.refresh_from_db()
    assert last.mailbox_id == full.trash.pk
    assert Mailbox.objects.get(pk=full.archive.pk).total == 9


@pytest.mark.parametrize("parts_done", [1, 2, 4])
def test_undo_stops_it_and_takes_back_what_was_done(full: Somebody, parts_done: int) -> None:
    before = list(Placement.objects.order_by("pk").values_list("pk", "mailbox", "uid", "flags"))
    job = act_on_all(full, "archive")
    for _ in range(parts_done - 1):
        bulk._next(job.pk)
    action = Action.objects.get(whole=None)
    full.client.post(reverse("mail:undo", args=[action.pk]))
    bulk.advance(job.pk)
    assert list(Placement.objects.order_by("pk").values_list("pk", "mailbox", "uid", "flags")) == before
    job.refresh_from_db()
    assert job.state == BulkJob.State.ENDED
    assert not RemoteOp.objects.filter(state="queued").exists()
    assert full.client.post(reverse("mail:undo", args=[action.pk])).status_code == 302


def test_a_star_on_everything_sits_on_the_newest_of_each_conversation(full: Somebody) -> None:
    newer = factories.message(full.inbox, thread=full.placement.thread, at=factories.NOON + timedelta(hours=1))
    bulk.advance(act_on_all(full, "star").pk)
    starred = set(Placement.objects.filter(flags=Flag.FLAGGED).values_list("pk", flat=True))
    assert newer.pk in starred
    assert full.placement.pk not in starred
    assert len(starred) == 10


def test_a_job_that_lost_its_worker_is_found_again(full: Somebody) -> None:
    job = act_on_all(full, "read")
    assert due.forgotten_bulk() == []
    BulkJob.objects.update(worked_at=factories.NOON - timedelta(days=1))
    assert due.forgotten_bulk() == [job.pk]
    bulk.advance(job.pk)
    assert due.forgotten_bulk() == []


def test_a_strangers_mailbox_and_destination_are_404(full: Somebody, bob: Somebody) -> None:
    for fields in ({"mailbox": full.inbox.pk}, {"action": "move", "to": full.archive.pk, "mailbox": bob.inbox.pk}):
        data = {"action": "read", "scope": "all"} | fields
        assert bob.client.post(reverse("mail:act"), data).status_code == 404
    assert not BulkJob.objects.exists()
