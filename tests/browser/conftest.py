"""Tests in Chromium against the running application: `live`, `page`, `axe` and `screenshot` of `tests.support`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from deploy.demo.people import DEMO_PASSWORDS, MAREN
from deploy.embedded.ports import free_port
from deploy.embedded.supervisor import Service, Supervisor
from tests.stack import LOGS
from tests.support.live import Live

from .desk import desk as desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class World:
    """The demo's people and mail behind the running application."""

    live: Live
    ports: dict[str, int]
    ca_pem: str

    @property
    def url(self) -> str:
        return self.live.url

    def sign_in(self, page: Page, address: str = MAREN.address, password: str = "") -> None:
        """Sign in by the form and wait for the first page behind it."""
        page.goto(f"{self.url}/signin/")
        page.get_by_label("Address").fill(address)
        page.get_by_label("Password", exact=True).fill(password or DEMO_PASSWORDS[address])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/signin/" not in url)


@pytest.fixture
def world(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A fresh demo: its mail server seeded anew, its people signed up, their accounts due for their first sync."""
    supervisor = Supervisor(say=print)
    ports = {name: free_port() for name in ("imap", "pop3", "smtp")}
    log = LOGS / f"demo-mail-{os.getpid()}.log"
    log.unlink(missing_ok=True)
    words = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
    words += ["--pictures-port", os.environ["MAILROOM_TEST_IMAGE_PORT"]]
    argv = [sys.executable, "-m", "deploy.demo.server", "--state", str(tmp_path / "mail"), *words]
    server = supervisor.start(Service("demo-mail", argv, log, os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT))
    try:
        supervisor.until(lambda: "demo mail ready" in log.read_text(), of=server, patience=30, what="The demo's mail")
        authority = tmp_path / "mail" / "tls" / "ca.pem"
        monkeypatch.setenv("MAILROOM_DEMO_CA", str(authority))
        for name, port in ports.items():
            monkeypatch.setenv(f"MAILROOM_DEMO_{name.upper()}_PORT", str(port))
        call_command("demo", quiet=True)
        yield World(live, ports, authority.read_text())
    finally:
        supervisor.stop_all()
