"""A private Postfix: submission with STARTTLS and AUTH, delivery by LMTP into a Dovecot, reports about what bounced."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.demo.tls import DemoCertificate
from deploy.embedded.ports import free_port
from deploy.embedded.process import last_lines, spawn, stop
from tests.support.dovecot import Dovecot
from tests.support.loopback import DOMAIN, libraries, unpacked

if TYPE_CHECKING:
    from webmail.protocols.net import Endpoint

# Accounts that every Debian has and that own nothing here: Postfix wants two of its own, apart from the one for
# deliveries. Nobody is rejected while a message is submitted but by Dovecot, afterwards: that makes a report.
MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = {tree}/usr/sbin
daemon_directory = {tree}/usr/lib/postfix/sbin
shlib_directory = {tree}/usr/lib/postfix
meta_directory = {home}/etc
import_environment = TZ LANG LD_LIBRARY_PATH MAIL_CONFIG
export_environment = TZ LANG LD_LIBRARY_PATH MAIL_CONFIG
mail_owner = mail
setgid_group = news
default_privs = nobody
maillog_file = {home}/postfix.log
maillog_file_prefixes = {home}
myhostname = mta.{domain}
mydestination =
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_transport = lmtp:unix:{lmtp}
default_transport = error:5.1.2 this test has no way out
message_size_limit = 209715200
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sasl_auth_enable = yes
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {tls.cert}
smtpd_tls_key_file = {tls.key}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_rate_limit = 0
smtpd_delay_reject = no
bounce_notice_recipient = postmaster@{domain}
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class Postfix:
    """A running Postfix before a Dovecot, whose users may submit. Only root can start it."""

    def __init__(self, home: Path, tls: DemoCertificate, dovecot: Dovecot) -> None:
        """Raises NotUnpacked where the programs are missing."""
        self.tree = unpacked("postfix")
        self.home = home
        self.tls = tls
        self.port = free_port()
        self._dovecot = dovecot
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write the configuration, start, and return when it greets."""
        self._make_folders()
        words = {"home": self.home, "tree": self.tree, "tls": self.tls, "port": self.port, "domain": DOMAIN}
        places = {"lmtp": self._dovecot.lmtp_socket, "auth": self._dovecot.auth_socket}
        (self.home / "etc" / "main.cf").write_text(MAIN.format(**words, **places))
        (self.home / "etc" / "master.cf").write_text(MASTER.format(**words))
        env = libraries(self.tree)
        env["LD_LIBRARY_PATH"] = f"{self.tree}/usr/lib/postfix:{env['LD_LIBRARY_PATH']}"
        env["MAIL_CONFIG"] = str(self.home / "etc")  # for the programs that the first one starts
        argv: list[str | Path] = [self.tree / "usr/lib/postfix/sbin/master", "-c", self.home / "etc", "-d"]
        self._child = spawn(argv, log=self.home / "start.log", env=env, cwd=Path("/"))
        self._wait_for_greeting()

    def stop(self) -> None:
        """End it; what waits in its queue stays there."""
        if self._child is not None:
            stop(self._child, how=signal.SIGTERM)
            self._child = None

    def endpoint(self) -> Endpoint:
        """Where the app submits."""
        from webmail.protocols.net import Endpoint

        return Endpoint("localhost", self.port, "starttls", allow_private=True, ca_pem=self.tls.ca_pem)

    def log(self) -> str:
        """What it wrote, for a test that failed."""
        return "\n".join(last_lines(self.home / "postfix.log", 60))

    def _make_folders(self) -> None:
        import grp
        import pwd

        owner, droppers = pwd.getpwnam("mail").pw_uid, grp.getgrnam("news").gr_gid
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)
        for name in ("etc", "data", "queue", *(f"queue/{one}" for one in (*QUEUES, "maildrop", "pid", "public"))):
            folder = self.home / name
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755 if name in ("etc", "queue", "queue/pid") else 0o700)
            if name not in ("etc", "queue", "queue/pid"):
                os.chown(folder, owner, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.chown(self.home / "queue" / name, owner, droppers)
            (self.home / "queue" / name).chmod(mode)

    def _wait_for_greeting(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._child is not None and self._child.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as probe:
                    if probe.recv(100).startswith(b"220 "):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        lines = [line for name in ("start.log", "postfix.log") for line in last_lines(self.home / name)]
        raise RuntimeError("\n".join(["Postfix did not start:", *lines]))
