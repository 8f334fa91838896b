"""A private Dovecot: IMAP, POP3 and LMTP for users that a test makes as it goes."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from deploy.demo.tls import DemoCertificate
from deploy.embedded.process import give, spawn
from tests.support.loopback import DOMAIN as DOMAIN
from tests.support.loopback import PASSWORD as PASSWORD
from tests.support.loopback import LoopbackServer

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
service auth {{
  unix_listener auth-submission {{
    mode = 0666
  }}
}}
"""


class Dovecot(LoopbackServer):
    """A running Dovecot with its users."""

    name = "Dovecot"

    def __init__(self, home: Path, tls: DemoCertificate, *, storage: str = "maildir", settings: str = "") -> None:
        """`settings` are lines of dovecot.conf that come last, so that they win."""
        super().__init__(home, tls)
        self.lmtp_socket = home / "run" / "lmtp"
        self.auth_socket = home / "run" / "auth-submission"  # where another server asks whether somebody may sign in
        self._storage = storage
        self._settings = settings
        self._quota: str | None = None

    def start(self) -> None:
        """Write the configuration, start, and return when IMAP answers."""
        import grp

        for folder in (self.home, self.home / "mail", self.home / "run", self.home / "state", self.home / "users"):
            self._folder(folder)
        config = CONFIG.format(
            home=self.home,
            account=self.me.name,
            group=grp.getgrgid(self.me.gid).gr_name,
            uid=self.me.uid,
            gid=self.me.gid,
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
        argv: list[str | Path] = [binary, "-F", "-c", self.home / "dovecot.conf"]
        self._children.append(spawn(argv, log=self._log, cwd=Path("/"), account=self._account))
        self._wait_for_greeting(self.ports.imap, self.home / "dovecot.log")

    def add_user(self, name: str | None = None, *, quota: str | None = None) -> str:
        """Make a user and return the address, which is also the sign-in name; `quota` such as "10K" or "5M"."""
        self._quota = quota
        return super().add_user(name)

    def _make_user(self, name: str) -> None:
        extra = f"userdb_quota_rule=*:storage={self._quota}" if self._quota else ""
        home = self.home / "mail" / name
        home.mkdir()
        give(home, self._account)
        # a file for each, since Dovecot looks only once a second whether a file it knows has changed
        (self.home / "users" / name).write_text(f"{name}:{PASSWORD}::::::{extra}\n")

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
