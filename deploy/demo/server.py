"""The demo's mail server: IMAP, POP3 and SMTP with TLS on loopback, one process, one SQLite file.

Run as `python -m deploy.demo.server --state DIR --imap-port N --pop3-port N --smtp-port N [--pictures-port N]
[--cert FILE --key FILE]`; prints `demo mail ready` once all listen and ends on SIGTERM or SIGINT. The pictures of its
newsletters are served beside it (`deploy.demo.web`).
"""

import argparse
import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deploy.demo.imap import mailboxes, messages, signing_in
from deploy.demo.imap.session import Session
from deploy.demo.pop3 import serve_pop3
from deploy.demo.seed import seed
from deploy.demo.smtp import submission_protocol
from deploy.demo.store import Store
from deploy.demo.tls import ensure_certificate, server_context
from deploy.demo.web import serve_pictures

HOST = "127.0.0.1"
READ_BUFFER = 1 << 20
IMAP_HANDLERS = {**signing_in.HANDLERS, **mailboxes.HANDLERS, **messages.HANDLERS}

Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class DemoServer:
    """The three listening faces; port 0 lets the system choose, `ports` tells what it chose."""

    store: Store
    context: ssl.SSLContext
    _servers: list[asyncio.Server] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _locked: set[int] = field(default_factory=set)

    async def start(self, *, imap_port: int, pop3_port: int, smtp_port: int) -> None:
        """Listen; raises OSError when a port is taken."""
        loop = asyncio.get_running_loop()
        for port, serve in ((imap_port, self._serve_imap), (pop3_port, self._serve_pop3)):
            self._servers.append(
                await asyncio.start_server(partial(self._track, serve), HOST, port, ssl=self.context, limit=READ_BUFFER)
            )
        self._servers.append(
            await loop.create_server(lambda: submission_protocol(self.store), HOST, smtp_port, ssl=self.context)
        )

    @property
    def ports(self) -> tuple[int, int, int]:
        """The ports of IMAP, POP3 and SMTP."""
        imap, pop3, smtp = (int(server.sockets[0].getsockname()[1]) for server in self._servers)
        return imap, pop3, smtp

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        for server in self._servers:
            server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _track(self, serve: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._connections.discard(task)

    async def _serve_imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(self.store, reader, writer).run(IMAP_HANDLERS)

    async def _serve_pop3(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_pop3(self.store, self._locked, reader, writer)


def open_store(directory: Path, *, now: datetime | None = None) -> Store:
    """The mail kept in `directory`; a new one is filled with the demo's people and their mail."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(directory / "mail.sqlite3")
    if store.is_empty():
        seed(store, now or datetime.now(UTC))
    return store


async def run(args: argparse.Namespace) -> None:
    if args.cert and args.key:
        context = server_context(args.cert, args.key)
    else:
        made = ensure_certificate(args.state / "tls")
        context = server_context(made.cert, made.key)
    store = open_store(args.state)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = DemoServer(store, context)
    await server.start(imap_port=args.imap_port, pop3_port=args.pop3_port, smtp_port=args.smtp_port)
    web = await asyncio.start_server(serve_pictures, HOST, args.pictures_port) if args.pictures_port else None
    print("demo mail ready", flush=True)
    await ended.wait()
    if web is not None:
        web.close()
    await server.stop()
    store.close()


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy.demo.server", description="The demo's mail server, loopback only.")
    parser.add_argument("--state", type=Path, required=True, help="directory that keeps the mail")
    parser.add_argument("--imap-port", type=int, required=True)
    parser.add_argument("--pop3-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--pictures-port", type=int, default=0, help="where newsletters' pictures are; 0: nowhere")
    parser.add_argument("--cert", type=Path, help="PEM certificate chain; without it one is made under --state")
    parser.add_argument("--key", type=Path, help="PEM key of --cert")
    args = parser.parse_args(argv)
    if bool(args.cert) != bool(args.key):
        parser.error("--cert and --key go together")
    return args


if __name__ == "__main__":
    try:
        asyncio.run(run(parse_arguments()))
    except OSError as error:
        raise SystemExit(f"demo mail could not start: {error}") from error
