"""A submission server that keeps every word of each session, delivers by LMTP, and fails when told to."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.demo.tls import DemoCertificate

if TYPE_CHECKING:
    from webmail.protocols.net import Endpoint

EXTENSIONS = ("PIPELINING", "SIZE 36700160", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")
SIZE_LIMIT = 36_700_160


@dataclass(slots=True)
class Session:
    """One connection: `lines` hold what both said in order ("C: …", "S: …"), a message's content left out."""

    lines: list[str] = field(default_factory=list)
    user: str | None = None
    tls: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message the server took: the envelope as it was given and the content, dots undone, CRLF kept."""

    user: str | None
    mail_from: str
    rcpt_tos: tuple[str, ...]
    content: bytes


class Submission:
    """The server. `accepted` and `sessions` grow; `fail` arranges one failure; `users` maps address to password."""

    def __init__(self, tls: DemoCertificate, *, lmtp_socket: Path, domain: str, users: Mapping[str, str]) -> None:
        self.tls = tls
        self.users = users
        self.accepted: list[Accepted] = []
        self.sessions: list[Session] = []
        self.lmtp_socket = lmtp_socket
        self.domain = domain
        self._arranged: dict[str, str | None] = {}
        self._acts: dict[str, Callable[[], object]] = {}
        self._lasting: set[str] = set()
        self._answered: set[str] = set()  # of those, what has come to pass
        self._lock = threading.Lock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(tls.cert, tls.key)
        self._servers = [_Server(("127.0.0.1", 0), _Handler) for _ in range(2)]
        for server, implicit_tls in zip(self._servers, (True, False), strict=True):
            server.submission, server.implicit_tls = self, implicit_tls
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def endpoint(self, security: str = "tls") -> Endpoint:
        """Where the app submits: "tls" speaks TLS at once, "starttls" after STARTTLS."""
        from webmail.protocols.net import Endpoint

        return Endpoint(
            host="localhost",
            port=self.port(security),
            security="tls" if security == "tls" else "starttls",
            allow_private=True,
            ca_pem=self.tls.ca_pem,
        )

    def port(self, security: str = "tls") -> int:
        """The loopback port for that kind of security."""
        return int(self._servers[0 if security == "tls" else 1].server_address[1])

    def fail(self, at: str, answer: str | None, *, lasting: bool = False) -> None:
        """Arrange that the next time `at` comes, `answer` is given; None drops the connection without a word.

        With `lasting` it is given each time until `behave`, as by a server that is asked again over another connection.

        `at` is "CONNECT", a command's first word (MAIL, RCPT, DATA, AUTH …), "RCPT" with an address, "BODY" (within the
        content), "CONTENT" (after the final dot, message refused) or "TAKEN" (the message is taken and delivered, then
        the connection drops or `answer` is given).
        """
        with self._lock:
            self._arranged[at] = answer
            (self._lasting.add if lasting else self._lasting.discard)(at)

    def when(self, at: str, act: Callable[[], object]) -> None:
        """Something else happens the next time a session comes to this point, which then goes on as usual."""
        with self._lock:
            self._acts[at] = act

    def arranged(self, at: str) -> tuple[bool, str | None]:
        """Whether a failure was arranged for this point, and its answer; asking uses it up."""
        with self._lock:
            act = self._acts.pop(at, None)
        if act is not None:
            act()
        with self._lock:
            if at in self._lasting and at in self._arranged:
                self._answered.add(at)
                return True, self._arranged[at]
            return at in self._arranged, self._arranged.pop(at, None)

    def arranges(self, at: str) -> bool:
        """Whether what was arranged for this point has not come to pass yet."""
        with self._lock:
            return (at in self._arranged and at not in self._answered) or at in self._acts

    def behave(self) -> None:
        """Forget what was arranged and has not come to pass, or lasts."""
        with self._lock:
            for one in (self._arranged, self._acts, self._lasting, self._answered):
                one.clear()

    def quiet(self, *, patience: float = 10.0) -> None:
        """Waits until every session is over, also one whose client has died."""
        deadline = time.monotonic() + patience
        while not all(session.over for session in list(self.sessions)):
            assert time.monotonic() < deadline, "a session goes on"
            time.sleep(0.001)

    def take(self, message: Accepted) -> None:
        """Keep the message and hand it to Dovecot for the recipients it has."""
        with self._lock:
            self.accepted.append(message)
        local = [address for address in message.rcpt_tos if address.endswith("@" + self.domain)]
        if local:
            with smtplib.LMTP(str(self.lmtp_socket)) as client:
                for address in local:  # LMTP answers once for each recipient, smtplib reads one answer
                    options = [] if address.isascii() else ["SMTPUTF8"]
                    client.sendmail(message.mail_from, [address], message.content, mail_options=options)

    def reset(self) -> None:
        """Forget messages, sessions and arranged failures."""
        with self._lock:
            self.accepted.clear()
            self.sessions.clear()
        self.behave()

    def stop(self) -> None:
        """Close both ports."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    submission: Submission
    implicit_tls: bool


