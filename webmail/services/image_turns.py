"""How many pictures of other servers a person may have fetched, at once and in a while.

At once, because a newsletter whose server is slow must not take the workers from other people; in a while, because the
proxy must not be of use for sending requests to somebody. A newsletter with eighty pictures loads, and so do the next
two; what is here already costs nothing.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache

log = logging.getLogger(__name__)
AT_ONCE = 6  # of one person in one web process; the workers have several times as many threads
MOST_WAITING = 150  # requests of one person that wait for their turn; the page of a browser has fewer
WINDOW_SECONDS = 300
IN_A_WINDOW = 300  # 60 a minute, all at the beginning if need be


class _Turns:
    """One person's semaphore, for as long as anybody waits at it."""

    def __init__(self) -> None:
        self._semaphores: dict[int, threading.BoundedSemaphore] = {}
        self._waiting: defaultdict[int, int] = defaultdict(int)
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, user_id: int, seconds: float) -> Iterator[bool]:
        semaphore = self._join(user_id)
        mine = semaphore is not None and semaphore.acquire(timeout=seconds)
        try:
            yield mine
        finally:
            if semaphore is not None:
                self._leave(user_id, semaphore if mine else None)

    def _join(self, user_id: int) -> threading.BoundedSemaphore | None:
        with self._lock:
            if self._waiting[user_id] >= MOST_WAITING:
                return None
            self._waiting[user_id] += 1
            return self._semaphores.setdefault(user_id, threading.BoundedSemaphore(AT_ONCE))

    def _leave(self, user_id: int, held: threading.BoundedSemaphore | None) -> None:
        if held is not None:
            held.release()
        with self._lock:
            self._waiting[user_id] -= 1
            if not self._waiting[user_id]:
                del self._waiting[user_id], self._semaphores[user_id]


turn = _Turns().turn  # turn(user_id, seconds): waits that long at most; whether it is the caller's turn


def may_fetch(user_id: int) -> bool:
    """Counts one more picture; False when there were too many lately, or nobody can count."""
    key = f"images:{user_id}:{int(time.time()) // WINDOW_SECONDS}"
    try:
        cache.add(key, 0, 2 * WINDOW_SECONDS)
        return cache.incr(key) <= IN_A_WINDOW
    except Exception as error:  # whatever the cache's client raises
        log.warning("remote images are not counted, so none is fetched: %s", type(error).__name__)
        return False
