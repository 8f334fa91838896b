"""Copies of what POP3 brought, into an IMAP account of the same person, both on a real Dovecot."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check, imap_account, message, other_client, pop_account, sync
from tests.support.dovecot import Dovecot
from webmail import storage
from webmail.models import Mailbox, Message, MessageBody, Placement, PopCopy, PopUid, RemoteOp
from webmail.services import pop, unsynced
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

NAMELESS = b"From: a@x.test\r\nSubject: No identity\r\nDate: Mon, 1 Jan 2024 09:00:00 +0000\r\n\r\nhello\r\n"


@pytest.fixture
def target(dovecot: Dovecot) -> MailAccount:
    account = imap_account(dovecot)
    sync(account)
    return account


@pytest.fixture
def source(dovecot: Dovecot, target: MailAccount) -> MailAccount:
    """A POP3 account of the same person, with three messages; its copies go into the target's archive."""
    account = pop_account(dovecot, user=target.user_id)
    dovecot.load_maildir(account.address, [message(1), message(2), NAMELESS])
    pop.copy_to(account, archive(target))
    return account


def archive(target: MailAccount) -> Mailbox:
    return Mailbox.objects.get(account=target, role="archive")


def copies(target: MailAccount) -> list[str]:
    rows = Placement.objects.filter(mailbox=archive(target), state=0).order_by("message__subject")
    return list(rows.values_list("message__subject", flat=True))


def test_each_message_is_copied_once_with_its_date(dovecot: Dovecot, source: MailAccount, target: MailAccount) -> None:
    for _ in range(2):
        sync(source)
        sync(target)
    assert copies(target) == ["No identity", "Topic 1", "Topic 2"]
    placed = Placement.objects.get(mailbox=archive(target), message__subject="Topic 2")
    assert placed.received_at == datetime(2024, 1, 1, 10, 0, 2, tzinfo=UTC)
    assert not placed.flags
    check(dovecot, target)


def test_the_copy_is_the_same_octets(dovecot: Dovecot, source: MailAccount, target: MailAccount) -> None:
    sync(source)
    sync(target)
    found = dovecot.doveadm("fetch", "-u", target.address, "text", "mailbox", "Archive", "header", "message-id", "m1@")
    assert found.partition("\n")[2].strip().splitlines() == message(1).decode().strip().splitlines()


@pytest.mark.parametrize("place", ["op claimed", "op sent"])
def test_a_crash_while_copying_doubles_and_loses_nothing(
    dovecot: Dovecot, source: MailAccount, target: MailAccount, place: str
) -> None:
    sync(source)
    failpoints.arm(place, exit)
    for _ in range(3):  # after "op sent" each of the three once
        with pytest.raises(SystemExit):
            sync_account(target.pk)
    failpoints.disarm()
    sync(target)
    assert copies(target) == ["No identity", "Topic 1", "Topic 2"]
    check(dovecot, target)


@pytest.mark.parametrize("place", ["pop spooled", "pop stored", "pop quit"])
def test_a_crash_while_downloading_owes_each_copy_once(
    dovecot: Dovecot, source: MailAccount, target: MailAccount, place: str
) -> None:
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(source.pk)
    failpoints.disarm()
    sync(source)
    sync(target)
    assert copies(target) == ["No identity", "Topic 1", "Topic 2"]


def test_a_message_fetched_later_is_copied_then(dovecot: Dovecot, source: MailAccount, target: MailAccount) -> None:
    MailAccount.objects.filter(pk=source.pk).update(pop_limit_mb=0)
    sync(source)
    sync(target)
    assert not copies(target)
    pop.download(Message.objects.get(account=source, subject="Topic 1"))
    sync(source)
    sync(target)
    assert copies(target) == ["Topic 1"]


def test_only_what_comes_from_now_on(dovecot: Dovecot, source: MailAccount, target: MailAccount) -> None:
    pop.copy_to(source, None)
    sync(source)
    pop.copy_to(source, archive(target))
    dovecot.load_maildir(source.address, [message(7)])
    sync(source)
    sync(target)
    assert copies(target) == ["Topic 7"]


