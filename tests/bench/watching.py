"""Five thousand accounts watched by one process: what their idle TLS connections cost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.up import WATCHING
from tests import stack
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers

WATCHED = 5_000
SECONDS = 130.0  # a little more than the server's own rhythm
ROOT = Path(__file__).resolve().parent.parent.parent


def more_files() -> None:
    """A connection is a file, and the usual limit is a thousand: raised here for what is started from here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def idle_server(certificate: Path, key: Path) -> Iterator[int]:
    """The port of a server that takes any number of connections."""
    argv: list[str | Path] = [sys.executable, "-m", "tests.bench.idle_server", certificate, key]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


@bench("watchers", "MB", 150)
def watchers(servers: Servers) -> list[Row]:
    """All logged in and idling, then measured over two minutes in which each server says once that it is there."""
    more_files()
    servers.django()
    from deploy.demo.tls import ensure_certificate

    made = ensure_certificate(stack.RUN_DIR / "tls")
    with idle_server(made.cert, made.key) as port:
        _make_accounts(port, made.ca_pem)
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.watch_worker", str(WATCHED), str(SECONDS)],
            cwd=ROOT,
            env=os.environ | WATCHING,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    held, own, peak, share = (float(word) for word in done.stdout.split())
    if held < WATCHED:
        raise RuntimeError(f"Only {held:.0f} of {WATCHED} were watched.")
    return [
        Row("watchers", own, "MB", 150),
        Row("watchers peak memory", peak, "MB"),
        Row("watchers share of a core", share * 100, "%", 3),
    ]


def _make_accounts(port: int, authority: str) -> None:
    from django.utils import timezone

    from accounts.models import MailAccount, MailServer, Organisation, User
    from accounts.services import credentials
    from webmail.models import Mailbox

    organisation = Organisation.objects.create(name="Harbour Lane")
    user = User.objects.create_user("reader@harbourlane.example", organisation=organisation)
    server = MailServer.objects.create(
        protocol="imap", host="localhost", port=port, trusted=True, ca_certificates=authority
    )
    addresses = [f"reader{number}@harbourlane.example" for number in range(WATCHED)]
    accounts = MailAccount.objects.bulk_create(
        MailAccount(
            organisation=organisation,
            user=user,
            protocol="imap",
            address=address,
            username=address,
            incoming=server,
            state=MailAccount.State.WORKING,
            last_sync_at=timezone.now(),
            settings_seen={"capabilities": ["IDLE", "IMAP4REV1"]},
        )
        for address in addresses
    )
    for account in accounts:
        credentials.store(account, password="correct horse battery")
    Mailbox.objects.bulk_create(
        Mailbox(account=account, wire_name=b"INBOX", name="INBOX", role="inbox", phase="live", backfill_low=1)
        for account in accounts
    )
