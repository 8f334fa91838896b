"""Opening a message that has never been fetched: from the click to its page with the text, the server asked between."""

from __future__ import annotations

import http.client
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.bench.arriving import HERE_BEFORE, first_sync
from tests.bench.edge import Edge, signed_in
from tests.bench.registry import Row, Times, bench
from tests.bench.servers import Servers
from tests.bench.syncing import account_on, letters

if TYPE_CHECKING:
    from webmail.models import Mailbox

OPENED = 40
PATIENCE = 20.0


class Ear:
    """The event stream of an open page; ``heard`` is set by each event about a message."""

    def __init__(self, edge: Edge) -> None:
        self.heard = threading.Event()
        parts = urlsplit(edge.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._connection.request("GET", "/live/", headers={"Cookie": edge.cookie, "Accept": "text/event-stream"})
        self._stream = self._connection.getresponse()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while line := self._stream.readline():
            if line.startswith((b"event: message", b"event: mailbox", b"event: thread")):
                self.heard.set()


@bench("open-uncached", "ms", 150)
def open_uncached(servers: Servers) -> list[Row]:
    """Conversations whose text is not here, one after the other, over a connection to the mail server that is warm."""
    live = servers.web()
    dovecot = servers.dovecot()
    address = dovecot.add_user("reader")
    dovecot.load_maildir(address, letters(HERE_BEFORE), flags="S")
    for name in ("worker-interactive", "worker-sync", "dispatch"):
        live.start(name)
    account = account_on(dovecot, address)
    inbox = first_sync(account)
    time.sleep(5.0)  # the newest are fetched ahead meanwhile
    edge = signed_in(live.url, account.user)
    ear = Ear(edge)
    taken = [_open(edge, ear, inbox, thread) for thread in _not_here(inbox)[: OPENED + 3]][3:]
    times = Times(tuple(taken))
    return [Row("open-uncached", times.p95 * 1000, "ms", 150), Row("open-uncached p50", times.p50 * 1000, "ms")]


def _not_here(inbox: Mailbox) -> list[int]:
    """Conversations of which nothing has been fetched."""
    from webmail.models import MailboxThread, MessageBody

    here = MessageBody.objects.filter(account=inbox.account_id).values("message__thread")
    lines = MailboxThread.objects.filter(mailbox=inbox).exclude(thread__in=here).order_by("-newest_at")
    found = list(lines.values_list("thread", flat=True))
    if len(found) < OPENED + 3:
        raise RuntimeError(f"Only {len(found)} conversations are left that nobody has fetched.")
    return found


def _open(edge: Edge, ear: Ear, inbox: Mailbox, thread: int) -> float:
    url = f"/mail/{inbox.account_id}/{inbox.pk}/{thread}/"
    headers = {"HX-Request": "true", "HX-Target": "reading", "Accept-Encoding": "identity"}
    begin = time.perf_counter()
    while time.perf_counter() - begin < PATIENCE:
        ear.heard.clear()
        page = edge.get(url, **headers)
        if b"mail-frame" in page and b"skeleton" not in page:
            return time.perf_counter() - begin
        ear.heard.wait(3.0)
    raise RuntimeError(f"The message in {url} never came.")
