"""A private Courier: IMAP and POP3 without CONDSTORE, MOVE, SPECIAL-USE and ESEARCH, everything below `INBOX.`"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from deploy.demo.tls import DemoCertificate
from deploy.embedded.process import give, spawn
from tests.support import courier_login
from tests.support.loopback import PASSWORD, LoopbackServer, libraries, unpacked

# as Debian configures it
CAPABILITY = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"


class Courier(LoopbackServer):
    """A running Courier with its users. It speaks TLS at once on the ports with an s, and nothing on the others."""

    name = "Courier"

    def __init__(self, home: Path, tls: DemoCertificate) -> None:
        """Raises NotUnpacked where the programs are missing."""
        super().__init__(home, tls)
        self._tree = unpacked("courier")
        self._pem = home / "server.pem"
        self._monitor = f"mailroom-{os.getpid()}-{self.ports.imap}"  # its name among the machine's

    def start(self) -> None:
        for folder in (self.home, self.home / "mail", self.home / "run"):
            self._folder(folder)
        self._pem.write_bytes(self.tls.key.read_bytes() + self.tls.cert.read_bytes())
        self._pem.chmod(0o600)
        give(self._pem, self._account)
        script = self.home / "login.py"  # the checkout may be closed to the account
        script.write_text(Path(courier_login.__file__).read_text())
        self._notify()
        programs = self._tree / "usr/lib/courier/courier"
        self._listen("imap", self.ports.imap, self._tree / "usr/bin/imapd", tls=False)
        self._listen("imap", self.ports.imaps, self._tree / "usr/bin/imapd", tls=True)
        self._listen("pop3", self.ports.pop3s, programs / "courierpop3d", tls=True)
        self._wait_for_greeting(self.ports.imap)

    def _notify(self) -> None:
        """The file monitor that imapd asks at each login; without one it waits a second for it before it goes on."""
        argv: list[str | Path] = [self._tree / "usr/libexec/gam_server", "--notimeout", self._monitor]
        env = libraries(self._tree)
        self._children.append(spawn(argv, log=self._log, env=env, cwd=self.home, account=self._account))

    def _listen(self, kind: str, port: int, program: Path, *, tls: bool) -> None:
        env = libraries(self._tree) | {
            "TEST_PASSWORD": PASSWORD,
            "IMAP_CAPABILITY": CAPABILITY,
            "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "0",
            "IMAP_CHECK_ALL_FOLDERS": "0",
            "IMAP_USELOCKS": "0",
            "IMAP_IDLE_TIMEOUT": "1",
            "IMAP_TRASHFOLDERNAME": "Trash",
            "IMAP_EMPTYTRASH": "Trash:7",
            "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
            "GAM_CLIENT_ID": self._monitor,
            "PROTOCOL": kind,
            "TLS_CERTFILE": str(self._pem),
            "TLS_VERIFYPEER": "NONE",
        }
        sbin = self._tree / "usr/sbin"
        door: list[str | Path] = [self._tree / "usr/bin/couriertls", "-server", "-tcpd"] if tls else []
        # Debian's own Python before ours, which may lie in a folder closed to the account
        python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        login: list[str | Path] = [python, "-I", "-S", self.home / "login.py", kind, self.home / "mail", program]
        limits = ["-maxprocs=200", "-maxperip=200", "-nodnslookup", "-noidentlookup"]
        argv: list[str | Path] = [sbin / "couriertcpd", "-address=127.0.0.1", *limits, str(port), *door, *login]
        self._children.append(spawn(argv, log=self._log, env=env, cwd=self.home, account=self._account))

    def _make_user(self, name: str) -> None:
        maildir = self.home / "mail" / name / "Maildir"
        for folder in (maildir.parent, maildir, *(maildir / part for part in ("cur", "new", "tmp"))):
            self._folder(folder)

    def deliver(self, user: str, *messages: bytes) -> None:
        """Put mail into the inbox as a Maildir's delivery program does."""
        maildir = self.home / "mail" / user.split("@", 1)[0] / "Maildir"
        for message in messages:
            name = f"{time.time_ns() // 10**9}.M{time.time_ns() // 1000 % 10**6:06}P{self._count}.elsewhere"
            path = give(self._written(maildir / "tmp" / name, message), self._account)
            path.rename(maildir / "new" / name)

    def _written(self, path: Path, message: bytes) -> Path:
        path.write_bytes(message)
        return path
