"""New mail, from its delivery on the server to its row in an open page, with all processes as they run for real."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench.registry import Row, Times, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on, letters
from tests.bench.weight import visitor

if TYPE_CHECKING:
    from accounts.models import MailAccount
    from webmail.models import Mailbox

HERE_BEFORE = 200
DELIVERIES = 20
PATIENCE = 60.0  # seconds; a row that comes later counts as never


def first_sync(account: MailAccount) -> Mailbox:
    """Waits until the account's inbox is here to its oldest message."""
    from webmail.models import Mailbox

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        inbox = Mailbox.objects.filter(account=account, role=Mailbox.Role.INBOX, total=HERE_BEFORE).first()
        if inbox is not None and inbox.phase == Mailbox.Phase.LIVE:
            return inbox
        time.sleep(0.1)
    account.refresh_from_db()
    raise RuntimeError(f"The first sync did not end; the account is {account.state} {account.error_code}.")


@bench("new-mail", "s", 1)
def new_mail(servers: Servers) -> list[Row]:
    """Twenty messages delivered one after the other by LMTP while Chromium shows the inbox."""
    live = servers.web()
    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(HERE_BEFORE), flags="S")
    for name in ("worker-interactive", "worker-sync", "dispatch", "watch"):
        live.start(name)
    account = account_on(dovecot, address)
    inbox = first_sync(account)
    taken = []
    with visitor(live.url, account.user) as context:
        page = context.new_page()
        page.goto(f"{live.url}/mail/{account.pk}/{inbox.pk}/", wait_until="load")
        page.wait_for_selector("#rows .row")
        page.wait_for_timeout(3000)  # for the watcher to notice that somebody is here
        for number in range(DELIVERIES):
            subject = f"Arrival number {number}."
            letter = f"From: Amara <amara@pier4.example>\r\nTo: {address}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
            row = page.locator("#rows .row", has_text=subject)
            begin = time.perf_counter()
            dovecot.deliver(address, letter.encode())
            row.wait_for(timeout=PATIENCE * 1000)
            taken.append(time.perf_counter() - begin)
            page.wait_for_timeout(500 + 137 * (number % 8))  # not in step with anything's clock
    times = Times(tuple(taken))
    return [Row("new-mail", times.p95, "s", 1), Row("new-mail p50", times.p50, "s")]
