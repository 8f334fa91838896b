"""Fixtures for Dovecot and the submission server, started once a process when the first test asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.demo.tls import DemoCertificate, ensure_certificate
from deploy.embedded.process import give, unprivileged
from tests.stack import RUN_DIR
from tests.support.dovecot import DOMAIN, Dovecot
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
