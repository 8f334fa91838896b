"""A WebDAV server that answers as a test says, over TLS on a loopback port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.demo.tls import DemoCertificate, server_context

Answer = tuple[int, Mapping[str, str], bytes | Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    fields: Mapping[str, str]
    body: str


Answers = Callable[[Asked], Answer]


@dataclass
class DavScript:
    """``asked`` holds all requests, ``answers`` makes what they get; a body that is no bytes is sent until it ends."""

    port: int
    answers: Answers
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"


def multistatus(*responses: str, after: str = "") -> Answer:
    body = "".join(f"<response>{one}</response>" for one in responses)
    text = (
        '<?xml version="1.0"?><multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" '
        f'xmlns:S="http://calendarserver.org/ns/">{body}{after}</multistatus>'
    )
    return 207, {"Content-Type": "application/xml"}, text.encode()


def found(href: str, prop: str) -> str:
    return f"<href>{href}</href><propstat><prop>{prop}</prop><status>HTTP/1.1 200 OK</status></propstat>"


def gone(href: str) -> str:
    return f"<href>{href}</href><status>HTTP/1.1 404 Not Found</status>"


@contextmanager
def dav_script(certificate: DemoCertificate, answers: Answers) -> Iterator[DavScript]:
    """The server for as long as the block lasts."""
    made = DavScript(0, answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked = Asked(self.command, self.path, dict(self.headers.items()), body)
            made.asked.append(asked)
            status, fields, data = made.answers(asked)
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            if isinstance(data, bytes):
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                for piece in data:
                    self.wfile.write(piece)
            except OSError:
                pass  # the other side has had enough, which is what was to be seen

        do_GET = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = _answer

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = server_context(certificate.cert, certificate.key).wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
