"""A submission server that takes everything and keeps nothing: `python -m tests.bench.sink CERT KEY`.

It says its port on a line, and when its stdin ends how many messages it took and of how many different Message-IDs. In
a process of its own, so that it takes no turn from whoever is measured.
"""

from __future__ import annotations

import asyncio
import re
import sys

from deploy.demo.tls import server_context

GREETING = b"220 sink.test\r\n"
OFFERS = b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE 209715200\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n"
ANSWERS = {
    b"EHLO": OFFERS,
    b"AUTH": b"235 2.7.0 Welcome\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 End with a dot\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}
END = b"\r\n.\r\n"
HEAD = 16_384  # octets in which a Message-ID is looked for
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)


class Sink(asyncio.Protocol):
    """One session. Content is dropped as it comes, but for what its end and its head are seen by."""

    taken = 0
    seen: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.held = bytearray()
        self.head = bytearray()
        self.content = False
        transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        self.held += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Deals with what is held; whether more of it may be dealt with."""
        if self.content:
            return self._swallow()
        line, mark, rest = self.held.partition(b"\r\n")
        if not mark:
            return False
        self.held = rest
        word = bytes(line[:4]).upper()
        self.transport.write(ANSWERS.get(word, b"500 5.5.2 Unknown command\r\n"))
        if word == b"DATA":
            self.content, self.head, self.held = True, bytearray(), bytearray(b"\r\n") + self.held
        elif word == b"QUIT":
            self.transport.close()
        return bool(self.held)

    def _swallow(self) -> bool:
        end = self.held.find(END)
        cut = end if end >= 0 else max(len(self.held) - len(END) + 1, 0)
        if len(self.head) < HEAD:
            self.head += self.held[: min(cut, HEAD)]
        if end < 0:
            del self.held[:cut]
            return False
        del self.held[: end + len(END)]
        self.content = False
        found = _MESSAGE_ID.search(self.head)
        Sink.taken += 1
        Sink.seen.add(found[1] if found else b"")
        self.transport.write(b"250 2.0.0 Ok: taken\r\n")
        return bool(self.held)


async def serve(cert: str, key: str) -> None:
    """Until stdin ends."""
    from pathlib import Path

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, ssl=server_context(Path(cert), Path(key)))
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(Sink.taken, len(Sink.seen), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
