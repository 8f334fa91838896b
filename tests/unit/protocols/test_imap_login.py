"""Logging in: what is refused before a credential leaves, how each mechanism speaks, and what failures say.

The last part is the contract with the private names of IMAPClient and imaplib that the login stands on.
"""

import base64
import imaplib
import inspect
from collections.abc import Callable

import imapclient
import pytest

from deploy.demo.tls import DemoCertificate
from tests.support.scripted import CREDENTIAL, PASSWORD, TOKEN, Client, scripted
from webmail.protocols import imap
from webmail.protocols.errors import (
    AuthenticationFailed,
    ConnectionLost,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
)
from webmail.protocols.net import Credential, Secret, Security

ASCII = Credential('an"na \\ x', Secret('p"\\{5}'))
PLAIN = base64.b64encode(b"\0anna@example.org\0" + PASSWORD.encode())


def greet(client: Client, capabilities: bytes = b"IMAP4rev1 AUTH=PLAIN") -> None:
    client.say(b"* OK hello")
    answer(client, b"CAPABILITY", b"* CAPABILITY " + capabilities)


def answer(client: Client, command: bytes, *untagged: bytes, end: bytes = b"OK done") -> None:
    """Hear a command of this name and complete it."""
    tag, _, words = client.line().partition(b" ")
    assert words.startswith(command), words
    client.say(*untagged, tag + b" " + end)


def failing(
    certificates: DemoCertificate,
    script: Callable[[Client], object],
    credential: Credential = CREDENTIAL,
    *,
    security: Security = "tls",
) -> tuple[MailServerError, list[bytes]]:
    with scripted(certificates, script, security=security) as server, pytest.raises(MailServerError) as caught:
        imap.connect(server.endpoint, credential)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    secret = credential.secret.reveal()
    assert secret not in repr(caught.value) + caught.value.server_line
    return caught.value, server.heard


def plain(client: Client, end: bytes, *untagged: bytes) -> None:
    tag = client.expect(b"").split()[0]
    client.say(b"+")
    assert client.line() == PLAIN
    client.say(*untagged, tag + b" " + end)


def test_plain_then_fresh_capabilities_then_id_and_enable(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"imap4rev1 auth=plain")
        plain(client, b"OK [CAPABILITY IMAP4rev1 id Enable CONDSTORE QRESYNC IMAP4rev2 UTF8=ACCEPT] in")
        answer(client, b'ID ("name" "Mailroom")', b"* ID NIL")
        answer(client, b"ENABLE QRESYNC", b"* ENABLED QRESYNC")
        answer(client, b"LOGOUT", b"* BYE")

    with scripted(certificates, script) as server, imap.connect(server.endpoint, CREDENTIAL) as session:
        assert session.capabilities >= {"IMAP4REV1", "QRESYNC", "ID"}
    assert not any(b"REV2" in line.upper() or b"UTF8" in line for line in server.heard)


def test_capabilities_are_asked_for_when_the_login_does_not_tell(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client)
        plain(client, b"OK")
        answer(client, b"CAPABILITY", b"* CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC")
        answer(client, b"ENABLE QRESYNC", end=b"BAD no")
        answer(client, b"ENABLE CONDSTORE")
        answer(client, b"LOGOUT")

    with scripted(certificates, script) as server, imap.connect(server.endpoint, CREDENTIAL) as session:
        assert session.capabilities == {"IMAP4REV1", "ENABLE", "CONDSTORE"}


