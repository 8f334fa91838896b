"""Everything compared with the server again: what was lost, stale or wrong is mended, and nothing is deleted first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import lifecycle
from tests.servers.sync_rig import check, imap_account, message, other_client, sync
from tests.support.dovecot import Dovecot
from webmail.models import Mailbox, MailboxThread, MessageBody, Placement
from webmail.protocols.imap import Session
from webmail.protocols.values import UidSet
from webmail.services import resync as asking
from webmail.sync import plan, resync
from webmail.sync.account import sync_account
from webmail.sync.lease import LeaseLost
from webmail.sync.run import Run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> MailAccount:
    """UIDs 1 to 40 but 10 in the inbox, compared ten at a time."""
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(number) for number in range(40)])
    with other_client(dovecot, made.address) as client:
        client.uid("STORE", "10", "+FLAGS", "(\\Deleted)")
        client.expunge()
    sync(made)
    spans = plan.backfill_spans
    monkeypatch.setattr(
        plan, "backfill_spans", lambda top, *, exists, uidnext: spans(top, exists=exists, uidnext=uidnext, rows=10)
    )
    return made


def inbox(account: MailAccount) -> Mailbox:
    return Mailbox.objects.get(account=account, role="inbox")


def asked(account: MailAccount) -> None:
    account.refresh_from_db()
    assert lifecycle.resync(account)
    sync(account)


def damage(account: MailAccount) -> None:
    """What no pass would notice: UID 4 lost, one at 10 that the server lacks, flags and counters wrong."""
    box = inbox(account)
    rows = Placement.objects.filter(mailbox=box)
    rows.filter(uid=10).delete()
    rows.filter(uid=4).update(uid=10)
    rows.filter(uid=21).update(flags=2, server_flags=2)
    MailboxThread.objects.filter(mailbox=box, newest_message__placements__uid=30).update(unread_count=8)
    Mailbox.objects.filter(pk=box.pk).update(total=7, unread=99)


def test_what_is_wrong_here_is_mended_and_the_rest_stays_what_it_was(dovecot: Dovecot, account: MailAccount) -> None:
    body = MessageBody.objects.filter(account=account, state="here").first()
    assert body is not None
    before = dict(Placement.objects.filter(account=account).values_list("uid", "pk"))
    damage(account)
    asked(account)
    check(dovecot, account)
    after = dict(Placement.objects.filter(account=account, state=0).values_list("uid", "pk"))
    assert {uid for uid in before if before[uid] != after[uid]} == {4}
    assert MessageBody.objects.filter(pk=body.pk, state="here").exists()
    box = inbox(account)
    assert (box.resync_asked_at, box.resync_low, box.resync_done) == (None, None, 0)
    assert box.resynced_at is not None


def test_nothing_is_deleted_on_the_word_of_one_connection(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Session.search_uids

    def lying(self: Session, low: int, high: int) -> UidSet:
        """Nothing is there, as some servers say when in trouble."""
        return UidSet() if (low, high) == (31, 40) else honest(self, low, high)

    monkeypatch.setattr(Session, "search_uids", lying)
    asked(account)
    assert Placement.objects.filter(mailbox=inbox(account), state=0).count() == 39


def test_a_killed_comparison_goes_on_where_it_was(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(account)
    compared: list[tuple[int, int]] = []
    compare = resync._compare

    def dying(run: Run, box: Mailbox, span: UidSet) -> bool:
        compared.append((span.lowest, span.highest))
        if len(compared) == 3:
            raise LeaseLost
        return compare(run, box, span)

    monkeypatch.setattr(resync, "_compare", dying)
    account.refresh_from_db()
    lifecycle.resync(account)
    sync_account(account.pk, older=True)
    box = inbox(account)
    assert box.resync_low == compared[2][1] + 1
    assert box.resync_done > 0
    sync(account)
    assert compared[3] == compared[2]
    check(dovecot, account)


def test_pausing_stops_it_at_the_next_window_and_resuming_goes_on(
    dovecot: Dovecot, account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, count = resync._compare, 0

    def pausing(run: Run, box: Mailbox, span: UidSet) -> bool:
        nonlocal count
        count += 1
        if count == 2:
            lifecycle.pause(account)
        return compare(run, box, span)

    monkeypatch.setattr(resync, "_compare", pausing)
    account.refresh_from_db()
    lifecycle.resync(account)
    sync_account(account.pk, older=True)
    box = inbox(account)
    account.refresh_from_db()
    assert (count, account.state, box.resync_asked_at is not None) == (2, "paused", True)
    lifecycle.resume(account)
    sync(account)
    check(dovecot, account)
    assert inbox(account).resync_asked_at is None


def test_a_week_later_it_is_compared_unasked_and_not_before(dovecot: Dovecot, account: MailAccount) -> None:
    before = inbox(account).resynced_at
    sync(account)
    assert inbox(account).resynced_at == before
    Placement.objects.filter(mailbox=inbox(account), uid=5).update(flags=2, server_flags=2)
    Mailbox.objects.update(resynced_at=timezone.now() - plan.RESYNC_AFTER - timedelta(minutes=1))
    sync(account)
    check(dovecot, account)


def test_counts_that_drifted_ask_for_it(dovecot: Dovecot, account: MailAccount) -> None:
    rows = Placement.objects.filter(mailbox=inbox(account))
    rows.filter(uid=4).delete()
    rows.filter(uid=21).update(flags=2, server_flags=2)  # nobody would tell
    Mailbox.objects.update(resynced_at=timezone.now() - plan.RESYNC_LEAST - timedelta(minutes=1))
    dovecot.deliver(account.address, message(99))
    sync(account)
    check(dovecot, account)


def test_one_folder_can_be_asked_for_alone(dovecot: Dovecot, account: MailAccount) -> None:
    others = Mailbox.objects.filter(account=account).exclude(role="inbox")
    before = dict(others.values_list("pk", "resynced_at"))
    damage(account)
    assert asking.ask(inbox(account))
    sync(account)
    check(dovecot, account)
    assert dict(others.values_list("pk", "resynced_at")) == before


def test_new_mail_goes_before_the_comparison(dovecot: Dovecot, account: MailAccount) -> None:
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "7", "+FLAGS", "(\\Flagged)")
    account.refresh_from_db()
    lifecycle.resync(account)
    dovecot.deliver(account.address, message(50))
    result = sync_account(account.pk)
    assert result.older
    assert Placement.objects.filter(mailbox=inbox(account), state=0).count() == 40
    assert inbox(account).resync_low is None
    sync(account)
    check(dovecot, account)
