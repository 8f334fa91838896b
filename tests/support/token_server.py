"""A token endpoint that answers as a test says: each request takes the next answer, the last one stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from deploy.demo.tls import DemoCertificate, server_context

Answer = tuple[int, object]


def tokens(access: str, *, refresh: str = "", seconds: int = 3600) -> Answer:
    """What a provider gives for a code or a refresh token."""
    found: dict[str, object] = {"access_token": access, "token_type": "Bearer", "expires_in": seconds}
    return 200, found | ({"refresh_token": refresh} if refresh else {})


WITHDRAWN: Answer = (400, {"error": "invalid_grant", "error_description": "Token has been revoked."})
NO_CLIENT: Answer = (401, {"error": "invalid_client"})
OUT_OF_ORDER: Answer = (503, {"error": "temporarily_unavailable"})


class TokenServer:
    """``asked`` holds the forms of all requests; ``answers`` what they get, bytes as they are, else as JSON."""

    def __init__(self, certificate: DemoCertificate) -> None:
        self.answers: list[Answer] = [OUT_OF_ORDER]
        self.asked: list[dict[str, str]] = []
        self.certificate = certificate
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = server_context(certificate.cert, certificate.key).wrap_socket(
            self._server.socket, server_side=True
        )
        self.url = f"https://localhost:{self._server.server_address[1]}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append({name: values[0] for name, values in parse_qs(body).items()})
                status, answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler


@contextmanager
def token_server(certificate: DemoCertificate) -> Iterator[TokenServer]:
    """The endpoint for as long as the block lasts."""
    server = TokenServer(certificate)
    try:
        yield server
    finally:
        server.stop()
