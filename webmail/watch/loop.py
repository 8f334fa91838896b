"""The loop over all watched sockets: one thread waits, a few do what may block.

Invariants: the loop never blocks on a server, on Postgres or on Redis; a burst of news about an account is one wake-up
a second, and its last is never dropped; a database that is away is waited for while the sockets live on; a dead
connection is noticed by its deadline and opened again, with growing patience until one has lived for a while; hosts
that do not answer keep nobody else waiting.
"""

import contextlib
import logging
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from django.db import DatabaseError

from webmail.budget import Busy
from webmail.protocols.errors import AuthenticationFailed, CommandFailed, MailServerError
from webmail.protocols.imap_idle import IdleSocket
from webmail.watch import accounts
from webmail.watch.accounts import Target
from webmail.watch.line import Dead, Line
from webmail.watch.pacing import Pacing, wait_after

log = logging.getLogger(__name__)
RECONCILE_SECONDS = 5.0
WAKE_SECONDS = 1.0
BUSY_SECONDS = 15.0
STEADY_SECONDS = 60.0  # a line that lived as long was no failure
LOGIN_THREADS = 16
LOGINS_PER_HOST = 2  # at the same time: a host that swallows packets holds each for long
TICK = 0.5
NEVER = float("inf")


class Loop:
    """Watches until told to stop. ``stop`` may be called from a signal handler."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._lines: dict[int, Line] = {}
        self._targets: dict[int, Target] = {}
        self._wanted: dict[int, Target] = {}  # as Postgres said last
        self._failures: dict[int, int] = {}
        self._logging_in: dict[int, str] = {}  # and at which host
        self._woken: dict[int, float] = {}
        self._wake_due: dict[int, float] = {}
        self._pacing = Pacing()
        self._results: deque[Callable[[], object]] = deque()
        self._stopped = False
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._selector.register(self._reading, selectors.EVENT_READ, None)
        self._logins = ThreadPoolExecutor(LOGIN_THREADS, thread_name_prefix="login")
        self._writes = ThreadPoolExecutor(1, thread_name_prefix="wake")
        self._reconciling = False

    @property
    def watched(self) -> frozenset[int]:
        """Accounts with a living connection."""
        return frozenset(self._lines)

    def stop(self) -> None:
        self._stopped = True
        self._nudge()

    def run(self) -> None:
        next_look = next_tick = 0.0
        try:
            while not self._stopped:
                now = self._clock()
                if now >= next_look:
                    next_look = now + RECONCILE_SECONDS
                    self._look()
                if now >= next_tick:  # not with every line that some server says: these go through all sockets
                    next_tick = now + TICK
                    self._keep_time(now)
                self._log_in_ready(now)
                self._wake_late(now)
                self._read(self._selector.select(TICK))
                while self._results:
                    self._results.popleft()()
        finally:
            self._end()

    # --- sockets

    def _read(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        now = self._clock()
        for key, mask in events:
            line: Line | None = key.data
            if line is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._reading, 4096)
                continue
            try:
                if mask & selectors.EVENT_WRITE:
                    line.flush()
                if line.read(now):
                    self._news(line.account_id, now)
                self._want(line)
            except Dead:
                self._lost(line)

    def _want(self, line: Line) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.unsent else 0)
        if self._selector.get_key(line.idle.sock).events != events:
            self._selector.modify(line.idle.sock, events, line)

    def _keep_time(self, now: float) -> None:
        for line in list(self._lines.values()):
            try:
                if now >= line.deadline:
                    raise Dead
                if now >= line.renew_at and not line.ending:
                    line.renew(now)
                    self._writes.submit(accounts.stay, line.account_id)
                    self._want(line)
            except Dead:
                self._lost(line)

    def _wake_late(self, now: float) -> None:
        for account_id, at in list(self._wake_due.items()):
            if now >= at:
                del self._wake_due[account_id]
                self._wake(account_id, now)

    def _lost(self, line: Line) -> None:
        if self._clock() - line.begun >= STEADY_SECONDS:
            self._failures.pop(line.account_id, None)
        self._drop(line.account_id)
        self._again(line.account_id)

    def _drop(self, account_id: int) -> None:
        line = self._lines.pop(account_id, None)
        if line is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(line.idle.sock)
            line.close()
            self._writes.submit(accounts.leave, account_id)

    # --- wake-ups

    def _news(self, account_id: int, now: float) -> None:
        """One wake-up a second; news within it is told at its end."""
        last = self._woken.get(account_id, -NEVER)
        if now - last >= WAKE_SECONDS:
            self._wake(account_id, now)
        else:
            self._wake_due.setdefault(account_id, last + WAKE_SECONDS)

    def _wake(self, account_id: int, now: float) -> None:
        self._woken[account_id] = now
        future = self._writes.submit(accounts.wake, account_id)
        future.add_done_callback(partial(self._woke, account_id))

    def _woke(self, account_id: int, future: "Future[None]") -> None:
        if future.exception() is not None:
            log.warning("account %s: wake-up not noted: %s", account_id, type(future.exception()).__name__)
            self._hand_over(partial(self._wake_due.setdefault, account_id, self._clock() + RECONCILE_SECONDS))

    # --- which accounts

    def _look(self) -> None:
        if not self._reconciling:
            self._reconciling = True
            self._writes.submit(accounts.targets).add_done_callback(self._looked)

    def _looked(self, future: "Future[dict[int, Target]]") -> None:
        self._hand_over(partial(self._reconcile, future))

    def _reconcile(self, future: "Future[dict[int, Target]]") -> None:
        self._reconciling = False
        error = future.exception()
        if error is not None:
            if not isinstance(error, DatabaseError):
                raise error
            log.warning("database away: %s", type(error).__name__)
            return
        wanted = future.result()
        if wanted is self._wanted:
            return
        self._wanted = wanted
        for account_id, target in list(self._targets.items()):
            if wanted.get(account_id) != target:
                del self._targets[account_id]
                self._failures.pop(account_id, None)
                self._woken.pop(account_id, None)
                self._drop(account_id)
        for account_id, target in wanted.items():
            if account_id not in self._targets:
                self._targets[account_id] = target
                self._pacing.add(account_id, target.host, at=self._clock())

    # --- logging in

    def _again(self, account_id: int, *, throttled: float | None = None) -> None:
        target = self._targets.get(account_id)
        if target is not None:
            failures = self._failures.get(account_id, 0)
            self._failures[account_id] = failures + 1
            at = self._clock() + wait_after(failures, throttled=throttled)
            self._pacing.add(account_id, target.host, at=at)

    def _log_in_ready(self, now: float) -> None:
        for account_id in self._pacing.ready(now):
            target = self._targets.get(account_id)
            if target is None or account_id in self._lines or account_id in self._logging_in:
                continue
            if list(self._logging_in.values()).count(target.host) >= LOGINS_PER_HOST:
                self._pacing.add(account_id, target.host, at=now + TICK)
                continue
            self._logging_in[account_id] = target.host
            future = self._logins.submit(accounts.log_in, account_id)
            future.add_done_callback(partial(self._login_ended, target))

    def _login_ended(self, target: Target, future: "Future[IdleSocket]") -> None:
        self._hand_over(partial(self._logged_in, target, future))

    def _logged_in(self, target: Target, future: "Future[IdleSocket]") -> None:
        account_id = target.account_id
        self._logging_in.pop(account_id, None)
        error = future.exception()
        now = self._targets.get(account_id)
        if now != target:  # whatever came of it, it was about an account that is another one by now
            if error is None:
                Line(account_id, future.result()).close()
                self._writes.submit(accounts.leave, account_id)
            if now is not None:
                self._pacing.add(account_id, now.host, at=self._clock())
            return
        if error is not None:
            self._refused(account_id, error)
            return
        line = Line(account_id, future.result(), begun=self._clock())
        self._lines[account_id] = line
        self._selector.register(line.idle.sock, selectors.EVENT_READ, line)
        try:
            line.begin(self._clock())
            self._want(line)
        except Dead:
            self._lost(line)

    def _refused(self, account_id: int, error: BaseException) -> None:
        """A refused password and a server without IDLE are left to the poll, until the account changes."""
        log.info("account %s: not watched: %s", account_id, type(error).__name__)
        if isinstance(error, Busy):  # others of ours are on it; the poll sees to the account until there is room
            if account_id in self._targets:
                self._pacing.add(account_id, self._targets[account_id].host, at=self._clock() + BUSY_SECONDS)
            return
        final = isinstance(error, AuthenticationFailed) or (isinstance(error, CommandFailed) and error.code == "IDLE")
        if not final:
            self._again(account_id, throttled=error.retry_after if isinstance(error, MailServerError) else None)

    # --- threads

    def _hand_over(self, action: Callable[[], object]) -> None:
        """To be done by the loop's own thread."""
        self._results.append(action)
        self._nudge()

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._writing, b".")

    def _end(self) -> None:
        self._logins.shutdown(wait=False, cancel_futures=True)
        for account_id in list(self._lines):
            self._drop(account_id)
        self._writes.shutdown(wait=True)
        self._selector.close()
        os.close(self._reading)
        os.close(self._writing)
