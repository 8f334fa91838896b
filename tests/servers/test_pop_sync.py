"""POP3 accounts on a real Dovecot: downloaded once, remembered, deleted only as chosen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check_summaries, lock, message, pop_account, sync
from tests.support.dovecot import Dovecot
from webmail import storage
from webmail.models import Mailbox, Message, MessageBody, MessageSearch, Placement, PopUid
from webmail.protocols import pop3
from webmail.protocols.errors import CommandFailed
from webmail.services import actions, targets
from webmail.sync import failpoints
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)


def filled(dovecot: Dovecot, count: int = 12, **columns: object) -> MailAccount:
    account = pop_account(dovecot, **columns)
    dovecot.load_maildir(account.address, [message(n) for n in range(count)])
    return account


def left_on_server(dovecot: Dovecot, account: MailAccount) -> int:
    return dovecot.doveadm("search", "-u", account.address, "mailbox", "INBOX", "all").count("\n")


def states(account: MailAccount) -> dict[str, int]:
    found: dict[str, int] = {}
    for state in PopUid.objects.filter(account=account).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def test_everything_is_downloaded_once(dovecot: Dovecot) -> None:
    account = filled(dovecot)
    sync(account)
    sync(account)
    inbox = Mailbox.objects.get(account=account, role="inbox")
    assert (inbox.total, inbox.unread) == (12, 12)
    assert states(account) == {"fetched": 12}
    assert left_on_server(dovecot, account) == 12
    roles = set(Mailbox.objects.filter(account=account).values_list("role", flat=True))
    assert roles == {"inbox", "sent", "drafts", "archive", "junk", "trash"}
    check_summaries(account)


def test_octets_are_kept_as_they_were(dovecot: Dovecot) -> None:
    account = pop_account(dovecot)
    original = message(1, body=".a dot\r\n..two\r\n" + "x" * 3000)
    dovecot.load_maildir(account.address, [original])
    sync(account)
    body = MessageBody.objects.get(account=account)
    assert storage.read(account.pk, body.raw_digest) == original
    assert body.state == "here"
    assert body.text.startswith(".a dot\n..two")
    assert MessageSearch.objects.get(message=body.pk).with_body


def test_deleted_from_the_server_once_here(dovecot: Dovecot) -> None:
    account = filled(dovecot, pop_policy="delete")
    sync(account)
    assert left_on_server(dovecot, account) == 0
    assert states(account) == {"deleted": 12}
    sync(account)
    assert Message.objects.filter(account=account).count() == 12


def test_deleted_from_the_server_after_some_days(dovecot: Dovecot) -> None:
    account = filled(dovecot, pop_policy="after", pop_days=7)
    sync(account)
    assert left_on_server(dovecot, account) == 12
    old = PopUid.objects.filter(account=account).values_list("pk", flat=True)[:5]
    PopUid.objects.filter(pk__in=list(old)).update(first_seen_at=timezone.now() - timedelta(days=8))
    sync(account)
    assert left_on_server(dovecot, account) == 7


def test_deleted_from_the_server_when_deleted_here(dovecot: Dovecot) -> None:
    account = filled(dovecot, pop_policy="mirror")
    sync(account)
    inbox = Mailbox.objects.get(account=account, role="inbox")
    some = lock(targets.in_mailbox(account.user, inbox))[:3]
    actions.delete(account.user, some)
    sync(account)
    assert left_on_server(dovecot, account) == 12
    trash = Mailbox.objects.get(account=account, role="trash")
    actions.delete(account.user, lock(targets.in_mailbox(account.user, trash)))
    sync(account)
    assert left_on_server(dovecot, account) == 9


@pytest.mark.parametrize("place", ["pop spooled", "pop stored", "pop delete due", "pop quit"])
def test_a_crash_anywhere_loses_and_doubles_nothing(dovecot: Dovecot, place: str) -> None:
    account = filled(dovecot, count=4, pop_policy="delete")
    failpoints.arm(place, exit)
    with pytest.raises(SystemExit):
        sync_account(account.pk)
    failpoints.disarm()
    sync(account)
    assert Message.objects.filter(account=account).count() == 4
    assert Placement.objects.filter(account=account, state=0).count() == 4
    assert not MessageBody.objects.filter(account=account).exclude(state="here").exists()
    assert left_on_server(dovecot, account) == 0


def test_a_message_that_cannot_be_fetched_does_not_stop_the_rest(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = filled(dovecot, count=3)
    retrieve = pop3.Session.retrieve

    def stumble(session: pop3.Session, number: int, *args: Any, **words: Any) -> int:
        if number == 2:
            raise CommandFailed("no such thing")
        return retrieve(session, number, *args, **words)

    monkeypatch.setattr(pop3.Session, "retrieve", stumble)
    for _ in range(4):
        sync(account)
    assert states(account) == {"fetched": 2, "failed": 1}
    assert PopUid.objects.get(state="failed").attempts == 3
