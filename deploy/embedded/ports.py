"""Loopback ports below the range the system hands to outgoing connections."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

FIRST, LAST = 20_000, 32_767


def is_free(port: int) -> bool:
    """Whether nothing listens on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port nobody listens on, chosen at random so that several runs beside each other seldom meet."""
    for port in random.sample(range(FIRST, LAST + 1), 200):
        if is_free(port):
            return port
    raise OSError(f"No free port between {FIRST} and {LAST} on 127.0.0.1.")


def remember_port(file: Path, name: str, port: int) -> None:
    """Use this port under that name from now on."""
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(known | {name: port}, indent=1))


def remembered_ports(file: Path, names: Iterable[str]) -> dict[str, int]:
    """One port per name, chosen free at the first call and the same at every later one."""
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    for name in names:
        if name not in known:
            known[name] = free_port()
    file.write_text(json.dumps(known, indent=1))
    return known