def test_login_where_plain_is_not_offered(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1")
        answer(client, b'LOGIN "an\\"na \\\\ x" "p\\"\\\\{5}"', b"* CAPABILITY IMAP4rev1")
        answer(client, b"LOGOUT")

    with scripted(certificates, script) as server:
        imap.connect(server.endpoint, ASCII).logout()


def test_letters_beyond_ascii_go_by_plain_even_unoffered(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1")
        plain(client, b"OK [CAPABILITY IMAP4rev1] in")
        answer(client, b"LOGOUT")

    with scripted(certificates, script) as server:
        imap.connect(server.endpoint, CREDENTIAL).logout()


def test_login_by_sasl_as_the_last_resort(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1 LOGINDISABLED AUTH=LOGIN")
        tag = client.expect(b"").split()[0]
        client.say(b"+ " + base64.b64encode(b"Username:"))
        assert base64.b64decode(client.line()) == b"anna@example.org"
        client.say(b"+ " + base64.b64encode(b"Password:"))
        assert base64.b64decode(client.line()).decode() == PASSWORD
        client.say(tag + b" OK [CAPABILITY IMAP4rev1] in")
        answer(client, b"LOGOUT")

    with scripted(certificates, script) as server:
        imap.connect(server.endpoint, CREDENTIAL).logout()


@pytest.mark.parametrize(
    ("offered", "first", "dummy"),
    [
        (b"AUTH=XOAUTH2", b"user=anna@example.org\x01auth=Bearer ya29.token\x01\x01", b""),
        (b"AUTH=XOAUTH2 AUTH=OAUTHBEARER", b"n,a=anna@example.org,\x01auth=Bearer ya29.token\x01\x01", b"AQ=="),
    ],
)
def test_a_refused_token_is_not_sent_twice(
    certificates: DemoCertificate, offered: bytes, first: bytes, dummy: bytes
) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1 " + offered)
        tag = client.expect(b"").split()[0]
        client.say(b"+ ")
        assert base64.b64decode(client.line()) == first
        client.say(b"+ " + base64.b64encode(b'{"status":"401","schemes":"bearer"}'))
        assert client.line() == dummy
        client.say(tag + b" NO [AUTHENTICATIONFAILED] Invalid credentials")

    error, _ = failing(certificates, script, TOKEN)
    assert isinstance(error, AuthenticationFailed)
    assert "401" in error.server_line


def test_preauth_is_refused(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"* PREAUTH welcome")
        answer(client, b"CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS")
        assert client.hung_up()

    error, heard = failing(certificates, script, security="starttls")
    assert isinstance(error, ProtocolViolation)
    assert len(heard) == 1


def test_no_starttls_no_credential(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client)
        assert client.hung_up()

    error, heard = failing(certificates, script, security="starttls")
    assert isinstance(error, TlsFailed)
    assert len(heard) == 1


def test_a_refused_starttls_is_the_end(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1 STARTTLS")
        answer(client, b"STARTTLS", end=b"NO not today")
        assert client.hung_up()

    error, heard = failing(certificates, script, security="starttls")
    assert isinstance(error, TlsFailed)
    assert len(heard) == 2


def test_f45_what_is_injected_before_tls_is_forgotten(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1 STARTTLS AUTH=EVIL")
        tag = client.line().split()[0]
        client.say(tag + b" OK begin", b"* CAPABILITY IMAP4rev1 AUTH=LOGIN LOGINDISABLED", b"M1 OK injected")
        client.tls()
        answer(client, b"CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        plain(client, b"OK in")
        answer(client, b"CAPABILITY", b"* CAPABILITY IMAP4rev1 IDLE")
        answer(client, b"LOGOUT")

    with scripted(certificates, script, security="starttls") as server:
        session = imap.connect(server.endpoint, CREDENTIAL)
        assert session.capabilities == {"IMAP4REV1", "IDLE"}
        session.logout()


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (b"NO [AUTHENTICATIONFAILED] wrong", AuthenticationFailed),
        (b"NO no such luck", AuthenticationFailed),
        (b"BAD what", AuthenticationFailed),
        (b"NO [UNAVAILABLE] try later", Throttled),
        (b"NO [LIMIT] Too many simultaneous connections", TooManyConnections),
        (b"NO " + PASSWORD.encode() + b" is wrong, " + PLAIN, AuthenticationFailed),
    ],
)
def test_refusals_are_told_apart(certificates: DemoCertificate, end: bytes, error: type[MailServerError]) -> None:
    def script(client: Client) -> None:
        greet(client)
        plain(client, end)

    assert type(failing(certificates, script)[0]) is error


def test_a_hang_up_during_the_login_is_not_a_wrong_password(certificates: DemoCertificate) -> None:
    def bye(client: Client) -> None:
        greet(client)
        client.line()
        client.say(b"* BYE restarting")

    def eof(client: Client) -> None:
        greet(client)
        client.line()

    for script in (bye, eof):
        assert isinstance(failing(certificates, script)[0], ConnectionLost)


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"* BYE Too many connections from your address", TooManyConnections),
        (b"* BYE closed for lunch", Throttled),
        (b"220 smtp.example.org ESMTP", MailServerError),
        (b"* OK " + b"x" * 100_000, ProtocolViolation),
    ],
)
def test_greetings_that_are_none(certificates: DemoCertificate, greeting: bytes, error: type[MailServerError]) -> None:
    assert isinstance(failing(certificates, lambda client: client.say(greeting))[0], error)


@pytest.mark.parametrize(
    "flood", [b"* X {99999999999}\r\n", b"* X {70000}\r\n", b"* X y\r\n" * 200_000, b"x" * 200_000]
)
def test_floods_before_the_login_are_cut_off(certificates: DemoCertificate, flood: bytes) -> None:
    def script(client: Client) -> None:
        client.say(b"* OK hello")
        client.raw(flood)
        client.until(b"never")

    assert isinstance(failing(certificates, script)[0], ProtocolViolation)


# --- the contract ---


def test_the_private_names_the_login_stands_on() -> None:
    assert imapclient.__version__.startswith("4.1.")
    for name in ("_simple_command", "_get_capabilities", "_connect", "readline", "read", "send", "shutdown", "open"):
        assert callable(getattr(imaplib.IMAP4, name)), name
    assert list(inspect.signature(imaplib.IMAP4.open).parameters) == ["self", "host", "port", "timeout"]
    source = inspect.getsource(imapclient.IMAPClient.__init__)
    for line in ("self._imap = self._create_IMAP4()", "self._set_read_timeout()", "self._imap._mesg ="):
        assert line in source, line
    assert "_cached_capabilities" in inspect.getsource(imapclient.IMAPClient.capabilities)
    assert "self._mesg(" in inspect.getsource(imaplib.IMAP4._command)  # type: ignore[attr-defined]  # private


def test_nothing_of_the_login_stays_in_memory_or_in_logs(
    certificates: DemoCertificate, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)

    def script(client: Client) -> None:
        greet(client, b"IMAP4rev1")
        answer(client, b"LOGIN", end=b"NO no")

    failing(certificates, script, Credential("anna", Secret("hunter2secret")))
    assert "hunter2secret" not in caplog.text
    assert capsys.readouterr() == ("", "")
