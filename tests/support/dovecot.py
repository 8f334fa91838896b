"""A private Dovecot: IMAP, POP3 and LMTP for users that a test makes as it goes."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.demo.tls import DemoCertificate
from deploy.embedded.ports import free_port
from deploy.embedded.process import Account, give, last_lines, spawn, stop, unprivileged

if TYPE_CHECKING:
    from webmail.protocols.net import Credential, Endpoint

DOMAIN = "mail.test"
PASSWORD = "correct horse battery"  # the same for every user, so that a test need not carry it about

CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1
default_internal_user = {account}
default_login_user = {account}
default_internal_group = {group}
default_process_limit = 400
first_valid_uid = 1
first_valid_gid = 1
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_fsync = never
mail_home = {home}/mail/%n
mail_location = {format}:~/{format}
mail_plugins = quota
mailbox_list_index = yes
ssl = yes
ssl_cert = <{tls.cert}
ssl_key = <{tls.key}
ssl_min_protocol = TLSv1.2
auth_mechanisms = plain login
disable_plaintext_auth = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {home}/users/%n
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {home}/users/%n
  default_fields = uid={uid} gid={gid}
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
protocol imap {{
  mail_plugins = quota imap_quota
  imap_metadata = yes
}}
mail_attribute_dict = file:%h/attributes
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports: the plain ones offer STARTTLS, those with an s speak TLS at once."""

    imap: int
    imaps: int
    pop3: int
    pop3s: int


class Dovecot:
    """A running Dovecot with its users. Users are made by `add_user` and never shared between tests."""

    def __init__(self, home: Path, tls: DemoCertificate, *, storage: str = "maildir", settings: str = "") -> None:
        """`settings` are lines of dovecot.conf that come last, so that they win."""
        self.home = home
        self.tls = tls
        self.ports = Ports(free_port(), free_port(), free_port(), free_port())
        self.lmtp_socket = home / "run" / "lmtp"
        self.users: dict[str, str] = {}
        self._log = home / "start.log"
        self._storage = storage
        self._settings = settings
        self._account = unprivileged()
        self._child: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(self) -> None:
        """Write the configuration, start, and return when IMAP answers."""
        import grp
        import os
        import pwd

        me = self._account or Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
        for folder in (self.home, self.home / "mail", self.home / "run", self.home / "state", self.home / "users"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            give(folder, self._account)
        config = CONFIG.format(
            home=self.home,
            account=me.name,
            group=grp.getgrgid(me.gid).gr_name,
            uid=me.uid,
            gid=me.gid,
            tls=self.tls,
            format=self._storage,
            imap=self.ports.imap,
            imaps=self.ports.imaps,
            pop3=self.ports.pop3,
            pop3s=self.ports.pop3s,
        )
        (self.home / "dovecot.conf").write_text(config + self._settings)
        binary = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if binary is None:
            raise RuntimeError("Dovecot is not installed; deploy/test installs what the tests need.")
        self._child = spawn(
            [binary, "-F", "-c", self.home / "dovecot.conf"], log=self._log, cwd=Path("/"), account=self._account
        )
        self._wait_for_greeting()

    def _wait_for_greeting(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self._child is not None
            if self._child.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.ports.imap), timeout=10) as probe:
                    if probe.recv(100).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(
            "\n".join(["Dovecot did not start:", *last_lines(self._log), *last_lines(self.home / "dovecot.log")])
        )

    @property
    def running(self) -> bool:
        """Whether `start` was called and `stop` was not."""
        return self._child is not None

    def stop(self) -> None:
        """End Dovecot and its sessions; users and mail stay, `start` brings them back on the same ports."""
        if self._child is not None:
            stop(self._child, how=signal.SIGTERM)
            self._child = None

    def add_user(self, name: str | None = None, *, quota: str | None = None) -> str:
        """Make a user and return the address, which is also the sign-in name; `quota` such as "10K" or "5M"."""
        if name is None:
            self._count += 1
            name = f"user{self._count}"
        extra = f"userdb_quota_rule=*:storage={quota}" if quota else ""
        home = self.home / "mail" / name
        home.mkdir()
        give(home, self._account)
        # a file for each, since Dovecot looks only once a second whether a file it knows has changed
        (self.home / "users" / name).write_text(f"{name}:{PASSWORD}::::::{extra}\n")
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

    def doveadm(self, *words: str, stdin: bytes | None = None) -> str:
        """Run doveadm with this server's configuration and return what it printed; an error ends the test."""
        argv = ["doveadm", "-c", str(self.home / "dovecot.conf"), *words]
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            check=False,
            cwd="/",
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv[3:])}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def deliver(self, user: str, *messages: bytes) -> None:
        """Deliver to the user's inbox through LMTP, as another server's mail arrives: sessions in IDLE notice."""
        import smtplib

        with smtplib.LMTP(str(self.lmtp_socket)) as client:
            for message in messages:
                client.sendmail("sender@elsewhere.test", [user], message)

    def load_maildir(self, user: str, messages: Iterable[bytes], *, mailbox: str = "INBOX", flags: str = "") -> int:
        """Write messages straight into the Maildir, thousands a second, and return how many.

        `flags` are Maildir letters (S seen, F flagged, R answered, D draft, T deleted) given to each. Lines may end in
        LF or CRLF. Meant for filling a mailbox before a session opens it; UIDs follow the order given.
        """
        if self._storage != "maildir":
            raise ValueError("Only a Maildir can be filled by writing files.")
        home = self.home / "mail" / user.split("@", 1)[0] / "maildir"
        folder = home if mailbox == "INBOX" else home / ("." + mailbox.replace("/", "."))
        for part in (home, folder, folder / "cur", folder / "new", folder / "tmp"):
            part.mkdir(exist_ok=True)
            give(part, self._account)
        start = time.time_ns() // 1000
        count = 0
        for count, message in enumerate(messages, 1):
            # the name's first part orders files, and Dovecot numbers them in that order
            stamp = start + count
            path = folder / "cur" / f"{stamp // 10**6}.M{stamp % 10**6:06}P1.test:2,{flags}"
            path.write_bytes(message)
            give(path, self._account)
        return count
