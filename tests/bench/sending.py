"""From Send to the server that takes the message: how long the page waits, and how long the message."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from tests.bench.letters import Writer
from tests.bench.outgoing import Composer, letter, submits_to, until
from tests.bench.registry import Row, Times, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on

if TYPE_CHECKING:
    from tests.support.dovecot import Dovecot

MB = 10**6
SENT = 40


@bench("send-free", "ms", 150)
def send_free(servers: Servers) -> list[Row]:
    """Send pressed with five files of 5 MB that are here already, without and with a blind copy in turn: the time
    until the page has its answer and the message is frozen."""
    from tests.bench.data import folders, somebody

    live = servers.web()
    _, account = somebody()
    folders(account)
    composer = Composer.of(live.url, account)
    files = [random.Random(number).randbytes(5 * MB) for number in range(5)]
    taken: dict[str, list[float]] = {"": [], "hidden@pier4.example": []}
    for number in range(2 * SENT + 4):
        bcc = list(taken)[number % 2]
        fields = {"to": "Amara <amara@pier4.example>", "bcc": bcc, "subject": "Proofs", "html": "<p>Here they are</p>"}
        composer.save(**fields)
        for index, octets in enumerate(files):
            composer.attach(f"proof-{index}.tif", len(octets), lambda octets=octets: [octets])  # type: ignore[misc]  # a default is not inferred
        _, seconds = composer.send(**fields)
        if number >= 4:
            taken[bcc].append(seconds)
    plain, hidden = (Times(tuple(seconds)) for seconds in taken.values())
    return [
        Row("send-free", plain.p95 * 1000, "ms", 150),
        Row("send-free p50", plain.p50 * 1000, "ms"),
        Row("send-free with a blind copy", hidden.p95 * 1000, "ms", 150),
        Row("send-free with a blind copy p50", hidden.p50 * 1000, "ms"),
    ]


@bench("send-accepted", "s", 1)
def send_accepted(servers: Servers) -> list[Row]:
    """Messages of 10 KB without Undo, through web server, queue and worker, until Postfix has taken them (STARTTLS,
    AUTH against Dovecot) and delivers them by LMTP; counted from the row's making to the reply that is noted in it."""
    live = servers.web()
    from webmail.models import Outgoing

    dovecot = servers.dovecot()
    postfix = servers.postfix(dovecot)
    account = account_on(dovecot, dovecot.add_user("writer"))
    reader = dovecot.add_user("reader")
    submits_to(account, postfix.port, postfix.tls.ca_pem, security="starttls")
    for name in ("worker-interactive", "worker-sync", "dispatch", "watch"):
        live.start(name)
    composer = Composer.of(live.url, account)
    writer = Writer(5)
    sent = []
    for number in range(SENT + 3):
        pk, _ = composer.send(to=reader, subject=f"Proof {number}", html=letter(writer, 10_000))
        done = Outgoing.objects.filter(pk=pk, state=Outgoing.State.SENT)
        until(done.exists, what=f"Sending {pk}")
        sent.append(pk)
        time.sleep(0.2 + 0.037 * (number % 8))  # not in step with anything's clock
    rows = Outgoing.objects.filter(pk__in=sent[3:]).values_list("created_at", "sent_at")
    times = Times(tuple((at - begun).total_seconds() for begun, at in rows if at is not None))
    until(lambda: _delivered(dovecot, reader) == len(sent), what="The delivery of all")
    return [
        Row("send-accepted", times.p95, "s", 1),
        Row("send-accepted p50", times.p50, "s"),
    ]


def _delivered(dovecot: Dovecot, reader: str) -> int:
    found = dovecot.doveadm("mailbox", "status", "-u", reader, "messages", "INBOX")
    return int(found.rpartition("=")[2])
