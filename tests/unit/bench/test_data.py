"""What the benchmarks measure on must be what a sync would have left behind."""

from typing import Any

import pytest
from django.db import connection

from tests.bench import data
from webmail.models import Mailbox, MailboxThread, Message, MessageSearch, Placement, Thread
from webmail.models.summaries import refresh_counts, refresh_lines, refresh_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> data.Filled:
    monkeypatch.setattr(data, "CHUNK", 100)
    monkeypatch.setattr(data, "_settle", lambda: None)  # VACUUM needs to be outside of a test's transaction
    return data.fill(400, bodies=0.5)


def rows(model: Any) -> list[dict[str, Any]]:
    return list(model.objects.order_by("pk").values())


def test_its_summaries_are_those_of_the_application(filled: data.Filled) -> None:
    before = [rows(model) for model in (Mailbox, Thread, MailboxThread)]
    threads = list(Thread.objects.values_list("pk", flat=True))
    MailboxThread.objects.update(unread_count=99, flags_any=0)
    Thread.objects.update(message_count=0, participants=[], subject="")
    refresh_lines([filled.inbox.pk], threads)
    refresh_threads(threads)
    refresh_counts([filled.inbox.pk])
    assert [rows(model) for model in (Mailbox, Thread, MailboxThread)] == before


def test_there_are_as_many_messages_as_asked_for(filled: data.Filled) -> None:
    assert [model.objects.count() for model in (Message, Placement, MessageSearch)] == [400, 400, 400]
    assert filled.conversations == Thread.objects.count()
    assert {line.message_count for line in MailboxThread.objects.all()} == {1, 2, 3, 4, 5, 6}


def test_uids_grow_with_time_and_stay_below_uidnext(filled: data.Filled) -> None:
    uids = list(Placement.objects.order_by("uid").values_list("uid", flat=True))
    assert uids == list(range(1, 401))
    assert filled.inbox.uidnext == 401


def test_documents_are_found_by_their_words(filled: data.Filled) -> None:
    message = Message.objects.exclude(subject="").first()
    assert message is not None
    word = message.subject.lower().split()[-1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id FROM webmail_messagesearch WHERE document @@ %s::tsquery", [f"'{word}'"])
        assert message.pk in {pk for (pk,) in cursor.fetchall()}
