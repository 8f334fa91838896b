"""What the fault tests share: the proxy before the run's Dovecot and accounts that connect through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

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


@pytest.fixture
def without_sending_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may write to any number of people in an hour."""
    unlimited = {name: 10**9 for name in settings.MAILROOM if name.endswith("_PER_HOUR")}
    monkeypatch.setattr(settings, "MAILROOM", settings.MAILROOM | unlimited)
