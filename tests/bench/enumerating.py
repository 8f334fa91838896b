"""A mailbox of a million messages counted against the server's list of UIDs: the memory that takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench.registry import Row, bench
from tests.bench.servers import Servers

MESSAGES = 1_000_000
ROOT = Path(__file__).resolve().parent.parent.parent
# every tenth UID is missing, so that neither side is one long range
_PLACEMENTS = """
INSERT INTO webmail_placement (account_id, mailbox_id, gen, uid, message_id, thread_id, received_at, flags,
    server_flags, pending_mask, keywords, server_keywords, pending_keywords, state, problem)
SELECT %(account)s, %(mailbox)s, 1, n + n / 9, %(message)s, %(thread)s, now(), 1, 1, 0, '{}', '{}', '{}', 0, ''
FROM generate_series(1, %(count)s) n
"""


@bench("enumerate-million", "MB", 300)
def enumerate_million(servers: Servers) -> list[Row]:
    """Both lists read and compared by the sync's own functions, in a process of its own."""
    servers.django()
    from django.db import connection

    from tests.bench.data import folders, somebody
    from webmail.models import Message, Thread

    _, account = somebody()
    inbox = folders(account)
    thread = Thread.objects.create(account=account)
    message = Message.objects.create(
        account=account, thread=thread, fingerprint="0" * 32, received_at=account.created_at
    )
    values = {"account": account.pk, "mailbox": inbox.pk, "message": message.pk, "thread": thread.pk}
    with connection.cursor() as cursor:
        cursor.execute(_PLACEMENTS, values | {"count": MESSAGES})
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.enumerate_worker", str(account.pk), str(inbox.pk), str(MESSAGES)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    missing, vanished, seconds, peak = (float(word) for word in done.stdout.split())
    if (missing, vanished) != (1, 1):
        raise RuntimeError(f"{missing:.0f} missing and {vanished:.0f} vanished were found instead of one of each.")
    return [Row("enumerate-million", peak, "MB", 300), Row("enumerate-million time", seconds, "s")]
