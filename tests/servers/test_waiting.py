"""The check at the end of every soak tells what waits for a reason from what was forgotten."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.ops_rig import box, lying, move, renumber, spots, star
from tests.servers.sync_rig import check, imap_account, message, sync
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox, RemoteOp
from webmail.services import actions, mailboxes
from webmail.sync import plan

pytestmark = pytest.mark.django_db(transaction=True)
MAIL = plan.FIRST_PAGE + 30


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(n) for n in range(MAIL)])
    sync(made)
    return made


def restless(dovecot: Dovecot, account: MailAccount) -> None:
    """INBOX was numbered anew too often today: only its newest page is read again."""
    often = [timezone.now()] * (Mailbox.RENUMBERED_AT_MOST + 1)
    Mailbox.objects.filter(pk=box(account, "inbox").pk).update(renumbered_at=often)
    renumber(dovecot, account)


def settle(account: MailAccount) -> None:
    for _ in range(3):
        RemoteOp.objects.filter(state__in=["queued", "inflight"]).update(not_before=None)
        sync(account)


def test_what_comes_behind_a_message_that_is_waited_for_waits_too(dovecot: Dovecot, account: MailAccount) -> None:
    old = spots(account, 1)
    star(account, old)
    move(account, old, "archive")
    moved = lying(account, "archive")
    actions.change_flags(account.user, "read", moved, set_=Flag.SEEN, clear=0)
    actions.copy(account.user, moved, box(account, "junk"))
    restless(dovecot, account)
    settle(account)
    assert RemoteOp.objects.filter(state__in=["queued", "inflight"]).count() == 4
    check(dovecot, account)
    RemoteOp.objects.filter(kind="copy").update(placements=[], args={"sources": []})
    with pytest.raises(AssertionError):  # about nothing that is waited for, it is owed; and its copy has no UID
        check(dovecot, account)


def test_what_could_have_been_done_in_a_restless_mailbox_is_owed(dovecot: Dovecot, account: MailAccount) -> None:
    restless(dovecot, account)
    settle(account)
    star(account, spots(account, MAIL))
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z", error="waits for its messages")
    with pytest.raises(AssertionError):
        check(dovecot, account)
    settle(account)
    check(dovecot, account)


def test_a_folder_that_is_made_and_deleted_meanwhile_is_owed(dovecot: Dovecot, account: MailAccount) -> None:
    star(account, spots(account, 1))
    restless(dovecot, account)
    settle(account)
    mailboxes.create(account.user, account, "New")
    with pytest.raises(AssertionError):
        check(dovecot, account)
    settle(account)
    check(dovecot, account)
