"""How many messages a second leave the outbox by one worker of four threads."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.bench.letters import Writer
from tests.bench.outgoing import letter, sink, submits_to, until
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from accounts.models import MailAccount
    from deploy.embedded.supervisor import Service

MESSAGES = 1_500
WRITERS = 10
FIRST = 100  # until what is loaded late is loaded
THREADS = "4"


@bench("outbox-throughput", "msg/s", 150, better="higher")
def outbox_throughput(servers: Servers) -> list[Row]:
    """Messages of 10 KB by ten people, due at once: the dispatcher finds them, the worker submits them over TLS to a
    server that takes everything. Copies in Sent are jobs of their own and not asked for.
    """
    servers.django()
    live = servers.web()
    live.stop("web")
    live.services["worker-interactive"] = _four_threads(live.services["worker-interactive"])
    with sink() as server:
        accounts = [_writes(number, server.port, server.ca_pem) for number in range(WRITERS)]
        for name in ("worker-interactive", "dispatch"):
            live.start(name)
        _hand_over(accounts, FIRST)
        _send_all(FIRST)
        _hand_over(accounts, MESSAGES)
        before, begin = _cpu(live.running["worker-interactive"].child.pid), time.perf_counter()
        _send_all(FIRST + MESSAGES)
        seconds = time.perf_counter() - begin
        cpu = _cpu(live.running["worker-interactive"].child.pid) - before
    if (server.taken, server.different) != (FIRST + MESSAGES, FIRST + MESSAGES):
        raise RuntimeError(f"{server.taken} were taken, {server.different} of them different.")
    return [
        Row("outbox-throughput", MESSAGES / seconds, "msg/s", 150, "higher"),
        Row("outbox-throughput CPU of the worker", cpu / MESSAGES * 1000, "ms/msg"),
    ]


def _four_threads(service: Service) -> Service:
    argv = [str(word) for word in service.argv]
    argv[argv.index("-c") + 1] = THREADS
    return replace(service, argv=argv)


def _writes(number: int, port: int, ca_pem: str) -> MailAccount:
    from accounts.models import Identity
    from tests.bench.data import somebody

    _, account = somebody(f"writer{number}@harbourlane.example")
    submits_to(account, port, ca_pem)
    Identity.objects.filter(account=account).update(keeps_sent=False)
    return account


def _hand_over(accounts: list[MailAccount], count: int) -> None:
    """So many messages, in turn by each account, that wait."""
    from django.conf import settings
    from django.utils import timezone

    from webmail.services import drafts, outbox

    unlimited = {name: 10**6 for name in settings.MAILROOM if name.endswith("_PER_HOUR")}
    settings.MAILROOM = settings.MAILROOM | unlimited
    writer = Writer(11)
    later = timezone.now() + timedelta(hours=1)
    for number in range(count):
        account = accounts[number % len(accounts)]
        text = letter(writer, 10_000)
        fields = drafts.Fields(account.identities.get(), to=f"Amara <reader{number}@pier4.example>", html=text)
        outbox.submit(drafts.save(account.user, fields)[0], send_after=later)


def _send_all(count: int) -> None:
    """All are due now; returns when so many are sent."""
    from django.utils import timezone

    from webmail.models import Outgoing

    now = timezone.now()
    waiting = Outgoing.objects.filter(state=Outgoing.State.QUEUED)
    waiting.update(send_after=now, due_at=now)
    sent = Outgoing.objects.filter(state=Outgoing.State.SENT)
    until(lambda: sent.count() == count, seconds=300, what="Sending all")


def _cpu(pid: int) -> float:
    """Seconds of CPU that the process has used."""
    import psutil  # type: ignore[import-untyped]  # has no types

    return float(sum(psutil.Process(pid).cpu_times()[:2]))
