import base64
import io
import threading
from collections.abc import Callable, Iterator

import pytest

from deploy.demo.tls import DemoCertificate
from tests.support.scripted import CREDENTIAL, PASSWORD, TOKEN, Client, Script, scripted
from webmail.protocols import pop3
from webmail.protocols.errors import (
    AuthenticationFailed,
    CommandFailed,
    ConnectionLost,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
)
from webmail.protocols.net import Credential, Secret
from webmail.protocols.pop3 import PopEntry, Session

PLAIN = base64.b64encode(f"\0anna@example.org\0{PASSWORD}".encode())

Serve = Callable[[Script], Session]


def log_in(client: Client, *capabilities: bytes) -> None:
    client.say(b"+OK ready")
    client.expect(b"CAPA", b"+OK", *capabilities, b"SASL PLAIN", b".")
    client.expect(b"AUTH PLAIN", b"+ ")
    client.expect(PLAIN, b"+OK logged in")


@pytest.fixture
def session(certificates: DemoCertificate) -> Iterator[Serve]:
    """Log in to a server that plays the script from there on."""
    opened = []

    def serve(script: Script, *capabilities: bytes, patience: float = 20) -> Session:
        def whole(client: Client) -> None:
            log_in(client, *capabilities)
            script(client)

        server = scripted(certificates, whole)
        endpoint = server.__enter__().endpoint
        made = pop3.connect(endpoint, CREDENTIAL, patience=patience)
        opened.append((server, made))
        return made

    yield serve
    for server, made in opened:
        made.close()
        server.__exit__(None, None, None)


def failing_login(
    certificates: DemoCertificate, script: Script, credential: Credential = CREDENTIAL
) -> MailServerError:
    with scripted(certificates, script) as server, pytest.raises(MailServerError) as caught:
        pop3.connect(server.endpoint, credential)
    return caught.value


# --- logging in ---


def test_user_and_pass_where_plain_is_not_offered(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK ready <1896.697170952@dbc.mtview.ca.us>")
        client.expect(b"CAPA", b"-ERR unknown command")
        client.expect(b"USER", b"+OK")
        client.expect(b"PASS", b"+OK")
        client.expect(b"QUIT", b"+OK bye")

    with scripted(certificates, script) as server:
        pop3.connect(server.endpoint, CREDENTIAL).quit()
    assert server.heard[1:3] == [b"USER anna@example.org", f"PASS {PASSWORD}".encode()]


LOGIN_WORDS = [base64.b64encode(b"anna@example.org"), base64.b64encode(PASSWORD.encode())]


def test_auth_login_where_nothing_else_is_offered(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK ready")
        client.expect(b"CAPA", b"+OK", b"SASL LOGIN", b"UIDL", b".")
        client.expect(b"AUTH LOGIN", b"+ VXNlcm5hbWU6")
        client.expect(LOGIN_WORDS[0], b"+ UGFzc3dvcmQ6")
        client.expect(LOGIN_WORDS[1], b"+OK")
        client.expect(b"QUIT", b"+OK bye")

    with scripted(certificates, script) as server:
        pop3.connect(server.endpoint, CREDENTIAL).quit()


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"-ERR [AUTH] no", AuthenticationFailed), (b"+ bW9yZQ==", ProtocolViolation)]
)
def test_auth_login_that_does_not_end_well(
    certificates: DemoCertificate, answer: bytes, kind: type[MailServerError]
) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK ready")
        client.expect(b"CAPA", b"+OK", b"SASL LOGIN", b".")
        client.expect(b"AUTH LOGIN", b"+")
        client.expect(LOGIN_WORDS[0], b"+")
        client.expect(LOGIN_WORDS[1], answer)
        assert client.hung_up()

    assert type(failing_login(certificates, script)) is kind


