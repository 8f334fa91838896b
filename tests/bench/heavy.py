"""A file of 100 MB attached, sent and filed in Sent: the memory that takes of each process on its way."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.outgoing import Composer, sink, submits_to, until
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on

if TYPE_CHECKING:
    from tests.support.live import Live

MB = 10**6
PIECE = 64 * 1024
SIZE = 100 * MB
PROCESSES = ("worker-interactive", "worker-sync", "dispatch")


@bench("send-memory", "MB", 150)
def send_memory(servers: Servers) -> list[Row]:
    """Upload through the web server, a blind copy among the recipients, submission, APPEND to Dovecot, and the sync
    that sees it; of each process the peak of resident memory above what it had when idle, the worst counts."""
    live = servers.web()
    dovecot = servers.dovecot()
    account = account_on(dovecot, dovecot.add_user("writer"))
    for name in PROCESSES:
        live.start(name)
    with sink() as server:
        submits_to(account, server.port, server.ca_pem)
        composer = Composer.of(live.url, account)
        for _ in range(3):  # until what is loaded late is loaded
            _send(composer, MB)
        idle = {pid: (name, _status(pid, "VmRSS")) for pid, name in _processes(live).items()}
        for pid in idle:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc_pid_clear_refs(5): the peak begins anew
        _send(composer, SIZE)
        peaks = {pid: (name, _status(pid, "VmHWM")) for pid, name in _processes(live).items()}
    grown: dict[str, float] = {}
    for pid, (name, peak) in peaks.items():
        grown[name] = max(grown.get(name, 0.0), peak - idle.get(pid, (name, 0.0))[1])
    return [
        Row("send-memory", max(grown.values()), "MB", 150),
        *(Row(f"send-memory {name}", value, "MB") for name, value in sorted(grown.items())),
    ]


def _send(composer: Composer, size: int) -> None:
    """A message with a file of that size, until its copy lies in Sent and the sync has seen it there."""
    from webmail.models import Outgoing, Placement

    fields = {"to": "amara@pier4.example", "bcc": "hidden@pier4.example", "subject": "Film", "html": "<p>Here</p>"}
    composer.save(**fields)
    composer.attach("film.mp4", size, lambda: _film(size))
    pk, _ = composer.send(**fields)
    row = Outgoing.objects.filter(pk=pk, state=Outgoing.State.SENT)
    until(row.filter(filing=Outgoing.Filing.FILED).exists, what="The copy in Sent", seconds=120)
    known = Placement.objects.filter(mailbox__role="sent", message__message_id=row.get().message_id)
    until(known.exists, what="The sync of Sent")


def _film(size: int) -> Iterator[bytes]:
    chance = random.Random(size)
    for at in range(0, size, PIECE):
        yield chance.randbytes(min(PIECE, size - at))


def _processes(live: Live) -> dict[int, str]:
    """Ours by process id, children included."""
    import psutil  # type: ignore[import-untyped]  # has no types

    found: dict[int, str] = {}
    for name, entry in live.running.items():
        first = psutil.Process(entry.child.pid)
        found |= {one.pid: name for one in (first, *first.children(recursive=True))}
    return found


def _status(pid: int, name: str) -> float:
    """A line of /proc/PID/status in MB."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"Process {pid} does not say its {name}.")
    return int(found[1]) * 1024 / MB
