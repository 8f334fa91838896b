"""People for the criteria: two of one organisation, one of another, and who runs the installation."""

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import User

from .ground import World, administrator, world


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
