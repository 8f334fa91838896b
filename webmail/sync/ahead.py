"""Reads ahead: while one batch is written, a second thread fetches and takes apart the next.

Invariants: the thread touches the session and pure code only, never the database; the session is its own until
``ahead`` returns, however it returns; what the thread raises is raised to the reader, in order.
"""

import queue
import sys
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_POLL = 0.1
_TURN = 0.0005  # seconds


def ahead(items: Iterator[T], *, depth: int = 2) -> Generator[T, None, None]:
    """The items, produced by a thread that is at most ``depth`` of them ahead. Close it to stop early.

    Taking headers apart keeps the interpreter busy. The writer wants it back after each of the thirty or so waits for
    Postgres that a batch costs, and would get it 5 ms later each time, the interpreter's usual turn: as long as the
    writing itself takes.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))
    ready: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, ready, stop), name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = ready.get()
            if error is not None:
                raise error
            if last:
                return
            assert item is not None
            yield item
    finally:
        stop.set()
        thread.join()


def _produce(
    items: Iterator[T], ready: "queue.Queue[tuple[T | None, BaseException | None, bool]]", stop: threading.Event
) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not _put(ready, (item, None, False), stop):
                return
    except BaseException as raised:
        error = raised
    _put(ready, (None, error, True), stop)


def _put(
    ready: "queue.Queue[tuple[T | None, BaseException | None, bool]]",
    entry: tuple[T | None, BaseException | None, bool],
    stop: threading.Event,
) -> bool:
    """Waits for room; False when nobody reads any more."""
    while not stop.is_set():
        try:
            ready.put(entry, timeout=_POLL)
        except queue.Full:
            continue
        return True
    return False
