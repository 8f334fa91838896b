"""An account whose inbox holds 100,000 messages: how soon its newest are here, how fast the rest follows, and the
same server read by IMAPClient alone, in the same run."""

from __future__ import annotations

import ssl
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.bench.registry import Row, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on, letters, run_apart, stored_messages, warm_up

if TYPE_CHECKING:
    from accounts.models import MailAccount
    from tests.support.dovecot import Dovecot

MESSAGES = 100_000
COMPARED = 10_000  # messages that IMAPClient reads; its speed does not depend on how many follow
WINDOW = 500
NEWEST = 200
PATIENCE = 60.0


@bench("sync-large", "msg/s", 5000, better="higher")
def sync_large(servers: Servers) -> list[Row]:
    """First with all processes as they run for real, until the newest 200 are listed; then one worker on one core."""
    servers.django()
    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(MESSAGES), flags="S")
    warm_up(dovecot, "reader")
    account = account_on(dovecot, address)
    before = _imapclient_speed(dovecot, address)
    seconds, cpu, memory = run_apart(account.pk)
    after = _imapclient_speed(dovecot, address)
    if (stored := stored_messages(account.pk)) != MESSAGES:
        raise RuntimeError(f"{stored} messages are here.")
    account.user.delete()
    shown = _seconds_until_listed(servers, account_on(dovecot, address))
    speed, other = stored / seconds, (before + after) / 2
    return [
        Row("sync-large", speed, "msg/s", 5000, "higher"),
        Row("sync-large per second of the worker's CPU", stored / cpu, "msg/s"),
        Row("sync-large beside IMAPClient", speed / other, "ratio", 5, "higher"),
        Row("sync-large IMAPClient alone", other, "msg/s"),
        Row("sync-large peak memory", memory, "MB", 200),
        Row("sync-large newest 200 listed", shown, "s", 1.5),
    ]


def _imapclient_speed(dovecot: Dovecot, address: str) -> float:
    """Messages a second that IMAPClient fetches with ENVELOPE and BODYSTRUCTURE, in windows, kept by nobody."""
    from imapclient import IMAPClient

    from tests.support.dovecot import PASSWORD

    context = ssl.create_default_context(cadata=dovecot.tls.ca_pem)
    with IMAPClient("localhost", dovecot.ports.imaps, ssl=True, ssl_context=context) as client:
        client.login(address, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        uids = client.search()[-COMPARED:]
        begin = time.perf_counter()
        for start in range(0, len(uids), WINDOW):
            client.fetch(uids[start : start + WINDOW], ["ENVELOPE", "BODYSTRUCTURE"])
        return len(uids) / (time.perf_counter() - begin)


def _seconds_until_listed(servers: Servers, account: MailAccount) -> float:
    """From the moment the account is due until its newest 200 messages stand in the inbox's list."""
    from django.utils import timezone

    from accounts.models import MailAccount
    from webmail.jobs import Job, enqueue
    from webmail.models import Mailbox

    MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now() + timedelta(hours=1))
    live = servers.web()
    for name in ("worker-interactive", "worker-sync", "dispatch"):
        live.start(name)
    time.sleep(6.0)  # the workers have come up when nothing is due
    begin = time.perf_counter()
    MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
    enqueue(Job.SYNC_ACCOUNT, account.pk)
    while time.perf_counter() - begin < PATIENCE:
        if Mailbox.objects.filter(account=account.pk, role=Mailbox.Role.INBOX, total__gte=NEWEST).exists():
            return time.perf_counter() - begin
        time.sleep(0.01)
    raise RuntimeError("The newest messages never came.")
