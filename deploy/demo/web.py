"""Pictures of the demo's newsletters, over plain HTTP on loopback: their names end in .example, which nobody owns, so
Mailroom is told to look for them here. Whoever asks to leave one is told that it is done. Nothing else is served.
"""

import asyncio
import re

from deploy.demo.content.pictures import picture

_REQUEST = re.compile(rb"GET /(\d{1,6})/(header|item-\d{1,2})\.png HTTP/1\.[01]\r\n")
_LEAVING = re.compile(rb"POST /leave/[0-9a-zA-Z]{1,80} HTTP/1\.[01]\r\n")
_HOST = re.compile(rb"\r\nhost: *([a-z0-9.-]{1,80})\r\n", re.IGNORECASE)
_SIZES = {"header": (1200, 440), "item": (256, 256)}
PATIENCE = 10.0


async def serve_pictures(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer (RFC 9112)."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        writer.write(await asyncio.to_thread(_answer, head))
        await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


def _answer(head: bytes) -> bytes:
    if _LEAVING.match(head):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    request, host = _REQUEST.match(head), _HOST.search(head)
    if request is None or host is None:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    number, name = request[1].decode(), request[2].decode()
    width, height = _SIZES[name.partition("-")[0]]
    what = "dusk" if name == "header" else "poster"
    data = picture(f"{what} {host[1].decode()} {number} {name}", width=width, height=height, grain=1)
    fields = f"Content-Type: image/png\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\n" + fields.encode() + data
