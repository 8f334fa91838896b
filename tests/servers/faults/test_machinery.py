"""The tools of the fault tests do what their names say: a fault that never happened proves nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.servers.sync_rig import account_on, check, imap_account, message, sync
from tests.support.clock import Clock
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import (
    FaultProxy,
    cut,
    delay,
    drop,
    duplicate,
    half_close,
    inject,
    replace,
    split,
    without,
)
from tests.support.scripted_imap import OK, ScriptedImap
from tests.support.workers import SYNC, Workers
from webmail.models import Message
from webmail.protocols import imap
from webmail.protocols.errors import ConnectionLost
from webmail.protocols.imap import Session
from webmail.protocols.values import UidSet
from webmail.sync import fetch, lease

pytestmark = pytest.mark.django_db(transaction=True)


def session(proxy: FaultProxy, dovecot: Dovecot, *, mails: int = 3, **options: Any) -> Session:
    """Through the proxy, INBOX open, filled with so many messages."""
    address = dovecot.add_user()
    dovecot.load_maildir(address, [message(n) for n in range(mails)])
    opened = imap.connect(proxy.endpoint, dovecot.credential(address), **options)
    opened.select(b"INBOX", read_only=True)
    return opened


def uids(found: Session) -> list[int | None]:
    return [row.uid for row in found.fetch_headers(UidSet.span(1, 9))]


def test_without_rules_everything_passes(dovecot: Dovecot, proxy: FaultProxy) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(600)])
    sync(account)
    check(dovecot, account)
    check(proxy.endpoint, account)
    assert proxy.said(rb" (?:SELECT|EXAMINE) ")


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_passes_exactly_so_many_bytes(dovecot: Dovecot, proxy: FaultProxy, reset: bool) -> None:
    with session(proxy, dovecot) as opened:
        rule = proxy.rule("to_client", rb"2 FETCH", cut(after=1, reset=reset))
        rows = opened.fetch_headers(UidSet.span(1, 9))
        assert next(rows).uid == 1
        with pytest.raises(ConnectionLost):
            next(rows)
        assert (rule.hits, opened.closed) == (1, True)


def test_a_half_closed_connection_still_carries_our_words(dovecot: Dovecot, proxy: FaultProxy) -> None:
    opened = session(proxy, dovecot)
    proxy.rule("to_client", rb"3 FETCH", half_close())
    with pytest.raises(ConnectionLost):
        uids(opened)


def test_units_are_dropped_doubled_changed_and_joined(dovecot: Dovecot, proxy: FaultProxy) -> None:
    with session(proxy, dovecot) as opened:
        proxy.rule("to_client", rb"\A\* 1 FETCH", drop())
        proxy.rule("to_client", rb"\A\* 2 FETCH", duplicate())
        proxy.rule("to_client", rb"\A\* 3 FETCH", replace(b"UID 7 ", part=rb"UID 3 "))
        proxy.rule("to_client", rb"\AM\d+ OK", inject(before=b"* 9 EXISTS\r\n"))
        assert uids(opened) == [2, 2, 7]
        assert len(opened.drain_events()) == 1
        assert uids(opened) == [1, 2, 3]


def test_pieces_arrive_one_by_one_and_late(dovecot: Dovecot, proxy: FaultProxy) -> None:
    with session(proxy, dovecot) as opened:
        proxy.rule("to_client", rb"FETCH", split(7), nth=None)
        proxy.rule("to_client", rb"OK", delay(0.2))
        began = time.monotonic()
        assert uids(opened) == [1, 2, 3]
        assert time.monotonic() - began >= 0.2


def test_a_capability_is_taken_away(dovecot: Dovecot, proxy: FaultProxy) -> None:
    proxy.rule("to_client", rb"CAPABILITY", without("MOVE", "QRESYNC"), nth=None)
    with session(proxy, dovecot) as opened:
        assert opened.capabilities.isdisjoint({"MOVE", "QRESYNC"})
        assert "UIDPLUS" in opened.capabilities


def test_a_script_answers_and_counts(script: ScriptedImap) -> None:
    account = account_on(script.endpoint, "anna@mail.test")
    sync(account)
    script.answer(rb"LIST", lambda heard: [b'* LIST () "/" ', b"INBOX\r\n", OK])
    sync(account)
    assert script.logins == 2
    assert script.said(rb"\A(EXAMINE|SELECT) \"?INBOX")


def test_a_worker_is_killed_or_stopped_where_it_was_told(dovecot: Dovecot, workers: Workers) -> None:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(3)])
    assert workers.run(SYNC, account.pk, at="before batch") == -9
    assert not Message.objects.exists()
    type(account).objects.update(lease_expires_at=None)
    stopped = workers.stop_at("after batch", SYNC, account.pk)
    assert lease.take(account.pk) is None
    assert stopped.resume() == 0
    check(dovecot, account)


def test_the_clock_moves_where_the_sync_rests(dovecot: Dovecot, proxy: FaultProxy, clock: Clock) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(3)])
    proxy.rule("to_client", rb"UID 2 .*BODY", drop(), nth=None)
    before = clock.now()
    sync(account)
    assert tuple(clock.rests) == fetch.REPLICATION_WAITS
    assert (clock.now() - before).total_seconds() == pytest.approx(sum(fetch.REPLICATION_WAITS))
