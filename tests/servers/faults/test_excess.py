"""Faults 19 and 20: more than fits, announced, said without end or said too slowly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.servers.faults.million import EXISTS, UIDNEXT, open_million, uid_of
from tests.servers.sync_rig import account_on, check, imap_account, message, sync
from tests.support.dovecot import Dovecot
from tests.support.scripted_imap import CAPABILITIES, OK, Answer, ScriptedImap
from tests.support.workers import Workers
from webmail.models import Mailbox, Placement
from webmail.protocols import imap
from webmail.protocols.values import UidSet
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "tests.servers.faults.million:"

# --- 19 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [b"", b" ESEARCH"], ids=["search", "esearch"])
def test_f19_a_million_uids_in_lines_of_megabytes(script: ScriptedImap, workers: Workers, more: bytes) -> None:
    """Named whole within 300 MiB: the job itself says how much it took."""
    assert uid_of(EXISTS) == UIDNEXT - 1
    script.offer(CAPABILITIES + more)
    open_million(script)
    assert workers.run(JOBS + "count", script.endpoint.port, script.endpoint.ca_pem) == 0
    assert script.said(rb"SEARCH RETURN" if more else rb"SEARCH UID")


def test_f19_a_million_messages_begin_to_come(script: ScriptedImap, workers: Workers) -> None:
    open_million(script)
    account = account_on(script.endpoint, "anna@mail.test")
    assert workers.run(JOBS + "first_passes", account.pk) == 0
    box = Mailbox.objects.get(account=account)
    assert (box.exists_count, box.verified_high) == (EXISTS, UIDNEXT - 1)
    assert box.backfill_low is not None
    stored = UidSet.collect(uid for uid in Placement.objects.filter(mailbox=box).values_list("uid", flat=True) if uid)
    assert stored == UidSet.collect(uid for uid in range(box.backfill_low, UIDNEXT) if uid % 10)
    assert len(stored) > 200
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("working", "")


# --- 20 --------------------------------------------------------------------------------------------------------------


def endless() -> Iterator[bytes]:
    yield b'* LIST () "/" "'
    while True:
        yield b"x" * 65536


def drip() -> Iterator[bytes]:
    for byte in b"* OK be patient\r\n" * 100:
        time.sleep(0.1)
        yield bytes([byte])
    yield OK


EXCESSES: dict[str, tuple[bytes, Answer, str]] = {
    "literal": (rb"\ALIST", b'* LIST () "/" {99999999999}\r\n', "protocol"),
    "endless line": (rb"\ALIST", lambda heard: endless(), "protocol"),
    "drip": (rb"\ALIST", lambda heard: drip(), "lost"),
    "drip at login": (rb"\AAUTHENTICATE", lambda heard: drip(), "lost"),
    "endless line at login": (rb"\AAUTHENTICATE", lambda heard: endless(), "protocol"),
}


@pytest.mark.parametrize("excess", EXCESSES)
def test_f20_the_connection_ends_and_the_worker_lives(
    dovecot: Dovecot, script: ScriptedImap, monkeypatch: pytest.MonkeyPatch, excess: str
) -> None:
    """With two seconds of patience instead of sixty."""
    pattern, answer, code = EXCESSES[excess]
    script.answer(pattern, answer)
    account = account_on(script.endpoint, "anna@mail.test")
    with monkeypatch.context() as hasty:
        hasty.setattr(imap, "connect", partial(imap.connect, deadline=2.0))
        sync_account(account.pk)
    account.refresh_from_db()
    assert account.error_code == code
    assert script.connections == 1
    other = imap_account(dovecot)
    dovecot.load_maildir(other.address, [message(1)])
    sync(other)
    check(dovecot, other)
