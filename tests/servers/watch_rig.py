"""A watcher in a thread, with the patience of a test."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from webmail.watch import accounts, loop
from webmail.watch.loop import Loop

PATIENCE = 20.0


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> queue.Queue[int]:
    """The accounts that the watcher wakes, in order."""
    seen: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(accounts, "wake", seen.put)
    monkeypatch.setattr(loop, "RECONCILE_SECONDS", 0.2)
    monkeypatch.setattr(loop, "TICK", 0.05)
    return seen


@pytest.fixture
def watch(woken: queue.Queue[int]) -> Iterator[Callable[[], Loop]]:
    """Starts the watcher; it must still be alive in the end."""
    started: list[tuple[Loop, threading.Thread]] = []

    def start() -> Loop:
        watching = Loop()
        thread = threading.Thread(target=watching.run, daemon=True)
        thread.start()
        started.append((watching, thread))
        return watching

    yield start
    for watching, thread in started:
        assert thread.is_alive()
        watching.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def drain(woken: queue.Queue[int]) -> None:
    while not woken.empty():
        woken.get()
