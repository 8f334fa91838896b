"""Jobs that bring files of 100 MB and say how much memory that took; run in worker processes of their own."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from functools import cache
from pathlib import Path

MIB = 2**20
MOST_MIB = 40  # above what the process had before


@cache
def film() -> bytes:
    """100 MB; whoever only runs the jobs does not hold them."""
    return bytes(range(57)) * (100 * MIB // 57 + 1)


def stream_part(message_id: int, path: str) -> None:
    """An attachment from the mail server into storage."""
    from webmail.sync import bodies

    _resident(lambda: bodies.fetch_part(message_id, path))


def part_of_stored(message_id: int, path: str) -> None:
    """Content and one attachment of a message that is in storage whole; what the kernel may drop does not count."""
    from webmail import storage
    from webmail.sync import bodies

    storage.exists(1, "0" * 64)  # whatever is loaded late
    now = int(_status("VmData")) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now + MOST_MIB * MIB, hard))
    bodies.analyse_raw(message_id)
    bodies.fetch_part(message_id, path)


def _resident(work: Callable[[], object]) -> None:
    """Does the work; fails when the peak of resident memory rose by more than is allowed."""
    Path("/proc/self/clear_refs").write_text("5")  # proc_pid_clear_refs(5): the peak begins anew
    before = int(_status("VmRSS"))
    work()
    grown = (int(_status("VmHWM")) - before) // 1024
    assert grown < MOST_MIB, f"{grown} MiB more"


def _status(name: str) -> str:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]