def test_a_token_goes_by_xoauth2_after_the_challenge(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"+OK", b"SASL PLAIN XOAUTH2", b".")
        client.expect(b"AUTH XOAUTH2", b"+ ")
        line = client.expect(b"", b"+OK")
        assert base64.b64decode(line) == b"user=anna@example.org\x01auth=Bearer ya29.token\x01\x01"

    with scripted(certificates, script) as server:
        pop3.connect(server.endpoint, TOKEN).close()


def test_a_refused_token_explains_itself(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"+OK", b"SASL XOAUTH2", b".")
        client.expect(b"AUTH XOAUTH2", b"+ ")
        client.expect(b"", b"+ " + base64.b64encode(b'{"status":"400","schemes":"Bearer ya29.token"}'))
        client.expect(b"", b"-ERR [AUTH] invalid token")

    error = failing_login(certificates, script, TOKEN)
    assert isinstance(error, AuthenticationFailed)
    assert '"status":"400"' in error.server_line
    assert "ya29.token" not in error.server_line


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (b"-ERR [AUTH] no", AuthenticationFailed),
        (b"-ERR Authentication failed.", AuthenticationFailed),
        (b"-ERR [IN-USE] already", Throttled),
        (b"-ERR maildrop already locked", Throttled),
        (b"-ERR [LOGIN-DELAY] too soon", Throttled),
        (b"-ERR [SYS/TEMP] later", Throttled),
        (b"-ERR [SYS/PERM] never", CommandFailed),
        (b"* BAD what", ProtocolViolation),
    ],
)
def test_refused_logins(certificates: DemoCertificate, refusal: bytes, kind: type[MailServerError]) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"+OK", b"SASL PLAIN", b".")
        client.expect(b"AUTH PLAIN", b"+ ")
        client.expect(b"", refusal)
        assert client.hung_up()

    assert type(failing_login(certificates, script)) is kind


def test_a_server_that_echoes_the_password(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"-ERR")
        client.expect(b"USER", b"+OK")
        client.expect(b"PASS", f"-ERR bad password {PASSWORD}".encode())

    error = failing_login(certificates, script)
    assert isinstance(error, AuthenticationFailed)
    assert PASSWORD not in f"{error!r} {error} {error.server_line}"


def test_a_greeting_that_refuses(certificates: DemoCertificate) -> None:
    error = failing_login(certificates, lambda client: client.say(b"-ERR [SYS/TEMP] down"))
    assert isinstance(error, Throttled)


def test_f45_starttls_discards_what_came_in_the_clear(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"STLS", b"+OK begin TLS", b"+OK", b"SASL LOGIN", b".", b"-ERR injected")
        client.tls()
        client.expect(b"CAPA", b"+OK", b"SASL PLAIN", b".")
        client.expect(b"AUTH PLAIN", b"+ ")
        client.expect(PLAIN, b"+OK")
        client.expect(b"STAT", b"+OK 2 320")

    with scripted(certificates, script, security="starttls") as server:
        assert pop3.connect(server.endpoint, CREDENTIAL).stat() == (2, 320)


@pytest.mark.parametrize("greeting", [[b"+OK"], [b"+OK", b"+OK injected"]])
def test_without_starttls_nothing_secret_is_said(certificates: DemoCertificate, greeting: list[bytes]) -> None:
    def script(client: Client) -> None:
        client.say(*greeting)
        if client.line():
            client.say(b"-ERR unknown command")
            assert client.hung_up()

    with scripted(certificates, script, security="starttls") as server, pytest.raises((TlsFailed, ProtocolViolation)):
        pop3.connect(server.endpoint, CREDENTIAL)
    assert set(server.heard) <= {b"STLS", b""}


def test_an_8_bit_or_odd_password_is_one_command(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"+OK")
        client.expect(b"CAPA", b"-ERR")
        client.expect(b"USER", b"+OK")
        client.expect(b"PASS", b"+OK")

    odd = 'pä"\\ss {5} {5+}'
    with scripted(certificates, script) as server:
        pop3.connect(server.endpoint, Credential("anna", Secret(odd))).close()
    assert server.heard[-1] == f"PASS {odd}".encode()


