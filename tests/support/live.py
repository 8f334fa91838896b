"""The real processes on the test database: web server, workers, dispatcher and watcher, as people run them.

pytest-django's own live server cannot stream events, so browser tests drive these.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.embedded import postgres
from deploy.embedded.ports import free_port
from deploy.embedded.process import last_lines
from deploy.embedded.supervisor import Running, Service, Supervisor
from tests.stack import LOGS, PG_SOCKETS

if TYPE_CHECKING:
    from django.db.backends.base.operations import BaseDatabaseOperations

ROOT = Path(__file__).resolve().parent.parent.parent
WEB = "granian --interface asginl --host 127.0.0.1 --workers-kill-timeout 2 webmail.asgi:application"
WORKER = "celery -A webmail worker -P threads --without-gossip --without-mingle"
WORKERS = {"worker-interactive": "interactive,send", "worker-sync": "sync,backfill", "worker-images": "images"}
THREADS = {"worker-images": "16"}  # web servers are slow: more of them than one person may use at once
COMMANDS = ("dispatch", "watch")


@dataclass(slots=True)
class Live:
    """Where pages answer, and the processes behind them: web, worker-interactive, worker-sync, worker-images,
    dispatch, watch."""

    url: str
    supervisor: Supervisor
    services: dict[str, Service]
    running: dict[str, Running]

    def stop(self, name: str) -> None:
        """End one process, as a crash or an operator would; the test brings it back with `start`."""
        entry = self.running.pop(name)
        self.supervisor.end(entry)

    def start(self, name: str) -> None:
        """Start a process, the web server until it answers; nothing when it runs."""
        if name in self.running:
            return
        entry = self.running[name] = self.supervisor.start(self.services[name])
        if name == "web":
            self.supervisor.until(lambda: _answers(self.url), of=entry, patience=60, what="The first page")

    def log(self, name: str) -> str:
        """The end of a process's log, for a test that looks for what must not be there."""
        return "\n".join(last_lines(self.services[name].log, 2000))

    def settle(self, *, patience: float = 5.0) -> None:
        """Wait until no process is inside a transaction, so that emptying the tables meets no lock."""
        from django.db import connection

        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with connection.cursor() as cursor:
                cursor.execute(busy)
                row = cursor.fetchone()
            if row and row[0] == 0:
                return
            time.sleep(0.02)


def emptying(operations: type[BaseDatabaseOperations], *, patience: float = 30.0) -> Callable[..., None]:
    """`execute_sql_flush` that gives way to what the processes are in the middle of, and tries again.

    A request that was waiting for a thread, a look of the dispatcher: each may begin after the last look at what is
    busy. It locks tables in another order than the emptying does, and Postgres ends one of the two after a second.
    """
    from django.db.utils import OperationalError

    plain = operations.execute_sql_flush

    def execute(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                # below `deadlock_timeout`, so it is never the process that Postgres ends
                plain(self, ["SET LOCAL lock_timeout = '300ms';", *sql_list])
            except OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    return execute


def services(port: int, database: str, **settings: str) -> dict[str, Service]:
    """The processes on that database of the run's Postgres; `settings` are environment variables besides the usual."""
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "webmail.settings.test",
        "MAILROOM_DATABASE_URL": postgres.database_url(PG_SOCKETS, database),
        "MAILROOM_SITE_URL": f"http://127.0.0.1:{port}",
        "PYTHONUNBUFFERED": "1",
        **settings,
    }

    def python(name: str, *words: str | Path) -> Service:
        return Service(name, [sys.executable, *words], LOGS / f"{name}.log", env, cwd=ROOT, patience=6)

    return {
        "static": python("static", ROOT / "manage.py", "collectstatic", "--noinput", "-v", "0"),
        "web": python("web", "-m", *WEB.split(), "--port", str(port)),
        **{
            name: python(name, "-m", *WORKER.split(), "-c", THREADS.get(name, "3"), "-Q", queues, "-n", f"{name}@test")
            for name, queues in WORKERS.items()
        },
        **{name: python(name, ROOT / "manage.py", name) for name in COMMANDS},
    }


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=20).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def prepare_live(database: str, **settings: str) -> Live:
    """Processes that are ready to start, static files gathered, on a free port."""
    port = free_port()
    known = services(port, database, **settings)
    supervisor = Supervisor(say=print)
    supervisor.finish(supervisor.start(known.pop("static")), patience=60, what="Gathering static files")
    return Live(f"http://127.0.0.1:{port}", supervisor, known, {})


@pytest.fixture(scope="session")
def live_processes(django_db_setup: None) -> Iterator[Live]:
    """All processes, started once a session; `live` gives them to a test."""
    from django.db import connection

    prepared = prepare_live(str(connection.settings_dict["NAME"]))
    operations = type(connection.ops)
    try:
        for name in reversed(prepared.services):  # the web server last: while it starts, so do the others
            prepared.start(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operations, "execute_sql_flush", emptying(operations))
            yield prepared
    finally:
        prepared.supervisor.stop_all()


@pytest.fixture
def live(live_processes: Live, transactional_db: None, redis_url: str) -> Iterator[Live]:
    """The running application on an empty database: rows a test makes are seen by it at once, and the other way."""
    import redis

    yield live_processes
    for name in live_processes.services:
        live_processes.start(name)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    live_processes.settle()
