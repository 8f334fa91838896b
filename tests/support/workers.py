"""Workers in processes of their own that are killed, or stopped, at a named place of the product.

One process loads the application and forks for each job, so that a death costs milliseconds. What is armed is armed
in the child only: `webmail.sync.failpoints` names the places, and `STATEMENT` is before each statement to the database.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded import postgres
from deploy.embedded.process import last_lines
from tests.stack import LOGS, PG_SOCKETS

ROOT = Path(__file__).resolve().parent.parent.parent
SYNC = "webmail.sync.account:sync_account"
STATEMENT = "a statement"


@dataclass(slots=True)
class Stopped:
    """A worker that stands still: `resume` lets it go on and returns its exit code, negative for a signal."""

    workers: Workers
    pid: int

    def resume(self) -> int:
        os.kill(self.pid, signal.SIGCONT)
        return self.workers.outcome()


class Workers:
    """Runs jobs, "module:function" and its arguments, one after the other."""

    def __init__(self, database: str) -> None:
        self._log = LOGS / "workers.log"
        env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "webmail.settings.test",
            "MAILROOM_DATABASE_URL": postgres.database_url(PG_SOCKETS, database),
        }
        with self._log.open("ab") as log:
            self._mother = subprocess.Popen(
                [sys.executable, "-m", "tests.support.worker_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=env,
                text=True,
                start_new_session=True,
            )

    def run(self, job: str, *args: object, at: str = "", nth: int = 1, **options: object) -> int:
        """Run a job to its end, or until SIGKILL when it comes to the place `at` for the nth time.

        Returns the exit code: 0 after its end, -9 when killed. Raises AssertionError when the job raised.
        """
        self._begin(job, args, options, at=at, nth=nth, how="SIGKILL")
        return self.outcome()

    def stop_at(self, place: str, job: str, *args: object, nth: int = 1, **options: object) -> Stopped:
        """Run a job until SIGSTOP at the place; no other can be run until it was resumed."""
        stopped = self.may_stop_at(place, job, *args, nth=nth, **options)
        assert stopped is not None, f"never came to {place!r}"
        return stopped

    def may_stop_at(self, place: str, job: str, *args: object, nth: int = 1, **options: object) -> Stopped | None:
        """The same of a job that need not come to the place: None when it has ended. AssertionError when it raised."""
        self._begin(job, args, options, at=place, nth=nth, how="SIGSTOP")
        pid, code = self._answer()
        if code is None:
            return Stopped(self, pid)
        self._check(code)
        return None

    def kill(self) -> None:
        """SIGKILL for the job under way, whatever it does at this moment; for another thread, as a server's."""
        mother = self._mother.pid
        for pid in Path(f"/proc/{mother}/task/{mother}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
            while Path(f"/proc/{pid}").exists():  # until its mother has taken notice
                time.sleep(0.001)

    def outcome(self) -> int:
        """The exit code of the job under way."""
        _, code = self._answer()
        assert code is not None, "stopped again"
        self._check(code)
        return code

    def _check(self, code: int) -> None:
        assert code <= 0, "\n".join(last_lines(self._log, 40))

    def close(self) -> None:
        """No jobs any more; one that stands still is killed."""
        try:
            self._mother.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self._mother.pid, signal.SIGKILL)
            self._mother.communicate()

    def _begin(self, job: str, args: object, options: object, *, at: str, nth: int, how: str) -> None:
        assert self._mother.stdin is not None
        order = {"job": job, "args": args, "options": options, "at": at, "nth": nth, "signal": how}
        self._mother.stdin.write(json.dumps(order) + "\n")
        self._mother.stdin.flush()

    def _answer(self) -> tuple[int, int | None]:
        """(pid, exit code), the latter None for a worker that was stopped."""
        assert self._mother.stdout is not None
        line = self._mother.stdout.readline()
        assert line, "\n".join(last_lines(self._log, 40))
        pid, code = json.loads(line)
        return pid, code


@pytest.fixture(scope="session")
def workers(django_db_setup: None) -> Iterator[Workers]:
    """Worker processes on the test database; the test needs `django_db(transaction=True)` to show them its rows."""
    from django.db import connection

    made = Workers(str(connection.settings_dict["NAME"]))
    yield made
    made.close()