# --- listing ---


def test_listing(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"LIST", b"+OK", b"1 120", b"2 200 extra", b"3 7", b".")
        client.expect(b"UIDL", b"+OK", b"1 whqtswO00WBw418f9t5JxYwZ", b"2 bad uidl", b"9 unknown", b".")

    assert session(script).listing() == [
        PopEntry(1, "whqtswO00WBw418f9t5JxYwZ", 120),
        PopEntry(2, None, 200),
        PopEntry(3, None, 7),
    ]


def test_a_server_without_uidl(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"LIST", b"+OK", b"1 120", b".")
        client.expect(b"UIDL", b"-ERR unknown command")

    assert session(script).listing() == [PopEntry(1, None, 120)]


def test_uidl_offered_and_refused_is_an_error(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client, b"UIDL")
        client.expect(b"LIST", b"+OK", b"1 120", b".")
        client.expect(b"UIDL", b"-ERR internal error")

    with scripted(certificates, script) as server, pytest.raises(CommandFailed):
        pop3.connect(server.endpoint, CREDENTIAL).listing()


@pytest.mark.parametrize("rows", [[b"1 120", b"1 130"], [b"one 2"], [b"1"], [b"99999999999 1"], [b"1 -5"]])
def test_a_listing_out_of_form(session: Serve, rows: list[bytes]) -> None:
    made = session(lambda client: client.expect(b"LIST", b"+OK", *rows, b"."))
    with pytest.raises(ProtocolViolation):
        made.listing()
    with pytest.raises(ConnectionLost):
        made.stat()


def test_a_listing_without_end(session: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop3, "MOST_ENTRIES", 100)

    def script(client: Client) -> None:
        client.expect(b"LIST", b"+OK", *[b"%d 1" % number for number in range(1, 200)])

    with pytest.raises(ProtocolViolation, match="without end"):
        session(script).listing()


# --- bodies ---

BODIES = {
    "plain": b"Subject: x\r\n\r\nhello\r\n",
    "empty": b"",
    "a 3000 byte line": b"Subject: x\r\n\r\n" + b"y" * 3000 + b"\r\n",
    "a 1 MB line": b"Subject: x\r\n\r\n" + b"z" * 1_000_000 + b"\r\nend\r\n",
    "dot lines": b".\r\n..\r\n.x\r\n...\r\nin.side\r\n.\r\n",
    "bare ends": b"a\n.\nb\r.\rc\r\r\n\n.\r\nd\r\n",
    "all bytes": bytes(range(256)) * 300 + b"\r\n",
    "blank lines": b"\r\n\r\n\r\n\r\n",
}


def stuffed(body: bytes) -> bytes:
    lines = body.split(b"\r\n")[:-1]
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_message_comes_as_it_is(session: Serve, body: bytes) -> None:
    def script(client: Client) -> None:
        client.expect(b"RETR 7", b"+OK")
        client.raw(stuffed(body) + b".\r\n")
        client.expect(b"NOOP", b"+OK")  # the session is still in step
        client.expect(b"STAT", b"+OK 1 1")

    got = io.BytesIO()
    made = session(script)
    assert made.retrieve(7, got, expected_size=10 * len(body) + 10) == len(body)
    assert got.getvalue() == body
    assert made.stat() == (1, 1)


@pytest.mark.parametrize("cut", [0, 5, 21, 22, 23, 24])
def test_a_body_without_its_terminator_is_no_message(session: Serve, cut: int) -> None:
    whole = b"Subject: x\r\n\r\nhello\r\n.\r\n"

    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        client.raw(whole[:-1][:cut])

    with pytest.raises(ConnectionLost):
        session(script).retrieve(1, io.BytesIO())


