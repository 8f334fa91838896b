"""The process that `watchers` measures: the watcher as it runs for real, but for its patience with servers' doors.

`python -m tests.bench.watch_worker COUNT SECONDS` prints how many connections it holds, its memory in MB (what is its
own alone, and the peak), and the share of a core that it used over so many seconds of idling.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from pathlib import Path

LONGEST = 900.0  # seconds until all have to be logged in


def own_memory() -> float:
    """MB that this process alone holds."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main(count: int, seconds: float) -> None:
    import django

    django.setup()
    from webmail.watch import accounts, loop, pacing

    # one host stands for thousands, and a benchmark does not wait for doors that open once a second
    pacing.HOST_SECONDS, pacing.LOGINS_PER_SECOND, loop.LOGINS_PER_HOST = 0.0, 10_000, count
    accounts.wake = lambda account_id: None  # what a wake-up starts is no part of the watcher
    watching = loop.Loop()
    thread = threading.Thread(target=watching.run, daemon=True)
    begin = time.monotonic()
    thread.start()
    while len(watching.watched) < count and time.monotonic() - begin < LONGEST:
        time.sleep(0.2)
    time.sleep(5.0)
    used, at = time.process_time(), time.monotonic()
    time.sleep(seconds)
    share = (time.process_time() - used) / (time.monotonic() - at)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(len(watching.watched), own_memory(), peak, share)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
