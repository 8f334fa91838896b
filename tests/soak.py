"""Hours of random use with faults, then the invariants: `python -m tests.soak --minutes 60 --accounts 20 [--seed N]`.

Private servers are started for it and removed afterwards. Ctrl-C ends it early; the accounts are checked all the same.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from tests.bench.servers import DATABASE, Servers

if TYPE_CHECKING:
    from tests.servers.soak_run import Soak

# what the closing lines count; "here" and "there" are deeds of the person and of the other mail program
TOLD = (
    "passes",
    "kills",
    "stops",
    "here",
    "there",
    "cuts",
    "delays",
    "renumberings",
    "restarts of Dovecot",
    "flushes of Redis",
)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code is 1 when an account does not hold the invariants, or something raised on the way."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Random use with faults, then a check.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what an earlier run printed")
    options = parser.parse_args(argv)
    servers = Servers()
    try:
        servers.django(settings="webmail.settings.test")
        return soak(servers, minutes=options.minutes, accounts=options.accounts, seed=options.seed)
    finally:
        servers.stop()


def soak(servers: Servers, *, minutes: float, accounts: int, seed: int) -> int:
    """The run on servers that are there; returns the exit code."""
    from tests.servers.soak_run import LANES, Soak
    from tests.servers.soak_seats import seats
    from tests.support.workers import Workers

    logging.disable(logging.ERROR)  # broken lines are what this is about; workers write a log of their own
    asked = _asked_to_end()
    print(f"{accounts} accounts for {minutes:g} minutes, --seed {seed}", flush=True)
    dovecot = servers.dovecot()
    workers = [Workers(DATABASE) for _ in range(2 * LANES)]
    try:
        run = Soak(dovecot, workers, seed, seats(dovecot, dovecot.tls, accounts, seed), asked)
        begun = time.monotonic()
        run.live_through(minutes * 60)
        lasted = (time.monotonic() - begun) / 60
        print("settling and checking …", flush=True)
        return report(run, run.verdicts(), minutes=lasted)
    finally:
        for worker in workers:
            worker.close()


def _asked_to_end() -> list[int]:
    """Takes the first Ctrl-C or SIGTERM as the wish to end early, noted in what is returned; the second means it."""
    asked: list[int] = []

    def early(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, early)
    return asked


def report(soak: Soak, verdicts: Mapping[str, str], *, minutes: float) -> int:
    """Prints what was done, what is wrong, and the closing words; returns the exit code."""
    for problem in soak.problems:
        print(f"raised on the way:\n{problem}", file=sys.stderr)
    for seat in soak.seats:
        if wrong := verdicts[seat.account.address]:
            way = f"without {', '.join(seat.line.hidden) or 'nothing'}" if seat.line is not None else "directly"
            print(f"{seat.account.address} by {seat.account.protocol}, {way}:\n{wrong[-6000:]}", file=sys.stderr)
    told = [f"{soak.counts[name]} {name}" for name in TOLD]
    failed = sum(map(bool, verdicts.values()))
    print(f"{minutes:.1f} minutes: {', '.join(told)}; {soak.refused()} intents refused")
    print(f"{len(verdicts) - failed} passed, {failed + len(soak.problems)} failed (--seed {soak.seed})")
    return 1 if failed or soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
