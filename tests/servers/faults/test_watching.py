"""The watcher's line goes dead in every way a network knows; mail that comes in a gap is not overlooked."""

from __future__ import annotations

import queue
from collections.abc import Callable

import pytest

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, message, sync
from tests.servers.watch_rig import PATIENCE, drain, watch, woken
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import Action, FaultProxy, call, cut, half_close, replace, silence
from webmail.watch import line, loop
from webmail.watch.line import Line
from webmail.watch.loop import Loop

__all__ = ["watch", "woken"]
pytestmark = pytest.mark.django_db(transaction=True)
NEWS = rb"\A\* \d+ EXISTS"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is lost is opened again at once."""
    monkeypatch.setattr(loop, "wait_after", lambda failures, throttled=None: 0.2)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every time the watcher looked at a line because there was something to read."""
    seen: list[int] = []
    read = Line.read

    def noting(watched: Line, now: float) -> bool:
        seen.append(watched.account_id)
        return read(watched, now)

    monkeypatch.setattr(Line, "read", noting)
    return seen


@pytest.fixture
def account(dovecot: Dovecot, proxy: FaultProxy) -> MailAccount:
    made = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(made.address, [message(1)])
    sync(made)
    return made


DEATHS: dict[str, Action] = {
    "the end of the stream": cut(),
    "a reset": cut(reset=True),
    "a part of a line": cut(after=5),
    "half of the connection": half_close(),
    "BYE": replace(b"* BYE the server goes down\r\n"),
    "silence": silence(),
}


@pytest.mark.parametrize("death", DEATHS)
def test_f22_a_dead_line_is_noticed_and_its_mail_seen(
    dovecot: Dovecot,
    proxy: FaultProxy,
    account: MailAccount,
    watch: Callable[[], Loop],
    woken: queue.Queue[int],
    reads: list[int],
    monkeypatch: pytest.MonkeyPatch,
    death: str,
) -> None:
    if death == "silence":  # known only by what does not come: the renewal's answer
        monkeypatch.setattr(line, "RENEW_SECONDS", 1.0)
        monkeypatch.setattr(line, "GRACE_SECONDS", 1.0)
    watch()
    assert woken.get(timeout=PATIENCE) == account.pk
    drain(woken)
    before = proxy.connections
    dying = proxy.rule("to_client", NEWS, DEATHS[death])
    dovecot.deliver(account.address, message(2))
    assert woken.get(timeout=PATIENCE) == account.pk  # the renewed line, since the news died with the old one
    assert dying.hits == 1
    assert proxy.connections > before
    if death != "silence":
        assert len(reads) < 50  # a line that is over is not read again and again
    sync(account)
    check(dovecot, account)


@pytest.mark.parametrize("gap", ["SELECT and IDLE", "two IDLEs"])
def test_f24_mail_that_comes_in_a_gap_is_seen(
    dovecot: Dovecot,
    proxy: FaultProxy,
    account: MailAccount,
    watch: Callable[[], Loop],
    woken: queue.Queue[int],
    gap: str,
) -> None:
    arrives = call(lambda: dovecot.deliver(account.address, message(2)))
    if gap == "SELECT and IDLE":
        came = proxy.rule("to_server", rb" IDLE\r\n", arrives)
        watch()
    else:
        watching = watch()
        assert woken.get(timeout=PATIENCE) == account.pk
        drain(woken)
        came = proxy.rule("to_server", rb"\ADONE", arrives)
        watching._lines[account.pk].renew_at = 0.0
    assert woken.get(timeout=PATIENCE) == account.pk
    assert came.hits == 1
    sync(account)
    check(dovecot, account)
