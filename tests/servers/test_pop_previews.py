"""POP3 on a real Dovecot: large mail is looked at first, then downloaded or deleted without ever being downloaded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check_summaries, lock, message, pop_account, sync
from tests.servers.test_pop_sync import left_on_server, states
from tests.support.dovecot import Dovecot
from webmail import storage
from webmail.models import Flag, Mailbox, Message, MessageBody, MessageSearch, Placement, PopUid
from webmail.protocols import pop3
from webmail.protocols.errors import CommandFailed
from webmail.services import actions, pop, targets
from webmail.services import undo as undoing
from webmail.sync import bodies, failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

LINE = "A line of sixty-odd characters, so that a body grows quickly enough.\r\n"
LARGE = message(1, subject="Plans", body="First line\r\n" + LINE * 20_000, extra="X-Kept: yes\r\n")  # 1.4 MB
SMALL = message(2, subject="Short")


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = pop_account(dovecot, pop_limit_mb=1)
    dovecot.load_maildir(made.address, [LARGE, SMALL])
    sync(made)
    return made


def large(account: MailAccount) -> Message:
    return Message.objects.select_related("body").get(account=account, subject="Plans")


def test_a_large_message_is_here_as_its_beginning(dovecot: Dovecot, account: MailAccount) -> None:
    assert states(account) == {"fetched": 1, "too_large": 1}
    found = large(account)
    assert found.extra["not_downloaded"]
    assert found.size == len(LARGE)
    assert (found.body.state, found.body.raw_digest, found.body.parts) == ("here", "", [])
    assert found.body.text.startswith("First line\n")
    assert len(found.body.text) < 10_000
    assert found.snippet.startswith("First line")
    inbox = Mailbox.objects.get(account=account, role="inbox")
    assert (inbox.total, inbox.unread) == (2, 2)
    assert left_on_server(dovecot, account) == 2
    check_summaries(account)


def test_nothing_more_of_it_comes_unasked(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(pop3.Session, "retrieve", lambda session, number, *_, **__: asked.append(number))
    monkeypatch.setattr(pop3.Session, "top", lambda session, number, *_: asked.append(number))
    sync(account)
    bodies.fetch_body(large(account).pk)
    bodies.fetch_part(large(account).pk, "")
    assert not asked
    assert large(account).body.state == "here"


def test_it_is_downloaded_when_asked_for(dovecot: Dovecot, account: MailAccount) -> None:
    before = large(account)
    place = Placement.objects.get(message=before)
    Placement.objects.filter(pk=place.pk).update(flags=int(Flag.FLAGGED), server_flags=int(Flag.FLAGGED))
    assert pop.download(before)
    assert not pop.download(before)
    sync(account)
    found = large(account)
    assert found.pk == before.pk
    assert "not_downloaded" not in found.extra
    assert storage.read(account.pk, found.body.raw_digest) == LARGE
    assert found.body.state == "here"
    assert len(found.body.text) > 1_000_000
    assert ["X-Kept", "yes"] in found.body.headers
    assert MessageSearch.objects.get(message=found).with_body
    assert Placement.objects.get(message=found).flags == Flag.FLAGGED
    assert states(account) == {"fetched": 2}
    assert Message.objects.filter(account=account).count() == 2


@pytest.mark.parametrize("place", ["pop spooled", "pop stored"])
def test_a_crash_while_downloading_is_made_good(account: MailAccount, place: str) -> None:
    pop.download(large(account))
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    assert (large(account).body.state, states(account)) == ("here", {"fetched": 2})
    assert Placement.objects.filter(account=account, state=0).count() == 2


def test_a_crash_after_looking_looks_once_more_and_doubles_nothing(dovecot: Dovecot) -> None:
    account = pop_account(dovecot, pop_limit_mb=0)
    dovecot.load_maildir(account.address, [message(n) for n in range(4)])
    failpoints.arm("pop looked at", exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    assert states(account) == {"too_large": 4}
    assert Placement.objects.filter(account=account, state=0).count() == 4


def test_a_larger_limit_downloads_what_was_left(account: MailAccount) -> None:
    MailAccount.objects.filter(pk=account.pk).update(pop_limit_mb=5)
    sync(account)
    assert states(account) == {"fetched": 2}
    assert large(account).body.raw_digest


def test_a_refusal_is_kept_in_the_servers_words(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise CommandFailed("I would rather not")

    monkeypatch.setattr(pop3.Session, "retrieve", refuse)
    pop.download(large(account))
    sync(account)
    row = PopUid.objects.get(account=account, message=large(account))
    assert (row.state, row.problem) == ("too_large", "I would rather not")


@pytest.mark.parametrize("policy", ["keep", "delete", "after", "mirror"])
def test_it_is_deleted_without_ever_being_downloaded(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    MailAccount.objects.filter(pk=account.pk).update(pop_policy=policy)
    before = left_on_server(dovecot, account)
    spots = lock(targets.of_messages(account.user, [large(account).pk], None))
    pop.discard(account.user, spots)
    sync(account)  # the time for undo runs
    kept = left_on_server(dovecot, account)
    Placement.objects.filter(message=large(account)).update(gone_at=timezone.now() - timedelta(minutes=1))
    monkeypatch.setattr(pop3.Session, "retrieve", lambda *_, **__: pytest.fail("downloaded"))
    sync(account)
    assert (before, left_on_server(dovecot, account)) == (2, kept - 1)
    assert PopUid.objects.get(account=account, message=large(account)).state == "deleted"


def test_deleting_it_can_be_taken_back(dovecot: Dovecot, account: MailAccount) -> None:
    action = pop.discard(account.user, lock(targets.of_messages(account.user, [large(account).pk], None)))
    sync(account)
    assert undoing.undo(account.user, action)
    sync(account)
    assert left_on_server(dovecot, account) == 2
    assert Mailbox.objects.get(account=account, role="inbox").total == 2


def test_what_is_here_whole_is_not_discarded(account: MailAccount) -> None:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    action = pop.discard(account.user, lock(targets.in_mailbox(account.user, inbox)))
    assert action.count == 1
    assert Placement.objects.get(message__subject="Short").state == Placement.State.LIVE


def test_emptying_the_trash_deletes_what_was_only_looked_at(dovecot: Dovecot, account: MailAccount) -> None:
    actions.delete(account.user, lock(targets.of_messages(account.user, [large(account).pk], None)))
    sync(account)
    assert left_on_server(dovecot, account) == 2
    trash = Mailbox.objects.get(account=account, role="trash")
    actions.delete(account.user, lock(targets.in_mailbox(account.user, trash)))
    Placement.objects.filter(message=large(account)).update(gone_at=timezone.now() - timedelta(minutes=1))
    sync(account)
    assert left_on_server(dovecot, account) == 1


def test_without_top_its_size_stands_for_it(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise CommandFailed("unknown command")

    account = pop_account(dovecot, pop_limit_mb=1)
    dovecot.load_maildir(account.address, [LARGE, LARGE.replace(b"m1@", b"m9@"), SMALL])
    monkeypatch.setattr(pop3.Session, "top", refuse)
    sync(account)
    begun = Message.objects.filter(account=account, extra__not_downloaded=True)
    assert [(one.subject, one.from_address, one.size) for one in begun] == [("", "", len(LARGE))] * 2
    assert all(pop.download(one) for one in begun)
    sync(account)
    assert Message.objects.filter(account=account, subject="Plans").count() == 2
    assert not begun.all().exists()
    assert not MessageBody.objects.filter(account=account).exclude(state="here").exists()
    check_summaries(account)


def test_a_growing_download_is_told(account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    spooled = "webmail.sync.pop.TELL_OCTETS_SECONDS"
    monkeypatch.setattr(spooled, 0.0)
    pop.download(large(account))
    failpoints.arm("pop spooled", lambda: told.extend(PopUid.objects.values_list("octets", flat=True)))
    try:
        sync(account)
    finally:
        failpoints.disarm()
    assert 0 < max(told) <= len(LARGE)
    assert PopUid.objects.get(account=account, message=large(account)).octets == 0
