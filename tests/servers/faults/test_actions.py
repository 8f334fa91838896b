"""What people do to mail on servers that refuse, cannot, or forget: rows and server agree in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import MailAccount
from tests.servers.sync_rig import (
    account_on,
    check,
    forbid,
    here,
    imap_account,
    lock,
    message,
    on_server,
    other_client,
    sync,
)
from tests.support.dovecot import Dovecot
from webmail.models import Flag, Mailbox, Placement, RemoteOp
from webmail.protocols.imap_wire.encode import Argument
from webmail.protocols.imap_wire.scanner import Response
from webmail.protocols.imap_wire.wire import Wire
from webmail.services import actions, targets
from webmail.services.ops import Spot

pytestmark = pytest.mark.django_db(transaction=True)


def box(account: MailAccount, role: str) -> Mailbox:
    return Mailbox.objects.get(account=account, role=role)


def spots(account: MailAccount, *uids: int) -> list[Spot]:
    rows = targets.in_mailbox(account.user, box(account, "inbox"))
    return lock(rows.filter(uid__in=uids))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every command our sessions send from now on, in words: UID STORE, SELECT."""
    said: list[bytes] = []
    run = Wire.run

    def noting(wire: Wire, *words: Argument, **options: Any) -> Iterator[Response]:
        said.append(b" ".join(word for word in words[:2] if isinstance(word, bytes) and word.isalpha()))
        return run(wire, *words, **options)

    monkeypatch.setattr(Wire, "run", noting)
    return said


def refused(account: MailAccount) -> str:
    """The server's words on the one operation that it refused."""
    op = RemoteOp.objects.get(account=account)
    assert op.state == RemoteOp.State.FAILED, (op.error, op.attempts, op.not_before)
    return op.error


def test_f32_a_copy_beyond_the_quota_goes_back_and_says_why(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "MOVE")
    account = account_on(dovecot.imap_endpoint(), dovecot.add_user(quota="20K"))
    dovecot.load_maildir(account.address, [message(n, body="x" * 1000) for n in range(12)])
    sync(account)
    actions.move(account.user, "move", spots(account, *range(1, 13)), box(account, "archive"))
    assert box(account, "inbox").total == 0
    sync(account)
    assert "quota" in refused(account).lower()
    assert (box(account, "inbox").total, box(account, "archive").total) == (12, 0)
    check(dovecot, account)
    assert len(on_server(dovecot, account.address)["INBOX"]) == 12


def test_f32_a_folder_that_is_no_more_gives_its_mail_back(dovecot: Dovecot) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(5)])
    with other_client(dovecot, account.address) as client:
        client.create("Plans")
    sync(account)
    plans = Mailbox.objects.get(account=account, name="Plans")
    with other_client(dovecot, account.address) as client:
        client.delete("Plans")
    actions.move(account.user, "move", spots(account, 1, 2), plans)
    sync(account)  # it may have been renamed: what is owed waits until that is known
    sync(account)
    RemoteOp.objects.update(not_before=None)
    sync(account)
    assert refused(account) == "the mailbox is gone"
    assert box(account, "inbox").total == 5
    check(dovecot, account)


def test_f34_ten_thousand_marked_read_are_few_commands(dovecot: Dovecot, commands: list[bytes]) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(10_000)])
    sync(account)
    with other_client(dovecot, account.address) as client:
        for low in range(1, 10_000, 500):  # what is left to mark lies scattered, as in a real inbox
            client.uid("STORE", ",".join(str(uid) for uid in range(low, low + 500, 3)), "+FLAGS", r"(\Seen)")
    sync(account)
    unread = box(account, "inbox").unread
    assert 6_000 < unread < 7_000
    with_all = lock(targets.in_mailbox(account.user, box(account, "inbox")))
    with CaptureQueriesContext(connection) as queries:
        actions.change_flags(account.user, "read", with_all, set_=Flag.SEEN, clear=0)
    assert len(queries) < 30  # the page waits for these and for nothing else
    assert box(account, "inbox").unread == 0
    commands.clear()
    sync(account)
    assert Counter(commands)[b"UID STORE"] <= 8, Counter(commands)
    assert len(commands) <= 25, Counter(commands)
    check(dovecot, account)


@pytest.mark.parametrize("lacking", [("MOVE", "UIDPLUS"), ("UIDPLUS",)], ids=["neither", "MOVE"])
@pytest.mark.parametrize("act", ["move", "delete for good"])
def test_f31_what_others_marked_deleted_survives_a_server_without_uidplus(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...], act: str
) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(8)])
    sync(account)
    with other_client(dovecot, account.address) as client:
        client.uid("STORE", "7:8", "+FLAGS", r"(\Deleted)")
    forbid(monkeypatch, *lacking)
    if act == "move":
        actions.move(account.user, "move", spots(account, 1, 2), box(account, "archive"))
    else:
        Mailbox.objects.filter(pk=box(account, "inbox").pk).update(role="junk")
        junk = lock(Placement.objects.filter(account=account, uid__in=[1, 2]))
        actions.delete(account.user, junk)
        RemoteOp.objects.update(not_before=None)
    sync(account)
    sync(account)
    server = on_server(dovecot, account.address)
    assert {7, 8} <= set(server["INBOX"])
    assert server["INBOX"][7] == server["INBOX"][8] == {r"\Deleted"}
    assert len(server["Archive"]) == (2 if act == "move" else 0)
    assert here(account)["INBOX"] == server["INBOX"]
    assert Mailbox.objects.get(account=account, wire_name=b"INBOX").total == 4  # what is marked for removal is hidden
