"""Fixtures for the mail servers, started once a process when the first test asks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from django.conf import settings

from deploy.demo.tls import DemoCertificate, ensure_certificate
from deploy.embedded.process import give, unprivileged
from tests.stack import RUN_DIR
from tests.support.courier import Courier
from tests.support.cyrus import Cyrus
from tests.support.dovecot import DOMAIN, Dovecot
from tests.support.loopback import NotUnpacked
from tests.support.postfix import Postfix
from tests.support.submission import Submission


@pytest.fixture(scope="session")
def certificates() -> DemoCertificate:
    """The run's authority and the certificate of its servers, valid for localhost and 127.0.0.1."""
    made = ensure_certificate(RUN_DIR / "tls")
    for path in (made.cert.parent, made.cert, made.key):  # Dovecot may run under another account
        give(path, unprivileged())
    return made


@pytest.fixture(scope="session")
def dovecot_server(certificates: DemoCertificate) -> Iterator[Dovecot]:
    """The running Dovecot of this process."""
    server = Dovecot(RUN_DIR / "dovecot", certificates)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def dovecot(dovecot_server: Dovecot) -> Iterator[Dovecot]:
    """Dovecot, started again after a test that stopped it. Earlier tests' users stay: make your own by `add_user()`."""
    yield dovecot_server
    if not dovecot_server.running:
        dovecot_server.start()


Unpacked = TypeVar("Unpacked", Cyrus, Courier, Postfix)


def _running(make: Callable[[Path, DemoCertificate], Unpacked], tls: DemoCertificate) -> Iterator[Unpacked]:
    """The server until the run ends. Where it could not be fetched its tests skip, except where nothing may."""
    memory = Path("/dev/shm")  # they sync each message to disk, which takes most of a test's time
    home = Path(tempfile.mkdtemp(prefix="mailroom-test-", dir=memory if os.access(memory, os.W_OK) else RUN_DIR))
    try:
        server = make(home, tls)
        server.start()
        yield server
        server.stop()
    except NotUnpacked as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cyrus(certificates: DemoCertificate) -> Iterator[Cyrus]:
    """The running Cyrus of this process. Make your own users by `add_user()`."""
    yield from _running(Cyrus, certificates)


@pytest.fixture(scope="session")
def courier(certificates: DemoCertificate) -> Iterator[Courier]:
    """The running Courier of this process. Make your own users by `add_user()`."""
    yield from _running(Courier, certificates)


@pytest.fixture(scope="session")
def postfix(certificates: DemoCertificate, dovecot_server: Dovecot) -> Iterator[Postfix]:
    """The running Postfix of this process: Dovecot's users submit to it, and it delivers into Dovecot."""
    if os.geteuid() != 0:
        pytest.skip("Postfix starts only as root.")
    yield from _running(partial(Postfix, dovecot=dovecot_server), certificates)


@pytest.fixture(scope="session")
def submission_server(certificates: DemoCertificate, dovecot_server: Dovecot) -> Iterator[Submission]:
    """The running submission server of this process, delivering into Dovecot."""
    server = Submission(certificates, lmtp_socket=dovecot_server.lmtp_socket, domain=DOMAIN, users=dovecot_server.users)
    yield server
    server.stop()


@pytest.fixture
def submission(submission_server: Submission) -> Iterator[Submission]:
    """The submission server, without messages and arranged failures of earlier tests; Dovecot's users may sign in."""
    submission_server.reset()
    yield submission_server
    submission_server.reset()


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing answers where Redis should be; the clients are those the product makes."""
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    from webmail import live  # its settings are not ready while plugins are loaded

    live.connection.cache_clear()
    yield
    live.connection.cache_clear()
