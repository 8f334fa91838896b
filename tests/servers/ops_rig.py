"""An account on Dovecot whose owner acts on its mail: what the tests of waiting and repeated operations share."""

from __future__ import annotations

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import imap_account, lock, message, sync
from tests.support.dovecot import Dovecot
from webmail.models import Action, Flag, Mailbox, RemoteOp
from webmail.protocols import imap_change
from webmail.protocols.values import MoveResult
from webmail.services import actions, targets
from webmail.services.ops import Spot

LACKING = {"QRESYNC": [], "CONDSTORE": ["QRESYNC"], "plain": ["QRESYNC", "CONDSTORE"]}


@pytest.fixture
def account(dovecot: Dovecot) -> MailAccount:
    """Sixty messages in INBOX."""
    made = imap_account(dovecot)
    dovecot.load_maildir(made.address, [message(n) for n in range(60)])
    sync(made)
    return made


def box(account: MailAccount, role: str) -> Mailbox:
    return Mailbox.objects.get(account=account, role=role)


def spots(account: MailAccount, *uids: int) -> list[Spot]:
    """Those messages of INBOX."""
    return lock(targets.in_mailbox(account.user, box(account, "inbox")).filter(uid__in=uids))


def lying(account: MailAccount, role: str) -> list[Spot]:
    """All that lies in the folder with this role."""
    return lock(targets.in_mailbox(account.user, box(account, role)))


def move(account: MailAccount, chosen: list[Spot], role: str) -> Action:
    return actions.move(account.user, "move", chosen, box(account, role))


def star(account: MailAccount, chosen: list[Spot]) -> Action:
    return actions.change_flags(account.user, "star", chosen, set_=Flag.FLAGGED, clear=0)


def hold() -> None:
    """What waits goes on waiting."""
    RemoteOp.objects.filter(state="queued").update(not_before="2099-01-01T00:00Z")


def let_go() -> None:
    RemoteOp.objects.filter(state="queued").update(not_before=None)


def renumber(dovecot: Dovecot, account: MailAccount, name: str = "INBOX", *, validity: int = 77) -> None:
    dovecot.doveadm("mailbox", "update", "-u", account.address, "--uid-validity", str(validity), name)


def name_no_uids(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the server moves without saying where its messages went, as one without UIDPLUS."""
    carry = imap_change.move

    def silent(*args: object) -> MoveResult:
        carry(*args)  # type: ignore[arg-type]  # passed on as it came
        return MoveResult()

    monkeypatch.setattr(imap_change, "move", silent)
