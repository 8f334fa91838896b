"""A server that plays a script on loopback: bytes out, lines in, and a record of what the client said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.demo.tls import DemoCertificate, server_context
from deploy.embedded.ports import free_port
from webmail.protocols.net import Credential, Endpoint, Secret, Security

PATIENCE = 20.0
PASSWORD = "s3cret-paß"
CREDENTIAL = Credential("anna@example.org", Secret(PASSWORD))
TOKEN = Credential("anna@example.org", Secret("ya29.token"), "oauth")


@dataclass(slots=True)
class Client:
    """The server's side of one connection."""

    sock: socket.socket
    certificate: DemoCertificate
    heard: list[bytes] = field(default_factory=list)
    rest: bytes = b""

    def say(self, *lines: bytes) -> None:
        """Send lines, each with its CRLF, in one piece."""
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """The client's next line; b"" when it hung up."""
        while b"\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        self.heard.append(line.removesuffix(b"\r"))
        return self.heard[-1]

    def expect(self, start: bytes, *answer: bytes) -> bytes:
        """The client's next line, which begins so; then answer."""
        line = self.line()
        assert line.startswith(start), f"expected {start!r}, heard {line!r}"
        if answer:
            self.say(*answer)
        return line

    def exactly(self, size: int) -> bytes:
        """So many bytes; fewer when the client hung up."""
        while len(self.rest) < size:
            data = self.sock.recv(65536)
            if not data:
                break
            self.rest += data
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def until(self, end: bytes) -> bytes:
        """All bytes up to and with `end`, or up to where the client hung up."""
        while end not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                taken, self.rest = self.rest, b""
                return taken
            self.rest += data
        cut = self.rest.index(end) + len(end)
        taken, self.rest = self.rest[:cut], self.rest[cut:]
        return taken

    def hung_up(self) -> bool:
        """Wait until the client has closed without a further word."""
        try:
            return not self.rest and not self.sock.recv(1)
        except ConnectionError:
            return True

    def tls(self) -> None:
        context = server_context(self.certificate.cert, self.certificate.key)
        self.sock = context.wrap_socket(self.sock, server_side=True)


Script = Callable[[Client], object]


@dataclass(slots=True)
class Server:
    """`heard` are the lines of all connections in order."""

    endpoint: Endpoint
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextmanager
def scripted(certificate: DemoCertificate, *scripts: Script, security: Security = "tls") -> Iterator[Server]:
    """Play one script per connection, in order; what a script asserts is raised here at the end."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    listener.settimeout(PATIENCE)
    port = listener.getsockname()[1]
    server = Server(Endpoint("localhost", port, security, allow_private=True, ca_pem=certificate.ca_pem))
    failures: list[BaseException] = []

    def play() -> None:
        for script in scripts:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            client = Client(sock, certificate, server.heard)
            server.connections += 1
            try:
                if security == "tls":
                    client.tls()
                script(client)
            except OSError:
                pass  # a client that hangs up is for the test to judge
            except BaseException as failure:
                failures.append(failure)
            finally:
                client.sock.close()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()  # with no script nobody is answered: for clients that must not come
    try:
        yield server
    finally:
        thread.join(PATIENCE)
        listener.close()
    if failures:
        raise failures[0]
