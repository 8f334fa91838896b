"""What the private mail servers of a test run have in common: users made on the fly, endpoints, waiting for one."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sysconfig
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.demo.tls import DemoCertificate
from deploy.embedded.ports import free_port
from deploy.embedded.process import Account, give, last_lines, stop, unprivileged

if TYPE_CHECKING:
    from webmail.protocols.net import Credential, Endpoint

DOMAIN = "mail.test"
PASSWORD = "correct horse battery"  # the same for every user, so that a test need not carry it about


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports: the plain ones offer STARTTLS, those with an s speak TLS at once."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int


class LoopbackServer(ABC):
    """A mail server on loopback ports. Users are made by `add_user` and never shared between tests."""

    name: str

    def __init__(self, home: Path, tls: DemoCertificate) -> None:
        self.home = home
        self.tls = tls
        self.ports = Ports(free_port(), free_port(), free_port(), free_port())
        self.users: dict[str, str] = {}
        self._log = home / "start.log"
        self._account = unprivileged()
        self._children: list[subprocess.Popen[bytes]] = []
        self._count = 0

    @abstractmethod
    def start(self) -> None:
        """Write the configuration, start, and return when IMAP answers."""

    @abstractmethod
    def _make_user(self, name: str) -> None:
        """Let `name` @ the domain sign in with the common password."""

    @abstractmethod
    def deliver(self, user: str, *messages: bytes) -> None:
        """Deliver to the user's inbox as another server's mail arrives."""

    @property
    def me(self) -> Account:
        """The system account the server runs as."""
        return self._account or Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())

    @property
    def running(self) -> bool:
        """Whether `start` was called and `stop` was not."""
        return bool(self._children)

    def stop(self) -> None:
        """End the server and its sessions; users and mail stay, `start` brings them back on the same ports."""
        while self._children:
            stop(self._children.pop(), how=signal.SIGTERM)

    def add_user(self, name: str | None = None) -> str:
        """Make a user and return the address, which is also the sign-in name."""
        if name is None:
            self._count += 1
            name = f"user{self._count}"
        self._make_user(name)
        address = f"{name}@{DOMAIN}"
        self.users[address] = PASSWORD
        return address

    def imap_endpoint(self, security: str = "tls") -> Endpoint:
        """Where a session of the app connects for IMAP: `security` is "tls" or "starttls"."""
        return self._endpoint(self.ports.imaps if security == "tls" else self.ports.imap, security)

    def pop3_endpoint(self, security: str = "tls") -> Endpoint:
        """Where a session of the app connects for POP3: `security` is "tls" or "starttls"."""
        return self._endpoint(self.ports.pop3s if security == "tls" else self.ports.pop3, security)

    def _endpoint(self, port: int, security: str) -> Endpoint:
        from webmail.protocols.net import Endpoint

        return Endpoint(
            host="localhost",
            port=port,
            security="tls" if security == "tls" else "starttls",
            allow_private=True,
            ca_pem=self.tls.ca_pem,
        )

    def credential(self, user: str) -> Credential:
        """What signs the user in."""
        from webmail.protocols.net import Credential, Secret

        return Credential(user, Secret(PASSWORD))

    def _folder(self, path: Path) -> Path:
        """A folder the server may write into."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        return give(path, self._account)

    def _wait_for_greeting(self, port: int, *logs: Path) -> None:
        """Until the port greets as an IMAP server; the ends of the logs say why it does not."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if any(child.poll() is not None for child in self._children):
                break
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as probe:
                    if probe.recv(100).startswith(b"* OK"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        lines = [line for log in (self._log, *logs) for line in last_lines(log)]
        raise RuntimeError("\n".join([f"{self.name} did not start:", *lines]))


class NotUnpacked(Exception):
    """The server's programs are not on this machine."""


def unpacked(name: str) -> Path:
    """The tree that `deploy/mail-servers` unpacked a server into; the text of NotUnpacked says what to do."""
    caches = [Path("/var/cache"), Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    for cache in caches:
        tree = cache / "mailroom-tests" / name
        if (tree / ".complete").exists():
            return tree
    raise NotUnpacked(f"{name.title()} is not unpacked on this machine; deploy/mail-servers fetches it.")


def libraries(tree: Path) -> dict[str, str]:
    """The environment that programs of an unpacked tree need to find their libraries and SASL's plugins."""
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    folders = [tree / part for part in (f"usr/lib/{triplet}", "usr/lib", f"lib/{triplet}")]
    plugins = [str(root / f"usr/lib/{triplet}/sasl2") for root in (tree, Path("/"))]
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": ":".join(map(str, folders)),
        "SASL_PATH": ":".join(plugins),
    }
