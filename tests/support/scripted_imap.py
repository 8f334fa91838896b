"""An IMAP server that answers by a script, for behaviour that no real server shows.

It lets everybody in and has one empty INBOX; what a test adds comes first:

    server.answer(rb"UID SEARCH", b"* SEARCH 1 2 3\r\n%T OK done\r\n")
    server.answer(rb"SELECT", lambda heard: endless())

An answer is bytes, an iterable of bytes that is sent piece by piece, or a function of what was heard that gives one
of these; ``%T`` in bytes stands for the command's tag, and an answer of None hangs up. The latest that matches acts.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from deploy.demo.tls import DemoCertificate
from tests.support.scripted import PATIENCE, Client
from webmail.protocols.net import Endpoint

OK = b"%T OK done\r\n"
GREETING = b"* OK ready\r\n"
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN ENABLE UNSELECT UIDPLUS"
COUNTERS = b"(MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1 UNSEEN 0)"
SELECTED = (
    b"* 0 EXISTS\r\n* FLAGS (\\Seen \\Deleted)\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 1] ok\r\n%T OK selected\r\n"
)
_LITERAL = re.compile(rb"\{(\d{1,9})(\+?)\}\Z")
_LOGIN = re.compile(rb"\S+ (?:LOGIN|AUTHENTICATE)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heard:
    """One command: its tag, all of its bytes (literals in place, no final CRLF), and the match of its pattern."""

    tag: bytes
    line: bytes
    match: re.Match[bytes]
    client: Client


Pieces: TypeAlias = bytes | Iterable[bytes] | None
Answer: TypeAlias = Pieces | Callable[[Heard], Pieces]


class ScriptedImap:
    """The server. ``commands`` are the lines heard over all connections, without tags; ``logins`` how many tried."""

    def __init__(self, certificate: DemoCertificate, *, greeting: bytes = GREETING) -> None:
        self.certificate = certificate
        self.greeting = greeting
        self.commands: list[bytes] = []
        self.connections = self.logins = 0
        self._answers: list[tuple[re.Pattern[bytes], Answer]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[Client] = []
        self.endpoint = Endpoint(
            "localhost", self._listener.getsockname()[1], "tls", allow_private=True, ca_pem=certificate.ca_pem
        )
        self.offer(CAPABILITIES)
        for pattern, answer in (
            (rb"(NOOP|UNSELECT|CLOSE|ID|ENABLE|SUBSCRIBE)\b", OK),
            (rb"AUTHENTICATE \S+$", _challenge),
            (rb"LOGIN ", OK),
            (rb"NAMESPACE", b'* NAMESPACE (("" "/")) NIL NIL\r\n' + OK),
            (rb"(LIST|LSUB)\b", b'* LIST () "/" INBOX\r\n' + OK),
            (rb"(SELECT|EXAMINE) ", SELECTED),
            (rb"UID SEARCH", b"* SEARCH\r\n" + OK),
            (rb"(UID )?FETCH", OK),
            (rb"STATUS (\S+)", lambda heard: b"* STATUS %b %b\r\n" % (heard.match[1], COUNTERS) + OK),
            (rb"LOGOUT", b"* BYE\r\n" + OK),
        ):
            self.answer(rb"\A" + pattern, answer)
        threading.Thread(target=self._accept, daemon=True).start()

    def answer(self, pattern: bytes, answer: Answer) -> None:
        """What a command is answered in which the pattern is found (its tag left off)."""
        self._answers.insert(0, (re.compile(pattern, re.IGNORECASE | re.DOTALL), answer))

    def offer(self, capabilities: bytes) -> None:
        """Advertise these."""
        self.answer(rb"\ACAPABILITY", b"* CAPABILITY %b\r\n" % capabilities + OK)

    def said(self, pattern: bytes) -> list[bytes]:
        """The commands in which the pattern is found, in order."""
        return [line for line in self.commands if re.search(pattern, line)]

    def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        self._listener.close()
        for client in list(self._open):
            _shut(client)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self.connections += 1
            client = Client(sock, self.certificate, [])
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: Client) -> None:
        try:
            client.tls()
            client.raw(self.greeting)
            while line := self._command(client):
                if not self._reply(client, line):
                    break
        except OSError:
            pass
        finally:
            client.sock.close()
            self._open.remove(client)

    def _command(self, client: Client) -> bytes:
        """A command whole, its literals asked for."""
        whole = line = client.line()
        while found := _LITERAL.search(line):
            if not found[2]:
                client.say(b"+ go on")
            whole += b"\r\n" + client.exactly(int(found[1]))
            line = client.line()
            whole += line
        return whole

    def _reply(self, client: Client, line: bytes) -> bool:
        tag, _, words = line.partition(b" ")
        self.logins += bool(_LOGIN.match(line))
        self.commands.append(words)
        for pattern, answer in list(self._answers):
            if match := pattern.search(words):
                pieces = answer(Heard(tag, line, match, client)) if callable(answer) else answer
                if pieces is None:
                    return False
                for piece in (pieces,) if isinstance(pieces, bytes) else pieces:
                    client.raw(piece.replace(b"%T", tag))
                return True
        client.raw(tag + b" BAD unknown command\r\n")
        return True


def _challenge(heard: Heard) -> bytes:
    heard.client.say(b"+ ")
    heard.client.line()
    return OK


def _shut(client: Client) -> None:
    try:
        socket.socket.shutdown(client.sock, socket.SHUT_RDWR)
    except OSError:
        pass


@contextmanager
def scripted_imap(certificate: DemoCertificate, *, greeting: bytes = GREETING) -> Iterator[ScriptedImap]:
    """The server for as long as the block lasts."""
    server = ScriptedImap(certificate, greeting=greeting)
    try:
        yield server
    finally:
        server.stop()
