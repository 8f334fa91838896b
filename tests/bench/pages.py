"""List pages of an inbox of 100,000 messages: server time at the HTTP edge, and how many queries each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.data import Filled, fill
from tests.bench.edge import Edge, signed_in
from tests.bench.registry import Row, bench, timed
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from tests.support.live import Live

MESSAGES = 100_000
PAGE = 50


def inbox_url(filled: Filled) -> str:
    return f"/mail/{filled.account.pk}/{filled.inbox.pk}/"


def cpu_seconds(live: Live) -> float:
    """CPU that the web server's processes have used so far; a busy machine distorts it less than it does the time."""
    import psutil  # type: ignore[import-untyped]  # has no types

    web = psutil.Process(live.running["web"].child.pid)
    return sum(sum(one.cpu_times()[:2]) for one in (web, *web.children(recursive=True)))


def visit(servers: Servers, messages: int = MESSAGES) -> tuple[Filled, Edge]:
    """An inbox of that size and a signed-in connection that has warmed the server up."""
    servers.django()
    filled = fill(messages, bodies=0)
    edge = signed_in(servers.web().url, filled.user)
    for _ in range(10):
        edge.get(inbox_url(filled))
    return filled, edge


def cursor_of_page(filled: Filled, number: int) -> str:
    """The cursor that a reader who paged that far would hold."""
    from webmail.models import MailboxThread
    from webmail.queries.lists import make_cursor

    lines = MailboxThread.objects.filter(mailbox=filled.inbox).order_by("-newest_at", "-thread_id")
    last = lines[(number - 1) * PAGE - 1]
    return make_cursor(last.newest_at, last.thread_id)


@bench("list-first", "ms", 15)
def list_first(servers: Servers) -> list[Row]:
    """The whole page of the inbox, first fifty conversations."""
    filled, edge = visit(servers)
    before = cpu_seconds(servers.lives[0])
    times = timed(lambda: edge.get(inbox_url(filled)), repeat=200, warm=0)
    cpu = (cpu_seconds(servers.lives[0]) - before) / len(times.seconds)
    return [
        Row("list-first", times.p50 * 1000, "ms", 15),
        Row("list-first p95", times.p95 * 1000, "ms"),
        Row("list-first fastest", min(times.seconds) * 1000, "ms"),
        Row("list-first CPU of the web server", cpu * 1000, "ms"),
        Row("list-first bytes", len(edge.get(inbox_url(filled))) / 1000, "KB"),
    ]


@bench("list-singles", "ratio", 1.1)
def list_singles(servers: Servers) -> list[Row]:
    """The first page of an inbox whose reader wants messages one by one, beside that of conversations, in turn."""
    filled, edge = visit(servers)
    from accounts.models import User

    url = inbox_url(filled)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    cpu: dict[bool, float] = {True: 0.0, False: 0.0}
    for _ in range(4):
        for grouped in (True, False):
            User.objects.filter(pk=filled.user.pk).update(conversations=grouped)
            before = cpu_seconds(servers.lives[0])
            seconds[grouped] += timed(lambda: edge.get(url), repeat=25, warm=2).seconds
            cpu[grouped] += cpu_seconds(servers.lives[0]) - before
    if edge.page(url).count('id="t-m') < PAGE:
        raise RuntimeError("The list does not hold a page of single messages.")
    middle = {grouped: sorted(taken)[len(taken) // 2] for grouped, taken in seconds.items()}
    return [
        Row("list-singles", middle[False] / middle[True], "ratio", 1.1),
        Row("list-singles time", middle[False] * 1000, "ms", 15),
        Row("list-singles CPU beside conversations", cpu[False] / cpu[True], "ratio"),
    ]


@bench("list-page-500", "ratio", 1.3)
def list_page_500(servers: Servers) -> list[Row]:
    """Page 500 beside the first page, measured in turn: deep pages cost what the first one costs."""
    filled, edge = visit(servers)
    url = inbox_url(filled)
    deep_url = f"{url}?after={cursor_of_page(filled, 500)}"
    if edge.page(deep_url).count('class="row') < PAGE:
        raise RuntimeError("Page 500 does not hold a page's rows.")
    first: list[float] = []
    deep: list[float] = []
    for _ in range(4):
        first += timed(lambda: edge.get(url), repeat=25, warm=2).seconds
        deep += timed(lambda: edge.get(deep_url), repeat=25, warm=2).seconds
    middle = [sorted(seconds)[len(seconds) // 2] for seconds in (first, deep)]
    return [
        Row("list-page-500", middle[1] / middle[0], "ratio", 1.3),
        Row("list-page-500 time", middle[1] * 1000, "ms"),
    ]


@bench("list-queries", "queries", 8)
def list_queries(servers: Servers) -> float:
    """Queries of a list page, those for session and person included."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    filled, _ = visit(servers, 2_000)
    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(filled.user)
    client.get(inbox_url(filled))
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(inbox_url(filled))
    if answer.status_code != 200:
        raise RuntimeError(f"The inbox answered {answer.status_code}.")
    return float(len(caught))
