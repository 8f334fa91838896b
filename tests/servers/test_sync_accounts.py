"""What becomes of an account whose server, password or owner is in trouble; leases; what is due."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import MailAccount, MailServer
from accounts.services import provisioning, sync_state
from tests.servers.sync_rig import imap_account, message, sync
from tests.support.dovecot import PASSWORD, Dovecot
from webmail import connections
from webmail.jobs import Job
from webmail.models import Mailbox, Message
from webmail.protocols import imap
from webmail.sync import account as accounts
from webmail.sync import due, lease, messages, sql
from webmail.sync.account import sync_account
from webmail.sync.lease import LeaseLost, guarded
from webmail.sync.run import Run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_wrong_password_is_tried_three_times(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot, password="wrong")
    logins = 0
    opened = connections.open_imap

    def counting(of: MailAccount) -> imap.Session:
        nonlocal logins
        logins += 1
        return opened(of)

    monkeypatch.setattr("webmail.sync.account.open_imap", counting)
    for _ in range(5):
        sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.error_code, logins) == ("refused", "auth", 3)
    assert "wrong" not in account.server_line
    provisioning.update_password(account, PASSWORD)
    sync(account)
    assert account.refused_logins == 0


def test_an_unknown_host_is_said_so_and_tried_again(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    MailServer.objects.filter(pk=account.incoming_id).update(host="no-such-host.invalid")
    sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("unreachable", "unreachable")
    assert timezone.now() < account.next_run_at < timezone.now() + timedelta(seconds=30)


def test_a_private_address_nobody_named_is_not_dialled(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    MailServer.objects.filter(pk=account.incoming_id).update(trusted=False, ca_certificates="")
    sync_account(account.pk)
    account.refresh_from_db()
    assert account.error_code == "host-not-allowed"


def test_a_server_that_is_down_and_comes_back(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(1)])
    sync(account)
    dovecot.stop()
    sync_account(account.pk)
    account.refresh_from_db()
    assert account.state == "unreachable"
    assert Message.objects.filter(account=account).count() == 1
    dovecot.start()
    sync(account)


@pytest.mark.parametrize("state", ["paused", "suspended", "refused"])
def test_held_accounts_are_left_alone(dovecot: Dovecot, state: str) -> None:
    account = imap_account(dovecot)
    MailAccount.objects.filter(pk=account.pk).update(state=state)
    sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.last_sync_at) == (state, None)
    assert due.claim_accounts() == []


def test_an_account_of_a_suspended_organisation_is_left_alone(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    type(account.organisation).objects.update(suspended_at=timezone.now())
    sync_account(account.pk)
    assert not Mailbox.objects.exists()
    assert due.claim_accounts() == []


def test_a_lease_is_held_by_one(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    first = lease.take(account.pk)
    assert first is not None
    assert lease.take(account.pk) is None
    lease.release(first)
    assert lease.take(account.pk) is not None


def test_a_sleeper_cannot_write_after_its_lease(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    sleeper = lease.take(account.pk)
    assert sleeper is not None
    MailAccount.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert lease.take(account.pk) is not None
    with pytest.raises(LeaseLost), guarded(sleeper):
        pytest.fail("entered without the lease")
    lease.release(sleeper)
    assert lease.take(account.pk) is None


def test_a_wake_up_during_a_pass_is_answered(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(1)])
    look, looks = accounts.look, 0

    def woken(run: Run) -> bool:
        nonlocal looks
        looks += 1
        left = look(run)
        if looks == 1:
            dovecot.deliver(account.address, message(2))
            sync_state.wake(account.pk)
        return left

    monkeypatch.setattr(accounts, "look", woken)
    sync(account)
    assert looks == 2
    assert Message.objects.filter(account=account).count() == 2


def test_due_accounts_are_claimed_once_and_again_after_a_minute(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    queued: list[tuple[str, int]] = []

    def put(job: Job, pk: int) -> bool:
        queued.append((job.value, pk))
        return True

    repeats = due.Repeats(30, time.monotonic)
    due.dispatch(repeats, put=put)
    due.dispatch(repeats, put=put)
    assert queued == [(Job.SYNC_ACCOUNT.value, account.pk)]
    MailAccount.objects.update(queued_at=timezone.now() - timedelta(seconds=61))
    assert due.claim_accounts() == [account.pk]


def test_a_refused_login_keeps_its_secret(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    account = imap_account(dovecot, password="Very-Secret-1")
    with caplog.at_level("DEBUG"):
        sync_account(account.pk)
    account.refresh_from_db()
    assert "Very-Secret-1" not in caplog.text + account.server_line


def test_a_batch_that_another_writer_crossed_is_applied_again(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(3)])
    draw, calls = sql.draw, 0

    def taken_once(table: str, count: int) -> list[int]:
        nonlocal calls
        calls += 1
        return draw(table, count) if calls != 2 else [1] * count

    monkeypatch.setattr(messages, "draw", taken_once)
    sync(account)
    assert Message.objects.filter(account=account).count() == 3


def test_a_copy_put_off_while_its_account_is_busy_is_asked_for_again_within_seconds() -> None:
    """It puts itself off by five seconds; the usual half minute would then be waited for on top."""
    at = [0.0]
    repeats = due.Repeats(30, lambda: at[0])
    assert list(repeats.fresh(Job.FILE_SENT, [1])) == [1]
    assert list(repeats.fresh(Job.SEND, [1])) == [1]
    at[0] = 4.0
    assert list(repeats.fresh(Job.FILE_SENT, [1])) == []
    at[0] = 5.0
    assert list(repeats.fresh(Job.FILE_SENT, [1])) == [1]
    assert list(repeats.fresh(Job.SEND, [1])) == []
    at[0] = 30.0
    assert list(repeats.fresh(Job.SEND, [1])) == [1]
