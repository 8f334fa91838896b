"""How far files have come from mail servers, in Redis: for pages that wait, and so that one worker brings one file.

Losing it costs the figures, and at worst a file that is brought twice; what is here is known from the database alone.
"""

import json
import logging
import time
from dataclasses import dataclass

import redis

from webmail.live import connection

log = logging.getLogger(__name__)
ALIVE_SECONDS = 60  # without a word for so long, whoever brought it is dead
FAILED_SECONDS = 120  # how long a failure is told to whoever waits
_TELL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Arriving:
    """``done`` octets are here; ``error`` says why no more will come, in words to be translated or the server's own."""

    running: bool = False
    done: int = 0
    error: str = ""


def _key(message_id: int, path: str) -> str:
    return f"arriving:{message_id}:{path}"


def arriving(message_id: int, path: str) -> Arriving:
    try:
        found = connection().get(_key(message_id, path))
    except redis.RedisError:
        return Arriving()
    if not isinstance(found, bytes):
        return Arriving()
    try:
        told = json.loads(found)
        return Arriving(not told["error"], int(told["done"]), str(told["error"]))
    except (ValueError, KeyError, TypeError):
        return Arriving()


def forget(message_id: int, path: str) -> None:
    """Somebody asks anew after a failure."""
    try:
        connection().delete(_key(message_id, path))
    except redis.RedisError as error:
        log.warning("progress not forgotten: %s", type(error).__name__)


class Bringing:
    """One file being brought; ``mine`` is False when another worker is at it."""

    def __init__(self, message_id: int, path: str) -> None:
        self._key = _key(message_id, path)
        self._told = 0.0
        self.done = 0
        if arriving(message_id, path).error:
            forget(message_id, path)
        self.mine = bool(self._say("", nx=True))

    def wrote(self, octets: int) -> None:
        """So many more octets are here."""
        self.done += octets
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._say("")

    def failed(self, words: str) -> None:
        self._say(words[:500], seconds=FAILED_SECONDS)

    def ended(self) -> None:
        try:
            connection().delete(self._key)
        except redis.RedisError as error:
            log.warning("progress not ended: %s", type(error).__name__)

    def _say(self, words: str, *, nx: bool = False, seconds: int = ALIVE_SECONDS) -> object:
        self._told = time.monotonic()
        try:
            return connection().set(self._key, json.dumps({"done": self.done, "error": words}), ex=seconds, nx=nx)
        except redis.RedisError as error:
            log.warning("progress not told: %s", type(error).__name__)
            return True
