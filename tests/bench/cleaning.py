"""What one message costs before anybody sees it: taken apart, cleaned, and what the worst of them cost."""

from __future__ import annotations

import statistics
import time

from tests.bench.mailbag import Mailbag
from tests.bench.registry import Row, Times, bench
from tests.bench.servers import Servers
from tests.support.bombs import costs
from tests.support.worst_texts import worst

SIZE = 200_000
NEWSLETTERS = 40
MESSAGES = 1_500


@bench("sanitize-200k", "ms", 45)
def sanitize_200k(servers: Servers) -> list[Row]:
    """Forty different newsletters of 200 KB, each cleaned once: nothing is remembered from one to the next."""
    from webmail.render import css
    from webmail.render.html import sanitize
    from webmail.render.values import Policy

    bag, policy = Mailbag(5), Policy(cid_url=lambda cid: None)
    sheets = [bag.newsletter(SIZE) for _ in range(NEWSLETTERS + 3)]
    for sheet in sheets[:3]:
        sanitize(sheet, policy=policy)
    wall, cpu = [], []
    for sheet in sheets[3:]:
        css.forget()
        begin, worked = time.perf_counter(), time.process_time()
        cleaned = sanitize(sheet, policy=policy)
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - worked)
        if cleaned.problem or len(cleaned.html) < SIZE // 3 or not cleaned.stylesheet:
            raise RuntimeError("The newsletter did not come through.")
    times, work = Times(tuple(wall)), Times(tuple(cpu))
    return [
        Row("sanitize-200k", times.p50 * 1000, "ms", 45),
        Row("sanitize-200k p95", times.p95 * 1000, "ms"),
        Row("sanitize-200k CPU", work.p50 * 1000, "ms"),
    ]


@bench("bombs", "s", 2)
def bombs(servers: Servers) -> list[Row]:
    """The hungriest of the bombs, by CPU time and by memory, each read in a process of its own (S49)."""
    servers.django()
    found = costs()
    slowest = max(found, key=lambda name: found[name].seconds)
    largest = max(found, key=lambda name: found[name].megabytes)
    return [
        Row(f"bombs: {slowest}", found[slowest].seconds, "s", 2),
        Row(f"bombs: {largest}", found[largest].megabytes, "MB", 256),
        Row("bombs", len(found), "messages"),
    ]


@bench("patterns", "ms", 250)
def patterns(servers: Servers) -> list[Row]:
    """The slowest function that reads a sender's text by patterns, over texts of 100 KB made to hold it up (S51)."""
    found = worst()
    slowest = max(found, key=lambda name: found[name][0])
    return [Row(f"patterns: {slowest}", found[slowest][0] * 1000, "ms", 250), Row("patterns", len(found), "functions")]


@bench("parse", "msg/s", 1_500, better="higher")
def parse(servers: Servers) -> list[Row]:
    """Whole messages of 8 KB (the median) on one core: headers, parts, every text decoded, every file decoded."""
    from webmail.mime.parse import content_text, encoded_bytes, parse_message, part_bytes
    from webmail.mime.structure import choose_body

    bag = Mailbag(3)
    mail = [bag.message() for _ in range(MESSAGES)]

    def read(raw: bytes) -> int:
        choice = choose_body(parse_message(raw).root)
        texts = [part for part in (choice.text, choice.html, *choice.more) if part is not None]
        length = sum(len(content_text(encoded_bytes(raw, part), part)) for part in texts)
        return length + sum(len(part_bytes(raw, part)) for part in (*choice.attachments, *choice.inline.values()))

    for raw in mail[:50]:
        read(raw)
    begin, worked = time.perf_counter(), time.process_time()
    if min(map(read, mail)) == 0:
        raise RuntimeError("A message came out empty.")
    wall, cpu = time.perf_counter() - begin, time.process_time() - worked
    return [
        Row("parse", len(mail) / wall, "msg/s", 1_500, "higher"),
        Row("parse CPU", len(mail) / cpu, "msg/s"),
        Row("parse median size", statistics.median(map(len, mail)) / 1000, "KB"),
        Row("parse mean size", statistics.mean(map(len, mail)) / 1000, "KB"),
    ]