class _Gone(Exception):
    """The session ends now."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.sink = self.server.submission
        self.session = Session()
        self.sink.sessions.append(self.session)
        self._forget_envelope()
        self.request.settimeout(60)
        with self._until_it_is_over(), contextlib.suppress(_Gone, OSError):
            if self.server.implicit_tls:
                self._secure()
            self.file = self.request.makefile("rb")
            self._obey("CONNECT", "220 submission.test ready")
            while True:
                self._command(self._line())

    @contextlib.contextmanager
    def _until_it_is_over(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.session.over = True

    def _secure(self) -> None:
        self.request = self.sink.context.wrap_socket(self.request, server_side=True)
        self.session.tls = True

    def _forget_envelope(self) -> None:
        self.mail_from: str | None = None
        self.rcpt_tos: list[str] = []

    def _line(self) -> str:
        raw = self.file.readline(4096)
        if not raw.endswith(b"\n"):
            raise _Gone
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def _say(self, *lines: str) -> None:
        self.session.lines += [f"S: {line}" for line in lines]
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _obey(self, at: str, *usual: str) -> bool:
        """Give the arranged answer if there is one, else the usual; True when it was the usual."""
        arranged, answer = self.sink.arranged(at)
        if arranged:
            self._fail(answer)
        else:
            self._say(*usual)
        return not arranged

    def _obey_one_of(self, places: tuple[str, ...], usual: str) -> bool:
        """The same for the first of these places where a failure was arranged."""
        for at in places[:-1]:
            arranged, answer = self.sink.arranged(at)
            if arranged:
                self._fail(answer)
                return False
        return self._obey(places[-1], usual)

    def _fail(self, answer: str | None) -> None:
        if answer is None:
            self.session.lines.append("S: (drops the connection)")
            raise _Gone
        self._say(answer)

    def _command(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        word = word.upper()
        self.session.lines.append(f"C: {'AUTH (credential)' if word == 'AUTH' else line}")
        act = getattr(self, f"_on_{word.lower()}", None)
        if act is None:
            self._say("500 5.5.2 Unknown command")
        elif word in {"MAIL", "RCPT", "DATA"} and self.session.user is None:
            self._say("530 5.7.0 Authentication required")
        else:
            act(rest)

    def _on_ehlo(self, rest: str) -> None:
        offers = [*EXTENSIONS, "AUTH PLAIN LOGIN" if self.session.tls else "STARTTLS"]
        greeting = ["submission.test", *offers]
        self._obey("EHLO", *[f"250{' ' if n == len(greeting) - 1 else '-'}{text}" for n, text in enumerate(greeting)])

    def _on_starttls(self, rest: str) -> None:
        if self._obey("STARTTLS", "220 2.0.0 Go ahead"):
            self._secure()
            self.file = self.request.makefile("rb")

    def _on_auth(self, rest: str) -> None:
        if not self.session.tls:
            self._say("538 5.7.11 Encryption required")
            return
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "PLAIN":
            _, user, password = self._secret(initial or self._ask("")).split("\0")
        else:
            user = self._secret(initial or self._ask("VXNlcm5hbWU6"))
            password = self._secret(self._ask("UGFzc3dvcmQ6"))
        if self.sink.users.get(user) != password:
            self._say("535 5.7.8 Authentication credentials invalid")
        elif self._obey("AUTH", "235 2.7.0 Welcome"):
            self.session.user = user

    def _ask(self, prompt: str) -> str:
        self._say(f"334 {prompt}")
        return self._line()

    @staticmethod
    def _secret(encoded: str) -> str:
        return base64.b64decode(encoded).decode()

    def _on_mail(self, rest: str) -> None:
        address, _, options = rest.partition(">")
        for option in options.split():
            name, _, value = option.partition("=")
            if name.upper() == "SIZE" and int(value) > SIZE_LIMIT:
                self._say("552 5.3.4 Message too big")
                return
        if self._obey("MAIL", "250 2.1.0 Ok"):
            self.mail_from = address.partition("<")[2]

    def _on_rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if self.mail_from is None:
            self._say("503 5.5.1 MAIL first")
        elif address.endswith("@" + self.sink.domain) and address not in self.sink.users:
            self._say("550 5.1.1 No such user here")
        elif self._obey_one_of((f"RCPT {address}", "RCPT"), "250 2.1.5 Ok"):
            self.rcpt_tos.append(address)

    def _on_data(self, rest: str) -> None:
        if not self.rcpt_tos or self.mail_from is None:
            self._say("554 5.5.1 No valid recipients")
            return
        if not self._obey("DATA", "354 End with a dot"):
            return
        if self.sink.arranged("BODY")[0]:
            self.file.readline()
            self._fail(None)
        content = bytearray()
        while (line := self.file.readline()) not in (b".\r\n", b""):
            content += line[1:] if line.startswith(b".") else line
        if not line:
            raise _Gone
        self.session.lines.append(f"C: ({len(content)} octets)")
        arranged, answer = self.sink.arranged("CONTENT")
        if arranged:
            self._fail(answer)
        else:
            self.sink.take(Accepted(self.session.user, self.mail_from, tuple(self.rcpt_tos), bytes(content)))
            self._obey("TAKEN", "250 2.0.0 Ok: queued")
        self._forget_envelope()

    def _on_rset(self, rest: str) -> None:
        self._forget_envelope()
        self._obey("RSET", "250 2.0.0 Ok")

    def _on_noop(self, rest: str) -> None:
        self._say("250 2.0.0 Ok")

    def _on_quit(self, rest: str) -> None:
        self._obey("QUIT", "221 2.0.0 Bye")
        raise _Gone
