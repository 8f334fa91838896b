"""Postgres goes down in the middle of a pass: the worker lives on, and the next pass goes on where that one was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, imap_account, lock, message, on_server, sync
from tests.stack import restart_postgres
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox
from webmail.services import actions, targets
from webmail.sync import failpoints
from webmail.sync.account import Result, sync_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def once(act: Callable[[], None], done: list[bool]) -> Callable[[], None]:
    """Acts the first time."""

    def reached() -> None:
        if not done:
            done.append(True)
            act()

    return reached


@pytest.mark.parametrize("place", ["before batch", "after batch", "before cursor", "op sent"])
def test_f44_a_pass_that_lost_its_database_is_resumed(dovecot: Dovecot, place: str) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(300)])
    if place in ("before cursor", "op sent"):
        sync(account)
        inbox, archive = (Mailbox.objects.get(account=account, role=role) for role in ("inbox", "archive"))
        some = lock(targets.in_mailbox(account.user, inbox).filter(uid__lte=20))
        actions.change_flags(account.user, "read", some, set_=Flag.SEEN, clear=0)
        actions.move(account.user, "move", some[:5], archive)
        dovecot.deliver(account.address, message(301))
    done: list[bool] = []
    failpoints.arm(place, once(restart_postgres, done))
    assert sync_account(account.pk) == Result()
    assert done
    account.refresh_from_db()
    assert not account.error_code  # its server did nothing wrong
    MailAccount.objects.filter(pk=account.pk).update(lease_expires_at=None)
    sync(account)
    check(dovecot, account)
    server = on_server(dovecot, account.address)
    moved = 5 if place in ("before cursor", "op sent") else 0
    assert (len(server["INBOX"]), len(server["Archive"])) == (300 + bool(moved) - moved, moved)
