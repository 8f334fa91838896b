"""The first sync of 20,000 messages from Dovecot into Postgres by one worker on one core: speed and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.letters import Writer
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from accounts.models import MailAccount
    from tests.support.dovecot import Dovecot

MESSAGES = 20_000


def letters(count: int, seed: int = 3) -> Iterator[bytes]:
    """Messages of ordinary shapes, oldest first, conversations through References, some with files or HTML."""
    from datetime import UTC, datetime, timedelta

    writer = Writer(seed)
    begin, step = datetime(2021, 1, 1, tzinfo=UTC), timedelta(minutes=120)
    earlier: list[tuple[str, str]] = []
    for number in range(count):
        message, sender = EmailMessage(), writer.sender()
        answered = writer.random.choice(earlier[-200:]) if earlier and writer.random.random() < 0.4 else None
        subject = answered[1] if answered else writer.subject() or "Hello"
        message_id = f"<{writer.random.getrandbits(64):016x}@{sender.address.partition('@')[2]}>"
        message["From"] = f'"{sender.name}" <{sender.address}>' if sender.name else sender.address
        message["To"] = "Rowan Reader <reader@harbourlane.example>"
        message["Date"] = format_datetime(begin + step * number)
        message["Message-ID"] = message_id
        message["Subject"] = subject if subject.startswith("Re:") or not answered else f"Re: {subject}"
        if answered:
            message["In-Reply-To"] = message["References"] = answered[0]
        if writer.random.random() < 0.15:
            message["List-Unsubscribe"] = "<https://lists.example/leave>"
        message.set_content(writer.text(40, 200))
        if writer.random.random() < 0.5:
            message.add_alternative(f"<p>{writer.text(40, 200)}</p>", subtype="html")
        if writer.random.random() < 0.15:
            message.add_attachment(b"%PDF-1.4\n" * 300, maintype="application", subtype="pdf", filename="minutes.pdf")
        earlier = [*earlier[-200:], (message_id, subject)]
        yield message.as_bytes()


def account_on(dovecot: Dovecot, address: str) -> MailAccount:
    """A person's account on that Dovecot, named by an administrator so that it may lie on this machine."""
    from accounts.models import MailServer, Organisation, User
    from accounts.services.provisioning import ServerChoice, add_account
    from tests.support.dovecot import PASSWORD

    organisation, _ = Organisation.objects.get_or_create(name="Harbour Lane")
    user = User.objects.create_user(address, organisation=organisation, name="Rowan Reader")
    MailServer.objects.get_or_create(
        organisation=organisation,
        protocol="imap",
        host="localhost",
        port=dovecot.ports.imaps,
        defaults={
            "trusted": True,
            "ca_certificates": dovecot.tls.ca_pem,
            "domains": [address.partition("@")[2]],
        },
    )
    return add_account(
        user,
        protocol="imap",
        address=address,
        password=PASSWORD,
        outgoing=ServerChoice("smtp", "localhost", 465),
    )


@bench("sync-headers", "msg/s", 4000, better="higher")
def sync_headers(servers: Servers) -> list[Row]:
    """Passes of `sync_account` until all 20,000 are in Postgres; the server's cache files are as a client left them."""
    servers.django()
    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(MESSAGES), flags="S")
    warm_up(dovecot, "reader")
    account = account_on(dovecot, address)
    seconds, cpu, memory = run_apart(account.pk)
    stored = stored_messages(account.pk)
    if stored != MESSAGES:
        account.refresh_from_db()
        raise RuntimeError(f"{stored} messages are here; the account is {account.state} {account.error_code}.")
    return [
        Row("sync-headers", stored / seconds, "msg/s", 4000, "higher"),
        Row("sync-headers per second of the worker's CPU", stored / cpu, "msg/s"),
        Row("sync-headers peak memory", memory, "MB", 200),
    ]


def warm_up(dovecot: Dovecot, user: str) -> None:
    """The server's cache files as another client has left them."""
    warm = "hdr.message-id hdr.subject hdr.from hdr.to hdr.cc hdr.references hdr.date imap.bodystructure size.virtual"
    dovecot.doveadm("fetch", "-u", user, warm, "mailbox", "INBOX", "all")


def run_apart(account_id: int) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak MB of a worker that is bound to the last core."""
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sync_worker", str(account_id)],
        cwd=Path(__file__).resolve().parent.parent.parent,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, cpu, memory = done.stdout.split()
    return float(seconds), float(cpu), float(memory)


def stored_messages(account_id: int) -> int:
    """How many messages lie in the account's mailboxes."""
    from webmail.models import Placement

    return Placement.objects.filter(account=account_id, state=Placement.State.LIVE).count()
