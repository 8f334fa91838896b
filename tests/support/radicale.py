"""A private Radicale: address books behind a password and TLS, and another program that uses them."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.tls import DemoCertificate
from deploy.embedded.ports import free_port
from deploy.embedded.process import last_lines, spawn, stop
from tests.stack import RUN_DIR
from tests.support.loopback import PASSWORD

CONFIG = """
[server]
hosts = 127.0.0.1:{port}
ssl = True
certificate = {tls.cert}
key = {tls.key}
[auth]
type = htpasswd
htpasswd_filename = {home}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {home}/data
[logging]
level = warning
"""
_BOOK = """<?xml version="1.0" encoding="utf-8"?>
<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop>
<resourcetype><collection/><C:addressbook/></resourcetype><displayname>{name}</displayname></prop></set></mkcol>"""


class Radicale:
    """A running Radicale with its users, whose files may be looked at and lost."""

    def __init__(self, home: Path, tls: DemoCertificate) -> None:
        self.home = home
        self.tls = tls
        self.port = free_port()
        self._child: subprocess.Popen[bytes] | None = None
        self._count = 0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"

    def start(self) -> None:
        """Write the configuration, start, and return when it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "users").touch()
        config, log = self.home / "config", self.home / "radicale.log"
        config.write_text(CONFIG.format(home=self.home, port=self.port, tls=self.tls))
        argv = [sys.executable, "-m", "radicale", "--config", str(config)]
        self._child = spawn(argv, log=log, cwd=self.home)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("\n".join(["Radicale did not start:", *last_lines(log)]))

    def stop(self) -> None:
        if self._child is not None:
            stop(self._child, how=signal.SIGTERM)
            self._child = None

    @property
    def running(self) -> bool:
        return self._child is not None

    def add_user(self, *books: str) -> Phone:
        """A user with these address books, as the other program sees them."""
        self._count += 1
        name = f"user{self._count}"
        with (self.home / "users").open("a") as file:
            file.write(f"{name}:{PASSWORD}\n")
        phone = Phone(self, name)
        for book in books or ("Contacts",):
            phone.make_book(book)
        return phone

    def folder(self, user: str, book: str) -> Path:
        return self.home / "data" / "collection-root" / user / book

    def lose_tokens(self, user: str, book: str) -> None:
        """What Radicale knows of earlier states is gone, as after a restored backup."""
        shutil.rmtree(self.folder(user, book) / ".Radicale.cache", ignore_errors=True)


class Phone:
    """Another program of the same person."""

    def __init__(self, server: Radicale, user: str) -> None:
        self.server, self.user = server, user

    def ask(self, method: str, path: str, body: str = "", **fields: str) -> tuple[int, str]:
        """Status and text of an answer; names of fields are written with underscores."""
        context = ssl.create_default_context(cafile=str(self.server.tls.ca))
        client = http.client.HTTPSConnection("localhost", self.server.port, context=context, timeout=20)
        pair = base64.b64encode(f"{self.user}:{PASSWORD}".encode()).decode()
        given = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            client.request(method, path, body.encode(), {"Authorization": f"Basic {pair}", **given})
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        finally:
            client.close()

    def make_book(self, name: str) -> None:
        status, text = self.ask("MKCOL", f"/{self.user}/{name}/", _BOOK.format(name=name))
        assert status == 201, (status, text)

    def put(self, name: str, card: str, book: str = "Contacts") -> None:
        status, text = self.ask("PUT", f"/{self.user}/{book}/{name}.vcf", card, Content_Type="text/vcard")
        assert status in (201, 204), (status, text)

    def get(self, name: str, book: str = "Contacts") -> str:
        """The card; "" where there is none."""
        status, text = self.ask("GET", f"/{self.user}/{book}/{name}.vcf")
        assert status in (200, 404), (status, text)
        return text.replace("\r\n", "\n").replace("\n ", "") if status == 200 else ""

    def delete(self, name: str, book: str = "Contacts") -> None:
        status, text = self.ask("DELETE", f"/{self.user}/{book}/{name}.vcf")
        assert status in (200, 204), (status, text)

    def names(self, book: str = "Contacts") -> set[str]:
        """The cards of the book, by the names of their files."""
        return {path.stem for path in self.server.folder(self.user, book).glob("*.vcf")}


def card(uid: str, name: str = "Amara Okafor", *lines: str) -> str:
    """A card as other programs write it."""
    given, _, family = name.rpartition(" ")
    middle = "".join(f"{line}\r\n" for line in lines)
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{family};{given};;;\r\n{middle}END:VCARD\r\n"


@pytest.fixture(scope="session")
def radicale_server(certificates: DemoCertificate) -> Iterator[Radicale]:
    server = Radicale(RUN_DIR / f"radicale-{os.getpid()}", certificates)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def radicale(radicale_server: Radicale) -> Iterator[Radicale]:
    """Radicale, started again after a test that stopped it. Make your own users by `add_user()`."""
    yield radicale_server
    if not radicale_server.running:
        radicale_server.start()