def test_a_target_account_that_is_removed_ends_the_copying_only(
    dovecot: Dovecot, source: MailAccount, target: MailAccount
) -> None:
    target.delete()
    sync(source)
    assert PopCopy.objects.get(account=source).mailbox is None
    assert PopUid.objects.filter(account=source, state="fetched").count() == 3


def test_copies_of_a_removed_source_are_refused_in_words(
    dovecot: Dovecot, source: MailAccount, target: MailAccount
) -> None:
    sync(source)
    digest = MessageBody.objects.get(account=source, message__subject="Topic 1").raw_digest
    default_storage.delete(storage.path(source.pk, digest))
    sync(target)
    refused = RemoteOp.objects.get(account=target, state="failed")
    assert refused.error == "the message is no longer here"
    assert copies(target) == ["No identity", "Topic 2"]


def test_nothing_goes_to_another_person(dovecot: Dovecot, source: MailAccount) -> None:
    foreign = imap_account(dovecot)
    sync(foreign)
    pop.copy_to(source, archive(foreign))
    sync(source)
    assert not RemoteOp.objects.filter(account=foreign).exists()


def owed(target: MailAccount, data: bytes) -> RemoteOp:
    """A copy of these octets that waits for its APPEND."""
    return RemoteOp.objects.create(
        account=target,
        kind=RemoteOp.Kind.APPEND,
        destination=archive(target),
        args={"digest": storage.put(target.pk, data), "message_id": "", "flags": []},
    )


def test_a_message_that_imap_cannot_carry_is_refused_in_words_and_holds_nothing_up(
    dovecot: Dovecot, target: MailAccount
) -> None:
    """A literal may hold no NUL (RFC 9051 section 4.3), POP3 servers hand some over."""
    odd, good = owed(target, message(1, body="a\0b")), owed(target, message(2))
    sync(target)
    odd.refresh_from_db()
    good.refresh_from_db()
    assert (odd.state, good.state) == ("failed", "done")
    assert "NUL" in odd.error
    assert copies(target) == ["Topic 2"]
    check(dovecot, target)


def test_a_large_message_is_appended_in_the_memory_of_a_piece(dovecot: Dovecot, target: MailAccount) -> None:
    large = owed(target, message(1, body="line after line after line\r\n" * 2**20))
    tracemalloc.start()
    try:
        sync(target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    large.refresh_from_db()
    assert large.state == "done"
    assert copies(target) == ["Topic 1"]
    assert peak < 8 * 2**20 < Message.objects.get(account=target).size


@pytest.mark.parametrize("looked", [True, False], ids=["looked", "not looked"])
def test_a_copy_whose_answer_was_lost_is_found_under_new_numbers(
    dovecot: Dovecot, source: MailAccount, target: MailAccount, looked: bool
) -> None:
    dovecot.load_maildir(target.address, [message(n) for n in range(50, 60)], mailbox="Archive")
    sync(target)
    sync(source)
    failpoints.arm("op sent", exit)
    for _ in range(3):
        with pytest.raises(SystemExit):
            sync_account(target.pk)
    failpoints.disarm()
    with other_client(dovecot, target.address, "Archive") as client:
        client.create("Restored")
        client.copy("10:*", "Restored")
        client.unselect()
        client.delete("Archive")
        client.rename("Restored", "Archive")
    if looked:
        RemoteOp.objects.filter(state="inflight").update(not_before="2099-01-01T00:00Z")
        sync(target)
    for _ in range(3):
        RemoteOp.objects.filter(state__in=["queued", "inflight"]).update(not_before=None)
        sync(target)
    assert copies(target) == ["No identity", "Topic 1", "Topic 2", "Topic 59"]
    check(dovecot, target)


def test_a_refused_copy_that_may_have_come_through_is_looked_for_before_it_is_retried(
    dovecot: Dovecot, target: MailAccount
) -> None:
    op = owed(target, message(1))
    failpoints.arm("op sent", exit)
    with pytest.raises(SystemExit):
        sync_account(target.pk)
    failpoints.disarm()
    RemoteOp.objects.filter(pk=op.pk).update(state="failed", error="[UNAVAILABLE]", finished_at=timezone.now())
    unsynced.try_again(target.user, RemoteOp.objects.get(pk=op.pk))
    sync(target)
    sync(target)
    assert copies(target) == ["Topic 1"]
    op.refresh_from_db()
    assert op.state == "done"
