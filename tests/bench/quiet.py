"""A look at an account on whose server nothing has changed: what most passes of a day are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from tests.bench.registry import Row, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on, letters

MAILBOXES = 50
MESSAGES = 200
PASSES = 20


@contextmanager
def counted() -> Iterator[list[int]]:
    """One entry for each command after the login, that is for each round trip."""
    from webmail.protocols.imap_wire.wire import Wire

    run, seen = Wire.run, list[int]()

    def counting(self: Wire, *arguments: Any, **more: Any) -> Any:
        if arguments[0] not in (b"ID", b"ENABLE"):
            seen.append(1)
        return run(self, *arguments, **more)

    Wire.run = counting  # type: ignore[method-assign]  # for the length of the measurement
    try:
        yield seen
    finally:
        Wire.run = run  # type: ignore[method-assign]  # as it was


@bench("no_change_pass", "round trips", 3)
def no_change_pass(servers: Servers) -> list[Row]:
    """Passes over fifty mailboxes on a server with CONDSTORE and LIST-STATUS, the login and its TLS included."""
    servers.django()
    from django.utils import timezone

    from webmail.models import Mailbox
    from webmail.sync.account import sync_account

    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(MESSAGES), flags="S")
    dovecot.doveadm("mailbox", "create", "-s", "-u", "reader", *[f"Folder {n}" for n in range(MAILBOXES - 6)])
    account = account_on(dovecot, address)
    for _ in range(3):
        sync_account(account.pk, older=True)
    if Mailbox.objects.filter(account=account, phase=Mailbox.Phase.LIVE).count() != MAILBOXES:
        raise RuntimeError("The first sync did not end.")
    Mailbox.objects.update(last_sync_at=timezone.now() - timedelta(hours=1))
    with counted() as commands:
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(PASSES):
            sync_account(account.pk)
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
    return [
        Row("no_change_pass", len(commands) / PASSES, "round trips", 3),
        Row("no_change_pass CPU", 1000 * used / PASSES, "ms", 50),
        Row("no_change_pass whole", 1000 * seconds / PASSES, "ms"),
    ]
