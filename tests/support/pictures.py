"""Web servers on loopback for pictures in mail: they note every request and answer what they were told to."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[["_Handler"], None]


@dataclass(slots=True)
class PictureServer:
    """`answers` by path; `asked` holds the header fields of each request that came, with its path as "path"."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)  # set: those who wait go on

    @property
    def paths(self) -> list[str]:
        return [one["path"] for one in self.asked]

    def serve(self, path: str, data: bytes, content_type: str = "image/png", **fields: str) -> None:
        def answer(handler: _Handler) -> None:
            handler.send_response(200)
            for name, value in {"Content-Type": content_type, "Content-Length": str(len(data)), **fields}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(data)

        self.answers[path] = answer

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        def answer(handler: _Handler) -> None:
            handler.send_response(status)
            handler.send_header("Location", to)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        self.answers[path] = answer

    def hold(self, path: str) -> None:
        """Say nothing until `held` is set."""

        def answer(handler: _Handler) -> None:
            self.held.wait(30)

        self.answers[path] = answer

    def raw(self, path: str, *pieces: bytes, endless: bytes = b"") -> None:
        """The octets themselves; `endless` is repeated until nobody listens."""

        def answer(handler: _Handler) -> None:
            try:
                for piece in pieces:
                    handler.wfile.write(piece)
                while endless and not self.held.wait(0.02):
                    handler.wfile.write(endless)
            except OSError:
                pass

        self.answers[path] = answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    noted: PictureServer

    def do_GET(self) -> None:
        self.noted.asked.append({"path": self.path, "method": self.command, **dict(self.headers.items())})
        self.close_connection = True
        answer = self.noted.answers.get(self.path)
        if answer is None:
            self.send_error(404)
        else:
            answer(self)

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what tests are about."""


@contextmanager
def picture_server(port: int = 0) -> Iterator[PictureServer]:
    """A server on a free port of 127.0.0.1, or on the one given."""
    noted = PictureServer()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"noted": noted}))
    noted.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield noted
    finally:
        noted.held.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def pictures() -> Iterator[PictureServer]:
    """The web server that the run's settings send names below .test to, in every process."""
    with picture_server(int(os.environ["MAILROOM_TEST_IMAGE_PORT"])) as server:
        yield server


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every address a socket was opened to; those beyond this machine are refused."""
    tried: list[tuple[str, int]] = []
    real = socket.create_connection

    def note(address: tuple[str, int], timeout: float = 5.0) -> socket.socket:
        tried.append(address)
        if address[0] != "127.0.0.1":
            raise OSError("nothing leaves this machine")
        return real(address, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", note)
    return tried
