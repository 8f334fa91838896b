"""Opening a conversation whose messages are here: its page, and the frame that shows the newest message."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from tests.bench.data import Filled, fill
from tests.bench.edge import signed_in
from tests.bench.letters import Writer
from tests.bench.registry import Row, Times, bench, timed
from tests.bench.servers import Servers
from tests.bench.weight import visitor

if TYPE_CHECKING:
    from webmail.models import MailboxThread

OPENED = 40
_FRAME = re.compile(r'(?:src|data-src)="(/m/[^"]+)"')


def give_bodies(filled: Filled) -> list[MailboxThread]:
    """Bodies for the newest conversations, letters of 2–6 KB and every eighth a newsletter of 150 KB; returns them."""
    from webmail.models import MailboxThread, Message, MessageBody
    from webmail.render.html import SANITIZER_VERSION

    writer = Writer(7)
    lines = list(MailboxThread.objects.filter(mailbox=filled.inbox).order_by("-newest_at", "-thread_id")[:OPENED])
    messages = Message.objects.filter(thread__in=[line.thread_id for line in lines]).order_by("pk")
    MessageBody.objects.bulk_create(
        MessageBody(
            message=message,
            account=filled.account,
            state=MessageBody.State.HERE,
            has_html=True,
            clean_html=_letter(writer, paragraphs=180 if number % 8 == 0 else 5),
            clean_version=SANITIZER_VERSION,
        )
        for number, message in enumerate(messages)
    )
    return lines


def _letter(writer: Writer, *, paragraphs: int) -> str:
    return "".join(f'<p style="margin:0 0 12px">{html.escape(writer.text(40, 160))}</p>' for _ in range(paragraphs))


@bench("open-cached", "ms", 15)
def open_cached(servers: Servers) -> list[Row]:
    """Forty conversations in turn in an inbox of 100,000: the page as a click fetches it, then the frame it names."""
    servers.django()
    filled = fill(bodies=0)
    lines = give_bodies(filled)
    edge = signed_in(servers.web().url, filled.user)
    base = f"/mail/{filled.account.pk}/{filled.inbox.pk}/"
    addresses = [f"{base}{line.thread_id}/" for line in lines]
    frames = [_frame(edge.page(address)) for address in addresses]
    for frame in frames:
        edge.get(frame)
    htmx = {"HX-Request": "true", "HX-Target": "reading"}
    edge.get(addresses[0], **htmx)
    clicks, pages, shown = iter(addresses), iter(addresses), iter(frames)
    click = timed(lambda: edge.get(next(clicks), **htmx), repeat=OPENED, warm=0)
    page = timed(lambda: edge.get(next(pages)), repeat=OPENED, warm=0)
    frame_times = timed(lambda: edge.get(next(shown)), repeat=OPENED, warm=0)
    return [
        Row("open-cached", (click.p50 + frame_times.p50) * 1000, "ms", 15),
        Row("open-cached click", click.p50 * 1000, "ms"),
        Row("open-cached frame", frame_times.p50 * 1000, "ms"),
        Row("open-cached frame p95", frame_times.p95 * 1000, "ms"),
        Row("open-cached whole page", page.p50 * 1000, "ms"),
    ]


def _frame(page: str) -> str:
    found = _FRAME.search(page)
    if found is None:
        raise RuntimeError("The conversation's page names no frame.")
    return html.unescape(found[1])


CLICK = """(id) => { document.querySelector(`#t-${id} .row-link`).click(); return performance.now(); }"""
SHOWN = """(id) => document.querySelector("#reading")?.dataset.thread === String(id)
  && document.querySelector("#reading .fold[open] iframe.mail-frame")?.style.blockSize"""
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"


@bench("open-painted", "ms", 200)
def open_painted(servers: Servers) -> list[Row]:
    """From the click on a line of the list until the message's frame has its height and a frame was drawn."""
    servers.django()
    filled = fill(5_000, bodies=0)
    lines = give_bodies(filled)[:30]
    url = servers.web().url
    taken = []
    with visitor(url, filled.user) as context:
        page = context.new_page()
        page.goto(f"{url}/mail/{filled.account.pk}/{filled.inbox.pk}/", wait_until="load")
        for number, line in enumerate(lines):
            link = page.locator(f"#t-{line.thread_id} .row-link")
            link.scroll_into_view_if_needed()
            begin = page.evaluate(CLICK, line.thread_id)
            page.wait_for_function(SHOWN, arg=line.thread_id, polling=4)
            end = page.evaluate(DRAWN)
            if number >= 3:
                taken.append((end - begin) / 1000)
    times = Times(tuple(taken))
    return [Row("open-painted", times.p95 * 1000, "ms", 200), Row("open-painted p50", times.p50 * 1000, "ms")]
