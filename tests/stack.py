"""The private servers of a test run: Postgres and Redis, started when the first test asks for them.

Loaded as an early plugin (`-p tests.stack`), because the settings read these addresses while pytest-django starts.
Addresses are chosen at import and cost nothing; a run of unit tests alone starts no server. Every pytest process,
also each worker of xdist, has servers of its own, so workers share no mailbox, no queue and no cache.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from deploy.embedded import postgres, redis
from deploy.embedded.ports import free_port
from deploy.embedded.process import give, unprivileged
from deploy.embedded.supervisor import ChildFailed, Supervisor

# Short, since a Unix socket's path holds at most 107 bytes.
RUN_DIR = Path(tempfile.mkdtemp(prefix="mailroom-test-", dir="/tmp" if os.path.isdir("/tmp") else None))
PG_SOCKETS, REDIS_SOCKET, LOGS = RUN_DIR / "pg", RUN_DIR / "redis.sock", RUN_DIR / "log"

supervisor = Supervisor(say=print)


def _publish_addresses() -> None:
    RUN_DIR.chmod(0o755)  # Postgres and Dovecot may run under another account
    for folder in (PG_SOCKETS, LOGS, RUN_DIR / "storage", RUN_DIR / "static"):
        folder.mkdir()
        folder.chmod(0o755)
    os.environ |= {
        "MAILROOM_TEST_DIR": str(RUN_DIR),
        "MAILROOM_DATABASE_URL": postgres.database_url(PG_SOCKETS, "mailroom"),
        "MAILROOM_REDIS_URL": redis.cache_url(REDIS_SOCKET),
        "MAILROOM_BROKER_URL": redis.broker_url(REDIS_SOCKET),
        "MAILROOM_STORAGE_DIR": str(RUN_DIR / "storage"),
        "MAILROOM_STATIC_DIR": str(RUN_DIR / "static"),
        "MAILROOM_TEST_IMAGE_PORT": str(free_port()),  # where `pictures` listens, should a test ask for it
        "MAILROOM_KEY_FILE": str(RUN_DIR / "key"),
    }


_publish_addresses()


@atexit.register  # for runs that end before pytest is configured
def clean_up() -> None:
    """Stop the servers and leave nothing behind."""
    supervisor.stop_all()
    shutil.rmtree(RUN_DIR, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks that fixtures of ours read."""
    config.addinivalue_line("markers", "allow_console(regex): console errors that this test provokes")


def pytest_unconfigure() -> None:
    """The run is over."""
    clean_up()


def start_postgres(*, options: tuple[str, ...] = postgres.UNSAFE_AND_FAST) -> None:
    """Start the run's Postgres, the system's one if there is one, and wait until it answers."""
    binaries = postgres.system_binaries() or postgres.embedded_binaries()
    if binaries is None:
        raise ChildFailed("Postgres is not installed; deploy/test installs what the tests need.")
    account, data, log = unprivileged(), RUN_DIR / "pgdata", LOGS / "postgres.log"
    give(PG_SOCKETS, account)
    postgres.make_cluster(supervisor, binaries, data, log=log, account=account)
    server = supervisor.start(postgres.service(binaries, data, PG_SOCKETS, log=log, account=account, options=options))
    supervisor.until(lambda: postgres.answers(PG_SOCKETS), of=server, patience=60, what="Starting Postgres")


def restart_postgres() -> None:
    """Postgres goes down and comes back: every connection is lost, what was committed stays."""
    entry = next(entry for entry in supervisor.running if entry.service.name == "Postgres")
    supervisor.end(entry)
    server = supervisor.start(entry.service)
    supervisor.until(lambda: postgres.answers(PG_SOCKETS), of=server, patience=60, what="Starting Postgres")


def start_redis() -> None:
    """Start the run's Redis, which keeps nothing on disk, and wait until it answers."""
    binary = redis.find_binary()
    if binary is None:
        raise ChildFailed("Redis is not installed; deploy/test installs what the tests need.")
    server = supervisor.start(redis.service(binary, REDIS_SOCKET, data=None, log=LOGS / "redis.log"))
    supervisor.until(lambda: redis.answers(REDIS_SOCKET), of=server, patience=20, what="Starting Redis")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """URL of the run's Redis for redis-py; the cache and the queues use databases 0 and 1."""
    start_redis()
    return redis.cache_url(REDIS_SOCKET)


@pytest.fixture(scope="session")
def postgres_server(redis_url: str) -> None:
    """The run's Postgres. Redis comes with it: what touches the database may touch the cache."""
    start_postgres()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, postgres_server: None) -> None:
    """pytest-django asks for this before it makes the test database: the moment to start the servers."""
