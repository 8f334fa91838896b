"""A move or copy whose answer was lost, into a folder that goes and comes back before it is looked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, lock, message, on_server, other_client, sync
from tests.servers.test_folder_races import account, named
from tests.support.dovecot import Dovecot
from webmail.models import Mailbox, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.errors import ConnectionLost
from webmail.services import actions, mailboxes, targets, undo
from webmail.sync.account import sync_account

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["move", "copy"])
def unheard(request: pytest.FixtureRequest, account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> RemoteOp:
    """One message of INBOX goes to Other, and nobody hears that the COPY came through. The source has it still."""
    inbox = Mailbox.objects.get(account=account, role="inbox")
    chosen = lock(targets.in_mailbox(account.user, inbox).filter(uid=1))
    if request.param == "move":
        actions.move(account.user, "move", chosen, named(account, "Other"))
    else:
        actions.copy(account.user, chosen, named(account, "Other"))
    with monkeypatch.context() as broken:
        broken.setattr(imap_change, request.param, partial(_lost, imap_change.copy))
        sync_account(account.pk)
    MailAccount.objects.filter(pk=account.pk).update(failures=0, state="working")
    op = RemoteOp.objects.get(kind=request.param)
    assert op.state == "inflight"
    return op


def _lost(carry: Callable[..., object], *args: object) -> None:
    carry(*args)
    raise ConnectionLost("the line broke")


def ends_well(dovecot: Dovecot, account: MailAccount, op: RemoteOp) -> None:
    for _ in range(3):
        RemoteOp.objects.filter(account=account, state__in=["queued", "inflight"]).update(not_before=None)
        sync(account)
    check(dovecot, account)
    op.refresh_from_db()
    assert op.state == "done", op.error
    state = on_server(dovecot, account.address)
    assert len(state["INBOX"]) == (9 if op.kind == "move" else 10)


def test_it_is_not_done_twice_when_the_folder_was_away(
    dovecot: Dovecot, account: MailAccount, unheard: RemoteOp
) -> None:
    """Renamed elsewhere and given new mail, it is not recognised; then it has its name again."""
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    other = named(account, "Other")
    with other_client(dovecot, account.address) as client:
        client.rename("Other", "Elsewhere")
        client.append("Elsewhere", None, None, message(500))
        client.append("INBOX", None, None, message(501))
    for _ in range(2):
        sync(account)
    other.refresh_from_db()
    assert other.phase == Mailbox.Phase.GONE
    with other_client(dovecot, account.address) as client:
        client.rename("Elsewhere", "Other")
        client.select("INBOX")
        client.store("11", "+FLAGS", r"(\Deleted)")
        client.expunge()
    sync(account)
    ends_well(dovecot, account, unheard)
    assert len(on_server(dovecot, account.address)["Other"]) == 5


@pytest.mark.parametrize("undone", [True, False], ids=["undone", "deleted"])
def test_it_is_not_done_twice_when_the_folder_is_deleted_here(
    dovecot: Dovecot, account: MailAccount, unheard: RemoteOp, undone: bool
) -> None:
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    action = mailboxes.remove(account.user, named(account, "Other"))
    RemoteOp.objects.filter(pk=unheard.pk).update(not_before=None)
    sync(account)  # the folder is still within its time for undo
    assert len(on_server(dovecot, account.address)["Other"]) == 4
    if undone:
        undo.undo(account.user, action)
    ends_well(dovecot, account, unheard)
    state = on_server(dovecot, account.address)
    assert len(state.get("Other", ())) == (4 if undone else 0)
    assert ("Other" in state) is undone


def test_it_is_done_in_the_new_folder_when_the_old_one_was_deleted(
    dovecot: Dovecot, account: MailAccount, unheard: RemoteOp
) -> None:
    """What had arrived went with the old folder; it comes to the new one, once."""
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    with other_client(dovecot, account.address) as client:
        client.delete("Other")
    for _ in range(2):
        sync(account)
    with other_client(dovecot, account.address) as client:
        client.create("Other")
    sync(account)
    ends_well(dovecot, account, unheard)
    assert len(on_server(dovecot, account.address)["Other"]) == 1
