"""Starts children, waits for them, restarts those that die, and ends them all together.

Everything here runs in the main thread: a child is tied to the thread that started it.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.process import Account, last_lines, spawn, stop, wait_or_kill

FIRST_DELAY, LONGEST_DELAY, HEALTHY_AFTER = 1.0, 30.0, 60.0


class Stopped(Exception):
    """Somebody asked for the end while we were waiting."""


class ChildFailed(Exception):
    """A child ended that nothing works without; the text says which, with its last lines."""


@dataclass(frozen=True, slots=True)
class Service:
    """How to start a child and how to end it. `vital`: the run ends with it instead of starting it again."""

    name: str
    argv: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    account: Account | None = None
    end: signal.Signals = signal.SIGTERM
    patience: float = 8.0
    vital: bool = False
    rank: int = 0  # children of a higher rank end first


@dataclass(slots=True)
class Running:
    """A started service and, when it died, the time of the next attempt."""

    service: Service
    child: subprocess.Popen[bytes]
    since: float
    log_from: int = 0  # where this child's own lines begin in the log
    delay: float = FIRST_DELAY
    again_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Children of one run. `say` prints to the person at the terminal; `keep_open` descriptors go to children."""

    say: Callable[[str], None]
    keep_open: tuple[int, ...] = ()
    running: list[Running] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and, unless started under nohup, a closed terminal as the wish to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: self.stopping.set())

    def start(self, service: Service) -> Running:
        """Start a service and look after it from now on."""
        log_from = _size(service.log)
        entry = Running(service, self._spawn(service), time.monotonic(), log_from)
        self.running.append(entry)
        return entry

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        return spawn(
            service.argv,
            log=service.log,
            env=service.env,
            cwd=service.cwd,
            account=service.account,
            death_signal=service.end,
            keep_open=self.keep_open,
        )

    def wait(self, seconds: float) -> None:
        """Wait, unless somebody asks to stop."""
        if self.stopping.wait(seconds):
            raise Stopped

    def until(self, ready: Callable[[], bool], *, of: Running, patience: float, what: str) -> None:
        """Wait until `ready()`; ChildFailed when the child ends first or it takes longer than `patience` seconds."""
        deadline = time.monotonic() + patience
        while not ready():
            if of.child.poll() is not None:
                raise ChildFailed(_obituary(of))
            if time.monotonic() > deadline:
                raise ChildFailed("\n".join([f"{what} took longer than {patience:.0f} seconds.", *tail(of)]))
            self.wait(0.04)

    def finish(self, *entries: Running, patience: float, what: str) -> None:
        """Wait for children that do one thing and end; ChildFailed when one ends badly."""
        deadline = time.monotonic() + patience
        while any(entry.child.poll() is None for entry in entries):
            if time.monotonic() > deadline:
                raise ChildFailed(f"{what} took longer than {patience:.0f} seconds.")
            self.wait(0.03)
        for entry in entries:
            self.running.remove(entry)
        for entry in entries:
            if entry.child.returncode != 0:
                raise ChildFailed(_obituary(entry))

    def watch(self) -> None:
        """Look after the children until somebody asks to stop (returns) or a vital child dies (ChildFailed)."""
        while not self.stopping.wait(0.3):
            for entry in self.running:
                self._look_after(entry)

    def _look_after(self, entry: Running) -> None:
        now = time.monotonic()
        if entry.again_at is not None:
            if now >= entry.again_at:
                entry.log_from = _size(entry.service.log)
                entry.child, entry.since, entry.again_at = self._spawn(entry.service), now, None
            return
        if entry.child.poll() is None:
            return
        obituary = _obituary(entry)
        if entry.service.vital:
            raise ChildFailed(obituary)
        entry.delay = FIRST_DELAY if now - entry.since > HEALTHY_AFTER else min(entry.delay * 2, LONGEST_DELAY)
        entry.again_at = now + entry.delay
        self.say(f"{obituary}\nIt starts again in {entry.delay:.0f} s.")

    def end(self, entry: Running) -> None:
        """End one child and look after it no more."""
        self.running.remove(entry)
        stop(entry.child, how=entry.service.end, patience=entry.service.patience)

    def stop_all(self) -> None:
        """End every child, the higher ranks first, each rank together."""
        for rank in sorted({entry.service.rank for entry in self.running}, reverse=True):
            group = [entry for entry in self.running if entry.service.rank == rank]
            for entry in group:
                if entry.child.poll() is None:
                    entry.child.send_signal(entry.service.end)
            deadline = time.monotonic() + max(entry.service.patience for entry in group)
            for entry in group:
                wait_or_kill(entry.child, patience=max(0.1, deadline - time.monotonic()))
        self.running.clear()


def _obituary(entry: Running) -> str:
    code = entry.child.returncode
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return "\n".join([f"{entry.service.name} {how}.", *tail(entry)])


def tail(entry: Running) -> list[str]:
    """The end of what a child wrote to its log, in lines that say where they come from."""
    lines = [f"  {line}" for line in last_lines(entry.service.log, since=entry.log_from)]
    return (
        [f"The last lines of {entry.service.log}:", *lines] if lines else [f"It wrote nothing to {entry.service.log}."]
    )


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0
