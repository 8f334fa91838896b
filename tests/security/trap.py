"""A mail server that wants a password and does not deserve it; it keeps every octet it was sent, in clear or in TLS."""

from __future__ import annotations

import base64
import contextlib
import datetime
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

GREETINGS = {"imap": b"* OK ready\r\n", "pop3": b"+OK ready\r\n", "smtp": b"220 trap.test ready\r\n"}
PREAUTH = b"* PREAUTH welcome back\r\n"


@dataclass
class Trap:
    """`offers` STARTTLS or not, `grants` it or not; `context` is what it shows once TLS begins."""

    protocol: str
    context: ssl.SSLContext | None
    at_once: bool = False
    offers: bool = True
    grants: bool = True
    greeting: bytes = b""
    address: str = "127.0.0.1"
    clear: bytearray = field(default_factory=bytearray)
    sealed: bytearray = field(default_factory=bytearray)
    echoes: bool = False  # its refusal repeats what it was told, decoded where it can
    handshakes: int = 0
    _waits: bytes | None = None  # the tag of a command whose credential is to come

    def __enter__(self) -> Trap:
        self._listener = socket.create_server((self.address, 0))
        self._listener.settimeout(30)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), sock:
                sock.settimeout(10)
                self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        heard = self.clear
        if self.at_once and self.context is not None:
            sock, heard = self._secure(sock), self.sealed
        sock.sendall(self.greeting or GREETINGS[self.protocol])
        rest = b""
        while data := sock.recv(4096):
            heard += data
            rest += data
            while b"\n" in rest:
                line, _, rest = rest.partition(b"\n")
                answer, secure = self._answer(line.rstrip(b"\r"), inside=heard is self.sealed)
                sock.sendall(answer)
                if secure:
                    sock, heard = self._secure(sock), self.sealed

    def _secure(self, sock: socket.socket) -> socket.socket:
        assert self.context is not None
        secured = self.context.wrap_socket(sock, server_side=True)
        self.handshakes += 1
        return secured

    def _answer(self, line: bytes, *, inside: bool) -> tuple[bytes, bool]:
        """What a server says that takes down any password; and whether TLS begins after it."""
        if self._waits is not None:
            tag, self._waits = self._waits, None
            return self._said(tag, False, line), False
        tag, _, command = line.partition(b" ") if self.protocol == "imap" else (b"", b"", line)
        word = command.partition(b" ")[0].upper()
        offer = self.offers and not inside
        if word in (b"STARTTLS", b"STLS"):
            return self._said(tag, self.grants and offer), self.grants and offer
        if word == b"CAPABILITY":
            extra = b" STARTTLS" if offer else b""
            return b"* CAPABILITY IMAP4rev1 AUTH=PLAIN%s\r\n%s OK done\r\n" % (extra, tag), False
        if word == b"CAPA":
            return b"+OK\r\nUSER\r\nSASL PLAIN\r\n%s.\r\n" % (b"STLS\r\n" if offer else b""), False
        if word == b"EHLO":
            return b"250-trap.test\r\n%s250 AUTH PLAIN LOGIN\r\n" % (b"250-STARTTLS\r\n" if offer else b""), False
        if word in (b"AUTH", b"AUTHENTICATE") and len(command.split()) == 2:
            self._waits = tag
            return (b"334 \r\n" if self.protocol == "smtp" else b"+ \r\n"), False
        return self._said(tag, False, command), False

    def _said(self, tag: bytes, yes: bool, heard: bytes = b"") -> bytes:
        text = b"you said " + heard + b" or " + decoded(heard) if self.echoes else b"no"
        if self.protocol == "imap":
            return tag + (b" OK go\r\n" if yes else b" NO [AUTHENTICATIONFAILED] " + text + b"\r\n")
        if self.protocol == "pop3":
            return b"+OK go\r\n" if yes else b"-ERR [AUTH] " + text + b"\r\n"
        return b"220 go\r\n" if yes else b"535 5.7.8 " + text + b"\r\n"


def decoded(heard: bytes) -> bytes:
    """What stands in the last word as base64, on one line."""
    try:
        return base64.b64decode(heard.split()[-1], validate=True).replace(b"\0", b" ")
    except (ValueError, IndexError):
        return b""


def expired(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A certificate for localhost that signed itself and ran out yesterday, and its PEM to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "expired.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "expired.pem")
    return context, pem.decode()
