"""A folder is deleted here while something is still to be done in it, or while it is looked at."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import check, check_summaries, lock, on_server, other_client, sync
from tests.servers.test_folder_races import account, fill, named, refusal, removed
from tests.support.dovecot import Dovecot
from webmail.models import Action, Flag, Mailbox, Placement, RemoteOp
from webmail.services import actions, mailboxes, targets, undo
from webmail.services.ops import Spot
from webmail.sync import failpoints
from webmail.sync.account import sync_account

__all__ = ["account"]
pytestmark = pytest.mark.django_db(transaction=True)


def lying(account: MailAccount, name: str) -> list[Spot]:
    return lock(targets.in_mailbox(account.user, named(account, name)))


def replaced(dovecot: Dovecot, account: MailAccount, *, messages: int = 2) -> None:
    with other_client(dovecot, account.address) as client:
        assert client.delete("Old")[0] == "OK"
        fill(client, "Old", 400, 400 + messages)


@pytest.mark.parametrize("kind", ["move", "copy", "flags"])
@pytest.mark.parametrize("named_uids", [True, False], ids=["UIDs known", "UIDs unknown"])
@pytest.mark.parametrize("messages", [2, 230])
def test_what_waits_for_a_folder_that_is_another_one_now_does_not_wait_for_ever(
    dovecot: Dovecot, account: MailAccount, kind: str, named_uids: bool, messages: int
) -> None:
    """Its deletion is refused, the folder is here again as the server has it, and nothing of the new one is lost."""
    chosen = lying(account, "Old")[:1]
    if kind == "move":
        actions.move(account.user, "move", chosen, named(account, "Other"))
    elif kind == "copy":
        actions.copy(account.user, chosen, named(account, "Other"))
    else:
        actions.change_flags(account.user, "star", chosen, set_=Flag.FLAGGED, clear=0)
    if not named_uids:
        RemoteOp.objects.filter(kind=kind).update(uids=[None])
    removed(account, "Old")
    replaced(dovecot, account, messages=messages)
    for _ in range(4):
        RemoteOp.objects.filter(account=account, state__in=["queued", "inflight"]).update(not_before=None)
        sync(account)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["Old"]) == named(account, "Old").total == messages
    assert "another folder" in refusal(account)


@pytest.mark.parametrize("undone", [True, False], ids=["undone", "deleted"])
@pytest.mark.parametrize("place", ["mailbox open", "before vanish", "before cursor"])
def test_a_folder_deleted_here_while_it_is_looked_at_stays_out_of_view(
    dovecot: Dovecot, account: MailAccount, place: str, undone: bool
) -> None:
    with other_client(dovecot, account.address) as client:
        client.select("Old")
        client.store("1", "+FLAGS", r"(\Answered)")
        client.unselect()
    old = named(account, "Old")
    done: list[Action] = []

    def delete() -> None:
        if not done:
            done.append(mailboxes.remove(account.user, old))
            RemoteOp.objects.filter(kind="remove").update(not_before="2099-01-01T00:00Z")

    failpoints.arm(place, delete)
    try:
        sync_account(account.pk)
    finally:
        failpoints.disarm()
    assert RemoteOp.objects.filter(kind="remove", state="queued").exists()
    old.refresh_from_db()
    assert old.phase == Mailbox.Phase.GONE
    assert not Placement.objects.filter(mailbox=old, state=Placement.State.LIVE).exists()
    check_summaries(account)
    if undone:
        undo.undo(account.user, done[0])
        assert named(account, "Old").total == 2
    RemoteOp.objects.filter(kind="remove").update(not_before=None)
    sync(account)
    check(dovecot, account)
    assert ("Old" in on_server(dovecot, account.address)) is undone