def test_a_lone_dot_that_was_not_stuffed_is_noticed(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        client.raw(b"Subject: x\r\n\r\nabove\r\n.\r\nbelow\r\n.\r\n")

    with pytest.raises(ProtocolViolation):
        session(script).retrieve(1, io.BytesIO(), expected_size=32)


def test_an_estimated_size_is_no_error(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        client.raw(b"short\r\n.\r\n")
        client.expect(b"NOOP", b"-ERR what is that")

    assert session(script).retrieve(1, io.BytesIO(), expected_size=5000) == 7


def test_a_large_message_is_not_asked_for(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"QUIT", b"+OK")

    made = session(script)
    with pytest.raises(CommandFailed) as caught:
        made.retrieve(1, io.BytesIO(), max_bytes=1000, expected_size=1001)
    assert (caught.value.code, caught.value.permanent) == ("TOOBIG", True)
    made.quit()


def test_more_than_the_limit_ends_the_session(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        client.raw(b"x" * 200_000)
        client.until(b"never")

    made, got = session(script), io.BytesIO()
    with pytest.raises(ProtocolViolation):
        made.retrieve(1, got, max_bytes=100_000)
    assert len(got.getvalue()) <= 100_000
    with pytest.raises(ConnectionLost):
        made.stat()


def test_a_full_disk_deletes_nothing(session: Serve) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        client.raw(b"x\r\n" * 1000 + b".\r\n")
        assert client.hung_up()

    made = session(script)
    with pytest.raises(OSError, match="No space left"):
        made.retrieve(1, Full())
    with pytest.raises(ConnectionLost):
        made.delete(1)


def test_top_keeps_no_more_than_its_limit(session: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop3, "LARGEST_TOP", 50)

    def script(client: Client) -> None:
        client.expect(b"TOP 3 0", b"+OK")
        client.raw(b"X: " + b"y" * 500 + b"\r\n\r\n.\r\n")
        client.expect(b"STAT", b"+OK 1 1")

    made = session(script)
    assert made.top(3, 0) == b"X: " + b"y" * 47
    assert made.stat() == (1, 1)


# --- ends ---


def test_a_trickle_ends(session: Callable[..., Session]) -> None:
    def script(client: Client) -> None:
        client.expect(b"RETR 1", b"+OK")
        pace = threading.Event()
        for _ in range(100):  # each byte comes soon enough, all of them together never
            client.raw(b"S")
            pace.wait(0.03)

    with pytest.raises(ConnectionLost, match="in time"):
        session(script, patience=0.3).retrieve(1, io.BytesIO())


def test_a_line_without_end(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"STAT")
        client.raw(b"+OK " + b"9" * 1_300_000)

    with pytest.raises(ProtocolViolation):
        session(script).stat()


def test_quit_must_be_answered(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"DELE 1", b"+OK")
        client.expect(b"QUIT")

    made = session(script)
    made.delete(1)
    with pytest.raises(ConnectionLost):
        made.quit()


def test_quit_that_could_not_delete(session: Serve) -> None:
    made = session(lambda client: client.expect(b"QUIT", b"-ERR some deleted messages not removed"))
    with pytest.raises(CommandFailed):
        made.quit()


def test_reset_and_refused_delete_leave_the_session(session: Serve) -> None:
    def script(client: Client) -> None:
        client.expect(b"DELE 5", b"-ERR no such message")
        client.expect(b"RSET", b"+OK")
        client.expect(b"QUIT", b"+OK")

    made = session(script)
    with pytest.raises(CommandFailed):
        made.delete(5)
    made.reset()
    made.quit()


@pytest.mark.parametrize("number", [0, -1])
def test_no_such_number(session: Serve, number: int) -> None:
    made = session(lambda client: None)
    with pytest.raises(ValueError, match="start at 1"):
        made.delete(number)


def test_login_delay(session: Callable[..., Session]) -> None:
    assert session(lambda client: None, b"LOGIN-DELAY 300").login_delay == 300
    assert session(lambda client: None).login_delay is None
