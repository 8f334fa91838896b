"""Marking 10,000 messages read in one go: what the person waits for, and what it costs the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import urlencode

from tests.bench.edge import Edge, signed_in
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on, letters, run_apart

if TYPE_CHECKING:
    from accounts.models import MailAccount

MESSAGES = 10_000


@bench("mark-read", "ms", 200)
def mark_read(servers: Servers) -> list[Row]:
    """All of an inbox marked read and unread by turns; then a pass sends it, its commands counted."""
    servers.django()
    from webmail.models import Mailbox

    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(MESSAGES))
    account = account_on(dovecot, address)
    run_apart(account.pk)
    inbox = Mailbox.objects.get(account=account, role=Mailbox.Role.INBOX)
    edge = signed_in(servers.web().url, account.user)
    if inbox.unread != MESSAGES:
        raise RuntimeError(f"{inbox.unread} messages are unread here.")
    taken = []
    for kind in ("read", "unread", "read", "unread", "read"):
        taken.append(_act(edge, kind, inbox.pk))
        _finish()
    commands, seconds = _replayed(account)
    unread = int(dovecot.doveadm("mailbox", "status", "-u", "reader", "unseen", "INBOX").rpartition("=")[2])
    if unread:
        raise RuntimeError(f"{unread} are still unread on the server.")
    return [
        Row("mark-read", sorted(taken)[len(taken) // 2] * 1000, "ms", 200),
        Row("mark-read slowest", max(taken) * 1000, "ms"),
        Row("mark-read commands", commands, "commands", 25),
        Row("mark-read until the server has it", seconds, "s"),
    ]


def _finish() -> None:
    """What the worker does after the page has been answered."""
    from webmail.models import BulkJob
    from webmail.services import bulk

    bulk.advance(BulkJob.objects.latest("pk").pk, seconds=60)


def _act(edge: Edge, kind: str, mailbox: int) -> float:
    begin = time.perf_counter()
    fields = {"action": kind, "scope": "all", "mailbox": mailbox}
    edge.post("/actions/", urlencode(fields).encode(), **{"HX-Request": "true"})
    return time.perf_counter() - begin


def _replayed(account: MailAccount) -> tuple[int, float]:
    """Commands of the passes that bring the server up to date, and how long they take."""
    from webmail.models import RemoteOp
    from webmail.protocols.imap_wire.wire import Wire
    from webmail.sync.account import sync_account

    names: list[bytes] = []
    run = Wire.run

    def counted(wire: Wire, *arguments: object, **options: object) -> object:
        names.append(bytes(str(arguments[0]), "ascii"))
        return run(wire, *arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    begin = time.perf_counter()
    with patch.object(Wire, "run", counted):
        for _ in range(30):
            sync_account(account.pk)
            if not RemoteOp.objects.filter(account=account, state__in=["queued", "inflight"]).exists():
                break
    return len(names), time.perf_counter() - begin
