"""People for the criteria: two of one organisation, one of another, and who runs the installation."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from deploy.demo.tls import DemoCertificate, server_context

from .ground import World, administrator, world
from .trap import Trap


@pytest.fixture
def alice(db: None) -> World:
    return world("Alice", "mark-of-alice", org="Harbour Lane")


@pytest.fixture
def bob(db: None) -> World:
    """A colleague of Alice's."""
    return world("Bob", "mark-of-bob", org="Harbour Lane")


@pytest.fixture
def charlie(db: None) -> World:
    """Of another organisation."""
    return world("Charlie", "mark-of-charlie")


@pytest.fixture
def root(db: None) -> tuple[User, Client]:
    return administrator()


@pytest.fixture(autouse=True)
def _no_brakes(request: pytest.FixtureRequest) -> None:
    """Sign-ins that other tests got wrong are not held against this one."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()


@pytest.fixture
def traps(certificates: DemoCertificate) -> Iterator[dict[str, Trap]]:
    """Servers that take nobody's password and repeat in their refusal what they were told."""
    context = server_context(certificates.cert, certificates.key)
    with ExitStack() as stack:
        protocols = ("imap", "pop3", "smtp")
        yield {name: stack.enter_context(Trap(name, context, at_once=True, echoes=True)) for name in protocols}
