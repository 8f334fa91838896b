"""A private Cyrus: IMAP and LMTP, with mailbox ids, conversations and the delayed expunge of large installations."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.demo.tls import DemoCertificate
from deploy.embedded.process import give, spawn
from tests.support.loopback import DOMAIN, PASSWORD, LoopbackServer, libraries, unpacked

IMAPD = """
configdirectory: {home}/conf
partition-default: {home}/spool
defaultpartition: default
cyrus_user: {account}
admins: admin
virtdomains: userid
defaultdomain: internal.test
servername: localhost
altnamespace: yes
unixhierarchysep: yes
allowplaintext: no
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {home}/sasldb2
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {tls.cert}
tls_server_key: {tls.key}
tls_session_timeout: 0
lmtpsocket: {home}/run/lmtp
idlesocket: {home}/run/idle
duplicatesuppression: no
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Drafts|Sent|Junk|Trash|Archive
autocreate_subscribe_folders: Drafts|Sent|Junk|Trash|Archive
xlist-drafts: Drafts
xlist-sent: Sent
xlist-junk: Junk
xlist-trash: Trash
xlist-archive: Archive
conversations: yes
expunge_mode: delayed
delete_mode: immediate
skiplist_unsafe: yes
fulldirhash: no
hashimapspool: no
syslog_prefix: cyrus
"""
# the master waits without a word when two entries share a line
MASTER = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {home}/imapd.conf" listen="127.0.0.1:{ports.imap}" proto="tcp4" prefork=0 maxchild=100
  imaps cmd="{bin}/imapd -C {home}/imapd.conf -s" listen="127.0.0.1:{ports.imaps}" proto="tcp4" prefork=1 maxchild=100
  lmtpunix cmd="{bin}/lmtpd -C {home}/imapd.conf" listen="{home}/run/lmtp" prefork=0 maxchild=20
}}
EVENTS {{
}}
DAEMON {{
  idled cmd="{bin}/idled -C {home}/imapd.conf -d"
}}
"""


class Cyrus(LoopbackServer):
    """A running Cyrus with its users."""

    name = "Cyrus"

    def __init__(self, home: Path, tls: DemoCertificate) -> None:
        """Raises NotUnpacked where the programs are missing."""
        super().__init__(home, tls)
        self._tree = unpacked("cyrus")
        self._env = libraries(self._tree)
        self.lmtp_socket = home / "run" / "lmtp"

    def start(self) -> None:
        conf = self.home / "conf"
        made = ["db", "proc", "socket", "log", "msg", "user", "quota", "lock", "backup", "ptclient"]
        for folder in (self.home, self.home / "run", self.home / "spool", conf, *(conf / name for name in made)):
            self._folder(folder)
        programs = self._tree / "usr/lib/cyrus/bin"
        words = {"home": self.home, "bin": programs, "tls": self.tls, "ports": self.ports}
        (self.home / "imapd.conf").write_text(IMAPD.format(account=self.me.name, **words))
        (self.home / "cyrus.conf").write_text(MASTER.format(**words))
        argv: list[str | Path] = [
            programs / "master",
            "-D",
            "-C",
            self.home / "imapd.conf",
            "-M",
            self.home / "cyrus.conf",
        ]
        child = spawn(
            [*argv, "-p", self.home / "run" / "master.pid"],
            log=self._log,
            env=self._env,
            cwd=self.home,
            account=self._account,
        )
        self._children.append(child)
        self._wait_for_greeting(self.ports.imap)

    def _make_user(self, name: str) -> None:
        database = self.home / "sasldb2"
        subprocess.run(
            [self._tree / "usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", DOMAIN, name],
            input=PASSWORD.encode(),
            env=self._env,
            check=True,
            capture_output=True,
        )
        give(database, self._account)

    def deliver(self, user: str, *messages: bytes) -> None:
        """Deliver to the user's inbox through LMTP: sessions in IDLE notice."""
        import smtplib

        with smtplib.LMTP(str(self.lmtp_socket)) as client:
            for message in messages:
                client.sendmail("sender@elsewhere.test", [user], message)

    def run(self, program: str, *words: str) -> str:
        """Run one of Cyrus' programs as the server's account; what it printed."""
        done = subprocess.run(
            [self._tree / "usr/lib/cyrus/bin" / program, "-C", self.home / "imapd.conf", *words],
            capture_output=True,
            check=False,
            cwd=self.home,
            env=self._env,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()
