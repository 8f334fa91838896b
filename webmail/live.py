"""Wake-ups for open pages: small events per person through Redis. Losing one costs latency, never mail.

Events name what changed by id, so that a page fetches the region anew through its own rights; they carry no content.
"""

import json
import logging
from functools import cache, partial
from typing import Any

import redis
from django.conf import settings
from django.db import transaction

log = logging.getLogger(__name__)


@cache
def connection() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def channel(user_id: int) -> str:
    return f"live:{user_id}"


def publish(user_id: int, kind: str, **ids: int | str) -> None:
    """Tells the person's open pages: kind is mailbox | message | account | outbox | sent |
    action | cards; ids say which."""
    payload: dict[str, Any] = {"kind": kind, **ids}
    try:
        connection().publish(channel(user_id), json.dumps(payload))
    except redis.RedisError as error:
        log.warning("live event lost: %s", type(error).__name__)


def publish_on_commit(user_id: int, kind: str, **ids: int | str) -> None:
    transaction.on_commit(partial(publish, user_id, kind, **ids))


DAY = 24 * 3600
OPEN_SECONDS = 90  # a page that is open says so again well within these


def mark_here(account_id: int, user_id: int = 0) -> bool:
    """Notes a look at the account; True at most once a minute, and not when Redis is away."""
    try:
        with connection().pipeline(transaction=False) as pipe:
            pipe.set(f"here:{account_id}", 1, ex=600)
            pipe.set(f"today:{user_id}", 1, ex=DAY)
            pipe.set(f"visit:{account_id}", 1, ex=60, nx=True)
            return bool(pipe.execute()[-1])
    except redis.RedisError as error:
        log.warning("presence not noted: %s", type(error).__name__)
        return False


def is_here(account_id: int, user_id: int = 0) -> bool:
    """Whether the account was looked at within ten minutes, or a page of its owner is open now."""
    return _any(f"here:{account_id}", f"open:{user_id}")


def came_today(user_id: int) -> bool:
    """Whether the person looked at mail within a day."""
    return _any(f"today:{user_id}")


def _any(*names: str) -> bool:
    try:
        return bool(connection().exists(*names))
    except redis.RedisError:
        return False
