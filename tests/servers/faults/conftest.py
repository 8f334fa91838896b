"""What the fault tests share: the proxy before the run's Dovecot and accounts that connect through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.demo.tls import DemoCertificate
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.scripted_imap import ScriptedImap, scripted_imap


@pytest.fixture
def proxy(dovecot: Dovecot, certificates: DemoCertificate) -> Iterator[FaultProxy]:
    """A fault proxy before Dovecot's IMAP."""
    with fault_proxy(dovecot.imap_endpoint(), certificates) as made:
        yield made


@pytest.fixture
def script(certificates: DemoCertificate) -> Iterator[ScriptedImap]:
    """A scripted IMAP server."""
    with scripted_imap(certificates) as made:
        yield made
