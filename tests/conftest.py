"""Fixtures every test may ask for; none of them costs anything until a test does."""

import pytest
from hypothesis import HealthCheck, settings

from tests.stack import django_db_modify_db_settings as django_db_modify_db_settings

# how long an example takes says how busy the machine is, not whether the code is right
settings.register_profile("mailroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mailroom")

pytest_plugins = [
    "tests.support.servers",
    "tests.support.radicale",
    "tests.support.workers",
    "tests.support.clock",
    "tests.support.live",
    "tests.support.browser",
    "tests.support.pictures",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start the live processes or a browser come last, in this order: a dispatcher beside them would do
    other tests' work for them, and a browser's event loop keeps tests from starting one of their own.
    """
    rank: dict[object, int] = {}
    served: set[object] = set()
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if "live" not in asked and asked & {"dovecot", "workers", "traps"}:
            served.add(item.path)
        rank[item.path] = max(rank.get(item.path, 0), 2 * ("live" in asked), int("browser" in asked))
    mixed = sorted(str(path) for path in served if rank[path] >= 2)
    if mixed:
        raise pytest.UsageError(f"tests with and without the live processes in one file: {', '.join(mixed)}")
    items.sort(key=lambda item: rank[item.path])
