"""A mail server that thousands of IDLE connections can be held against: `python -m tests.bench.idle_server CERT KEY`.

Prints its port. Everybody is let in, INBOX is empty, and every connection in IDLE hears "Still here" each two minutes,
as from Dovecot.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

SELECTED = (
    b"* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS ()] no\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n"
    b"* OK [UIDNEXT 1] ok\r\n%b OK [READ-ONLY] opened\r\n"
)
CAPABILITY = b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR UNSELECT\r\n%b OK done\r\n"
STILL_HERE_SECONDS = 120


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    writer.write(b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR UNSELECT] ready\r\n")
    try:
        while line := await reader.readline():
            tag, _, words = line.strip().partition(b" ")
            name = words.split(b" ", 1)[0].upper()
            if name == b"IDLE":
                await idle(reader, writer, tag)
            elif name == b"CAPABILITY":
                writer.write(CAPABILITY % tag)
            elif name in (b"SELECT", b"EXAMINE"):
                writer.write(SELECTED % tag)
            elif name == b"AUTHENTICATE" and words.count(b" ") == 1:
                writer.write(b"+ \r\n")
                await reader.readline()
                writer.write(tag + b" OK done\r\n")
            else:
                writer.write(tag + b" OK done\r\n")
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tag: bytes) -> None:
    """Until the client says DONE."""
    writer.write(b"+ idling\r\n")
    while True:
        await writer.drain()
        try:
            await asyncio.wait_for(reader.readline(), STILL_HERE_SECONDS)
        except TimeoutError:
            writer.write(b"* OK Still here\r\n")
            continue
        writer.write(tag + b" OK done\r\n")
        return


async def main(certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
