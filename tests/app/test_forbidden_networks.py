"""The installation's own networks, from the environment to the guard at the way out."""

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from webmail.protocols import net
from webmail.settings import env


def test_networks_are_read_and_checked() -> None:
    found = env.networks("X", [], environ={"X": "203.0.113.0/24, 2a00:1450::1"})
    assert found == ["203.0.113.0/24", "2a00:1450::1"]
    with pytest.raises(ImproperlyConfigured, match=r"X holds 'example\.org'"):
        env.networks("X", [], environ={"X": "203.0.113.0/24,example.org"})


def test_the_start_applies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "_own_networks", ())
    assert net.vet_address("193.99.144.80")
    with override_settings(MAILROOM=settings.MAILROOM | {"FORBIDDEN_NETWORKS": ["193.99.144.0/24"]}):
        apps.get_app_config("webmail").ready()
    assert not net.vet_address("193.99.144.80")
