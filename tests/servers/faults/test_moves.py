"""Moves that are cut off, or whose worker dies, at every step: one copy in the end, and in its destination."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, lock, message, on_server, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import Action, Direction, FaultProxy, call, cut, without
from tests.support.workers import SYNC, Workers
from webmail.models import Mailbox
from webmail.services import actions, targets

pytestmark = pytest.mark.django_db(transaction=True)

WITH_MOVE: dict[str, tuple[Direction, bytes]] = {
    "before MOVE": ("to_server", rb" UID MOVE "),
    "at its first answer": ("to_client", rb"COPYUID"),
    "at its end": ("to_client", rb" OK [^\r]*Move completed"),
}
WITHOUT_MOVE: dict[str, tuple[Direction, bytes]] = {
    "before COPY": ("to_server", rb" UID COPY "),
    "at its answer": ("to_client", rb"COPYUID"),
    "before the mark": ("to_server", rb" UID STORE "),
    "at the mark's answer": ("to_client", rb" OK [^\r]*Store completed"),
    "before the removal": ("to_server", rb" UID EXPUNGE "),
    "at the removal's answer": ("to_client", rb" OK [^\r]*Expunge completed"),
}
CASES = [("MOVE", place) for place in WITH_MOVE] + [("COPY", place) for place in WITHOUT_MOVE]


@pytest.mark.parametrize("how", ["killed", "cut off"])
@pytest.mark.parametrize(("word", "place"), CASES)
def test_f30_one_copy_in_its_destination(
    dovecot: Dovecot, proxy: FaultProxy, workers: Workers, word: str, place: str, how: str
) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(6)])
    if word == "COPY":
        proxy.rule("to_client", rb"CAPABILITY", without("MOVE"), nth=None)
    sync(account)
    inbox, archive = (Mailbox.objects.get(account=account, role=role) for role in ("inbox", "archive"))
    some = lock(targets.in_mailbox(account.user, inbox).filter(uid__in=[1, 2, 3]))
    actions.move(account.user, "move", some, archive)
    direction, pattern = (WITH_MOVE if word == "MOVE" else WITHOUT_MOVE)[place]
    fault: Action = call(workers.kill) if how == "killed" else cut()
    rule = proxy.rule(direction, pattern, fault)
    assert workers.run(SYNC, account.pk) == (-9 if how == "killed" else 0)
    assert rule.hits == 1
    MailAccount.objects.filter(pk=account.pk).update(lease_expires_at=None)
    sync(account)
    check(dovecot, account)
    server = on_server(dovecot, account.address)
    assert (len(server["INBOX"]), len(server["Archive"])) == (3, 3)
