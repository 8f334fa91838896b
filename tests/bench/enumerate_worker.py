"""The process that `enumerate-million` measures: `python -m tests.bench.enumerate_worker ACCOUNT MAILBOX COUNT`.

A scripted server lists one UID that is not stored and lacks one that is. Prints how many were found of each, seconds
and peak MB.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.scripted_imap import Heard, scripted_imap


def main(account_id: int, mailbox_id: int, count: int) -> None:
    import django

    django.setup()
    from deploy.demo.tls import ensure_certificate
    from webmail.protocols import imap
    from webmail.protocols.net import Credential, Secret
    from webmail.sync import plan, vanish
    from webmail.sync.placements import Spot

    highest = count + count // 9

    def listed(heard: Heard) -> Iterator[bytes]:
        """As RFC 3501 servers answer: one line, several megabytes long, written in pieces."""
        yield b"* SEARCH"
        for start in range(1, count, 10_000):
            numbers = range(start, min(start + 10_000, count))
            yield b"".join(b" %d" % (n + n // 9) for n in numbers)
        yield b" %d\r\n%%T OK done\r\n" % (highest + 1)

    with tempfile.TemporaryDirectory() as folder, scripted_imap(ensure_certificate(Path(folder))) as server:
        server.answer(rb"\AUID SEARCH", listed)
        begin = time.perf_counter()
        session = imap.connect(server.endpoint, Credential("reader", Secret("secret")))
        session.select(b"INBOX", read_only=True)
        uids = session.search_uids(1, highest + 1)
        found = plan.drift(server=uids, stored=vanish.stored_uids(Spot(account_id, mailbox_id, 1)), low=1)
        seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(len(found.missing), len(found.vanished), seconds, peak)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
