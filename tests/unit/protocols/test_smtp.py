import base64
import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from deploy.demo.tls import DemoCertificate
from tests.support.scripted import CREDENTIAL, PASSWORD, TOKEN, Client, Script, Server, scripted
from webmail.protocols.errors import (
    AuthenticationFailed,
    ConnectionLost,
    MailServerError,
    ProtocolViolation,
    Throttled,
    TlsFailed,
    TooManyConnections,
)
from webmail.protocols.net import Credential, Secret
from webmail.protocols.smtp import OutcomeUnknown, Phase, ReportsWanted, Submission, SubmissionFailed, submit

PLAIN = base64.b64encode(f"\0anna@example.org\0{PASSWORD}".encode())
MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"
OFFER = (b"250-SIZE 1000000", b"250-8BITMIME", b"250-AUTH PLAIN LOGIN XOAUTH2", b"250 DSN")


def greet(client: Client, offer: Sequence[bytes] = OFFER) -> None:
    client.say(b"220 mx.test ESMTP")
    client.expect(b"EHLO mail.example.org", b"250-mx.test", *offer)


def log_in(client: Client, offer: Sequence[bytes] = OFFER) -> None:
    greet(client, offer)
    client.expect(b"AUTH PLAIN " + PLAIN, b"235 2.7.0 welcome")


@dataclass
class Polite:
    """Takes a message; `rcpt` answers by address, `final` after the dot. Keeps the octets it got."""

    offer: Sequence[bytes] = OFFER
    rcpt: dict[bytes, bytes] = field(default_factory=dict)
    final: bytes = b"250 2.0.0 Ok: queued as 4F2X1Z"
    data: bytes = b""

    def __call__(self, client: Client) -> None:
        log_in(client, self.offer)
        client.expect(b"MAIL FROM:<", b"250 2.1.0 Ok")
        while (line := client.line()).startswith(b"RCPT TO:<"):
            address = line.partition(b"<")[2].partition(b">")[0]
            client.say(self.rcpt.get(address, b"250 2.1.5 Ok"))
        assert line == b"DATA", line
        client.say(b"354 go on")
        self.data = client.until(b"\r\n.\r\n")
        client.say(self.final)
        client.expect(b"QUIT", b"221 bye")


def send(
    server: Server, *, data: bytes | io.BytesIO = MESSAGE, phases: list[Phase] | None = None, **changed: Any
) -> Submission:
    arguments: dict[str, Any] = {
        "envelope_from": "anna@example.org",
        "recipients": ["ben@example.net"],
        "data": io.BytesIO(data) if isinstance(data, bytes) else data,
        "size": len(MESSAGE) if not isinstance(data, bytes) else len(data),
        "on_phase": (phases if phases is not None else []).append,
        "helo_name": "mail.example.org",
    }
    return submit(server.endpoint, changed.pop("credential", CREDENTIAL), **{**arguments, **changed})


def failing(
    certificates: DemoCertificate, script: Script, phases: list[Phase] | None = None, **changed: Any
) -> MailServerError:
    with scripted(certificates, script) as server, pytest.raises(MailServerError) as caught:
        send(server, phases=phases, **changed)
    return caught.value


# --- the whole way ---


def test_a_message_goes_out_once(certificates: DemoCertificate) -> None:
    phases: list[Phase] = []
    with scripted(certificates, taker := Polite()) as server:
        result = send(server, phases=phases)
    assert taker.data == MESSAGE + b".\r\n"
    assert (result.final_code, result.queued_id_text) == (250, "4F2X1Z")
    assert [(o.address, o.status, o.code) for o in result.outcomes] == [("ben@example.net", "accepted", 250)]
    assert phases == [Phase.CONNECTED, Phase.ENVELOPE, Phase.DATA_SENT, Phase.REPLIED]
    assert server.heard.count(b"DATA") == 1
    assert b"MAIL FROM:<anna@example.org> SIZE=24 BODY=8BITMIME" in server.heard


def test_recipients_fare_differently_and_bcc_stays_out_of_the_bytes(certificates: DemoCertificate) -> None:
    taker = Polite(rcpt={b"gone@b.test": b"550 5.1.1 No such user", b"full@b.test": b"450 4.2.2 later"})
    with scripted(certificates, taker) as server:
        result = send(server, recipients=["ok@b.test", "gone@b.test", "full@b.test", "bcc@b.test", "ok@b.test"])
    assert [(o.address, o.status, o.code) for o in result.outcomes] == [
        ("ok@b.test", "accepted", 250),
        ("gone@b.test", "permanent", 550),
        ("full@b.test", "temporary", 450),
        ("bcc@b.test", "accepted", 250),
    ]
    assert result.outcomes[1].reply == "550 5.1.1 No such user"
    assert b"bcc@" not in taker.data
    assert sum(line.startswith(b"RCPT") for line in server.heard) == 4


def test_nobody_accepted_means_no_data(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client)
        client.expect(b"MAIL", b"250 Ok")
        client.expect(b"RCPT", b"550 no")
        client.expect(b"RSET", b"250 Ok")
        client.expect(b"QUIT", b"221 bye")

    phases: list[Phase] = []
    with scripted(certificates, script) as server:
        result = send(server, phases=phases)
    assert (result.final_code, result.outcomes[0].status) == (0, "permanent")
    assert phases == [Phase.CONNECTED]


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\r\nMAIL FROM:<x@y>\r\n", b"a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"end\r\n\r\n", b"end\r\n\r\n.\r\n"),
    ],
)
def test_s26_no_smuggling(certificates: DemoCertificate, body: bytes, wire: bytes) -> None:
    with scripted(certificates, taker := Polite()) as server:
        send(server, data=body)
    assert taker.data == wire
    assert server.heard.count(b"DATA") == 1


def test_a_message_is_read_in_pieces(certificates: DemoCertificate) -> None:
    class Watched(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size > 0
            self.most = max(self.most, size)
            return super().read(size)

    body = (b"x" * 76 + b"\r\n") * 40_000
    taker = Polite(offer=[b"250 AUTH PLAIN"])
    with scripted(certificates, taker) as server:
        send(server, data=(source := Watched(body)), size=len(body))
    assert taker.data == body + b".\r\n"
    assert source.most <= 65536


# --- faults around the dot ---


def cut_in_data(client: Client) -> None:
    log_in(client)
    client.expect(b"MAIL", b"250 Ok")
    client.expect(b"RCPT", b"250 Ok")
    client.expect(b"DATA", b"354 go on")


def cut_before_dot(client: Client) -> None:
    cut_in_data(client)
    client.until(b"body")


def cut_after_dot(client: Client) -> None:
    cut_in_data(client)
    client.until(b"\r\n.\r\n")


def slow_source(server_is_done: threading.Event) -> io.BytesIO:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(4096)
            if not data:
                assert server_is_done.wait(20)
            return data

    return Slow(MESSAGE)


def test_cut_before_the_dot_is_safe_to_retry(certificates: DemoCertificate) -> None:
    """The server hangs up when it has the last body byte; only then does the client come to the end of its data."""
    gone = threading.Event()

    def script(client: Client) -> None:
        cut_before_dot(client)
        client.sock.close()
        gone.set()

    phases: list[Phase] = []
    error = failing(certificates, script, phases, data=slow_source(gone), size=len(MESSAGE))
    assert isinstance(error, ConnectionLost)
    assert phases == [Phase.CONNECTED, Phase.ENVELOPE]


def test_cut_after_the_dot_is_unknown(certificates: DemoCertificate) -> None:
    phases: list[Phase] = []
    assert type(failing(certificates, cut_after_dot, phases)) is OutcomeUnknown
    assert phases[-1] is Phase.DATA_SENT


@pytest.mark.parametrize("reply", [b"250-half", b"nonsense\r\n", b"350 what\r\n", b"\xff" * 40_000])
def test_no_whole_reply_after_the_dot_is_unknown(certificates: DemoCertificate, reply: bytes) -> None:
    def script(client: Client) -> None:
        cut_after_dot(client)
        client.raw(reply)

    assert type(failing(certificates, script)) is OutcomeUnknown


def test_silence_after_the_dot_is_unknown(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        cut_after_dot(client)
        client.until(b"never")

    assert type(failing(certificates, script, reply_patience=0.3)) is OutcomeUnknown


def test_cut_after_250_is_done(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        cut_after_dot(client)
        client.say(b"250 Ok id=1rabcd-0001")

    phases: list[Phase] = []
    with scripted(certificates, script) as server:
        result = send(server, phases=phases)
    assert (result.final_code, result.queued_id_text) == (250, "1rabcd-0001")
    assert phases[-1] is Phase.REPLIED


def test_the_phase_is_stored_before_the_dot_can_leave(certificates: DemoCertificate) -> None:
    seen: list[bytes] = []

    def script(client: Client) -> None:
        cut_in_data(client)
        seen.append(client.until(b"\r\n.\r\n"))

    def storage_fails(phase: Phase) -> None:
        if phase is Phase.DATA_SENT:
            raise RuntimeError("no database")

    with scripted(certificates, script) as server, pytest.raises(RuntimeError, match="no database"):
        send(server, on_phase=storage_fails)
    assert seen == [MESSAGE.removesuffix(b"\r\n")]


def test_a_stored_message_of_another_size_is_not_sent(certificates: DemoCertificate) -> None:
    seen: list[bytes] = []

    def script(client: Client) -> None:
        cut_in_data(client)
        seen.append(client.until(b"\r\n.\r\n"))

    with scripted(certificates, script) as server, pytest.raises(ValueError, match="stated size"):
        send(server, data=MESSAGE[:-5], size=len(MESSAGE))
    assert not seen[0].endswith(b".\r\n")


@pytest.mark.parametrize(
    ("final", "permanent"), [(b"554 5.7.1 spam", True), (b"451 4.3.0 later", False), (b"552 5.3.4 too big", True)]
)
def test_a_refusal_after_the_dot(certificates: DemoCertificate, final: bytes, permanent: bool) -> None:
    def script(client: Client) -> None:
        cut_after_dot(client)
        client.say(final)

    error = failing(certificates, script)
    assert isinstance(error, SubmissionFailed)
    assert (error.permanent, error.smtp_code) == (permanent, int(final[:3]))
    assert error.server_line == final.decode()


def test_a_server_that_refuses_in_the_middle_of_the_data(certificates: DemoCertificate) -> None:
    told = threading.Event()

    def script(client: Client) -> None:
        cut_before_dot(client)
        client.say(b"421 4.3.2 shutting down")
        told.set()
        client.until(b"never")

    phases: list[Phase] = []
    error = failing(certificates, script, phases, data=slow_source(told), size=len(MESSAGE))
    assert isinstance(error, SubmissionFailed)
    assert (error.smtp_code, error.permanent, error.phase) == (421, False, Phase.ENVELOPE)
    assert Phase.DATA_SENT not in phases


# --- refusals before the data ---


@pytest.mark.parametrize(
    ("reply", "permanent", "retry_after"),
    [
        (b"550 5.7.60 not your address", True, None),
        (b"451 4.3.0 later", False, None),
        (b"550 5.4.5 Daily user sending limit exceeded", False, 86400),
    ],
)
def test_a_refused_sender(
    certificates: DemoCertificate, reply: bytes, permanent: bool, retry_after: float | None
) -> None:
    def script(client: Client) -> None:
        log_in(client)
        client.expect(b"MAIL", reply)

    error = failing(certificates, script)
    assert isinstance(error, SubmissionFailed)
    assert (error.permanent, error.retry_after, error.phase) == (permanent, retry_after, Phase.CONNECTED)


def test_data_refused(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client)
        client.expect(b"MAIL", b"250 Ok")
        client.expect(b"RCPT", b"250 Ok")
        client.expect(b"DATA", b"554 5.5.1 no")

    error = failing(certificates, script)
    assert isinstance(error, SubmissionFailed)
    assert (error.permanent, error.phase) == (True, Phase.ENVELOPE)


def test_larger_than_the_server_takes(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client, [b"250-AUTH PLAIN", b"250 SIZE 20"])
        assert client.hung_up()

    error = failing(certificates, script)
    assert isinstance(error, SubmissionFailed)
    assert error.permanent


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"421 4.7.0 Too many connections from you", TooManyConnections),
        (b"450 busy", Throttled),
        (b"554 no service", SubmissionFailed),
        (b"hello", ProtocolViolation),
        (b"250-" + b"x" * 20_000, ProtocolViolation),
    ],
)
def test_greetings_that_refuse(certificates: DemoCertificate, greeting: bytes, kind: type[MailServerError]) -> None:
    error = failing(certificates, lambda client: client.say(greeting))
    assert type(error) is kind
    assert not getattr(error, "permanent", False)


def test_a_reply_without_end(certificates: DemoCertificate) -> None:
    error = failing(certificates, lambda client: client.say(*[b"220-more"] * 500))
    assert isinstance(error, ProtocolViolation)


def test_a_reply_nobody_asked_for(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        client.say(b"220 mx.test", b"250 injected")
        assert client.hung_up()

    assert isinstance(failing(certificates, script), ProtocolViolation)


# --- TLS and login ---


def test_f45_starttls_discards_what_came_in_the_clear(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, [b"250-AUTH LOGIN", b"250-SIZE 1", b"250 STARTTLS"])
        client.expect(b"STARTTLS", b"220 go", b"250-mx.test", b"250 AUTH LOGIN SMTPUTF8")
        client.tls()
        client.expect(b"EHLO", b"250-mx.test", b"250 AUTH PLAIN")
        client.expect(b"AUTH PLAIN " + PLAIN, b"235 welcome")
        client.expect(b"MAIL", b"451 later")

    with scripted(certificates, script, security="starttls") as server, pytest.raises(SubmissionFailed, match="451"):
        send(server)
    assert server.heard[-1] == b"MAIL FROM:<anna@example.org>"


@pytest.mark.parametrize("answer", [None, b"454 4.7.0 TLS not available"])
def test_without_starttls_nothing_secret_is_said(certificates: DemoCertificate, answer: bytes | None) -> None:
    def script(client: Client) -> None:
        greet(client, [b"250-AUTH PLAIN", b"250 STARTTLS" if answer else b"250 OK"])
        if answer:
            client.expect(b"STARTTLS", answer)
        assert client.hung_up()

    with scripted(certificates, script, security="starttls") as server, pytest.raises(TlsFailed):
        send(server)
    assert not any(line.startswith((b"AUTH", b"MAIL")) for line in server.heard)


def test_login_where_plain_is_not_offered(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client, [b"250 AUTH=LOGIN"])
        client.expect(b"AUTH LOGIN", b"334 VXNlcm5hbWU6")
        client.expect(base64.b64encode(b"anna@example.org"), b"334 UGFzc3dvcmQ6")
        client.expect(base64.b64encode(PASSWORD.encode()), b"535 5.7.8 no")

    error = failing(certificates, script)
    assert isinstance(error, AuthenticationFailed)
    assert error.response_code == "5.7.8"


@pytest.mark.parametrize("token", ["ya29.token", "t" * 2000])
def test_a_refused_token_explains_itself(certificates: DemoCertificate, token: str) -> None:
    def script(client: Client) -> None:
        greet(client)
        if b" " not in client.expect(b"AUTH XOAUTH2").removeprefix(b"AUTH XOAUTH2"):
            client.say(b"334 ")
            client.line()
        client.say(b"334 " + base64.b64encode(b'{"status":"400","token":"' + token.encode() + b'"}'))
        client.expect(b"", b"535-5.7.8 Username and Password not accepted.", b"535 5.7.8 see the manual")

    error = failing(certificates, script, credential=Credential("anna@example.org", Secret(token), "oauth"))
    assert isinstance(error, AuthenticationFailed)
    assert '"status":"400"' in error.server_line
    assert token[:50] not in error.server_line


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"535 5.7.139 SmtpClientAuthentication is disabled", AuthenticationFailed),
        (b"550 5.7.30 Basic authentication is not supported", AuthenticationFailed),
        (b"534 5.7.9 Application-specific password required", AuthenticationFailed),
        (b"454 4.7.0 Too many login attempts", Throttled),
        (b"421 4.7.0 bye", Throttled),
    ],
)
def test_refused_logins(certificates: DemoCertificate, reply: bytes, kind: type[MailServerError]) -> None:
    def script(client: Client) -> None:
        greet(client)
        client.expect(b"AUTH PLAIN", reply)

    error = failing(certificates, script)
    assert type(error) is kind
    assert error.code == kind.kind


def test_a_server_that_echoes_the_credential(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        greet(client)
        client.expect(b"AUTH PLAIN", b"535 bad: AUTH PLAIN " + PLAIN + b" that is " + PASSWORD.encode())

    error = failing(certificates, script)
    assert PASSWORD not in f"{error!r} {error}"
    assert PLAIN.decode() not in f"{error!r} {error}"


def test_no_login_that_we_speak(certificates: DemoCertificate) -> None:
    for offer, credential in ((b"250 AUTH CRAM-MD5", CREDENTIAL), (b"250 AUTH PLAIN", TOKEN)):
        error = failing(certificates, partial(greet, offer=(offer,)), credential=credential)
        assert isinstance(error, AuthenticationFailed)


# --- addresses ---

BAD_ADDRESSES = [
    "a@b.test\r\nRCPT TO:<x@y.test",
    "a\nb@b.test",
    "a\0@b.test",
    "a>@b.test",
    "<a@b.test>",
    "a b@b.test",
    "a@b .test",
    "a",
    "@b.test",
    "a@",
    "a@b..test",
    "a@b.test> SIZE=1",
    '"a b"@b.test',
    "a\u202e@b.test",
    "a\u00a0b@b.test",
    "a" * 65 + "@b.test",
    "a@" + "b" * 300,
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_addresses_that_never_reach_the_wire(certificates: DemoCertificate, address: str) -> None:
    taker = Polite()
    with scripted(certificates, taker) as server:
        result = send(server, recipients=[address, "ok@b.test"])
        assert [(o.status, o.code) for o in result.outcomes] == [("permanent", 0), ("accepted", 250)]
    assert [line for line in server.heard if line.startswith(b"RCPT")] == [b"RCPT TO:<ok@b.test>"]
    with pytest.raises(SubmissionFailed) as caught:
        send(server, envelope_from=address)
    assert caught.value.permanent
    assert server.connections == 1


def test_only_bad_recipients_means_no_connection(certificates: DemoCertificate) -> None:
    with scripted(certificates) as server:
        assert send(server, recipients=["a b@c.test"]).final_code == 0
    assert server.connections == 0


def test_domains_go_as_a_labels(certificates: DemoCertificate) -> None:
    with scripted(certificates, Polite()) as server:
        result = send(server, recipients=["ben@bücher.example"], envelope_from="")
    assert b"RCPT TO:<ben@xn--bcher-kva.example>" in server.heard
    assert any(line.startswith(b"MAIL FROM:<> SIZE") and b"SMTPUTF8" not in line for line in server.heard)
    assert result.outcomes[0].address == "ben@bücher.example"


def test_a_local_part_beyond_ascii_needs_smtputf8(certificates: DemoCertificate) -> None:
    both = ["dörte@example.net", "ok@example.net"]
    with scripted(certificates, Polite()) as server:
        result = send(server, recipients=both)
    assert [(o.status, o.code) for o in result.outcomes] == [("permanent", 0), ("accepted", 250)]
    assert "ASCII" in result.outcomes[0].reply
    with scripted(certificates, Polite(offer=[*OFFER[:-1], b"250 SMTPUTF8"])) as server:
        result = send(server, recipients=both)
    assert [o.status for o in result.outcomes] == ["accepted", "accepted"]
    assert "RCPT TO:<dörte@example.net>".encode() in server.heard
    assert any(line.startswith(b"MAIL") and line.endswith(b" SMTPUTF8") for line in server.heard)


@pytest.mark.parametrize(("delivered", "notify"), [(False, b"FAILURE,DELAY"), (True, b"SUCCESS,FAILURE,DELAY")])
def test_dsn_is_asked_for_where_offered(certificates: DemoCertificate, delivered: bool, notify: bytes) -> None:
    with scripted(certificates, Polite()) as server:
        result = send(server, wanted=ReportsWanted("out=box+1", delivered=delivered))
    assert any(line.endswith(b"RET=HDRS ENVID=out+3Dbox+2B1") for line in server.heard)
    assert b"RCPT TO:<ben@example.net> NOTIFY=%b ORCPT=rfc822;ben@example.net" % notify in server.heard
    assert (result.reports, result.size_limit) == (True, 1_000_000)


def test_no_report_is_asked_of_who_gives_none(certificates: DemoCertificate) -> None:
    with scripted(certificates, Polite(offer=[b"250-SIZE", b"250 AUTH PLAIN"])) as server:
        result = send(server, wanted=ReportsWanted("x"))
    assert not [line for line in server.heard if b"NOTIFY" in line or b"ENVID" in line]
    assert (result.reports, result.size_limit) == (False, None)


def test_an_envelope_id_is_checked() -> None:
    for wrong in ("ü", "x" * 101):
        with pytest.raises(ValueError, match="envelope id"):
            ReportsWanted(wrong)


@pytest.mark.parametrize("changed", [{"helo_name": "a\r\nMAIL"}, {"helo_name": ""}])
def test_our_own_settings_are_checked(certificates: DemoCertificate, changed: dict[str, Any]) -> None:
    with scripted(certificates) as server, pytest.raises(ValueError, match="domain"):
        send(server, **changed)
    assert server.connections == 0


# --- many commands at once, RFC 2920 ---

AT_ONCE = (b"250-PIPELINING", *OFFER)


def read_envelope(client: Client, people: int) -> None:
    """All of it is there before any of it is answered."""
    client.expect(b"MAIL FROM:<anna@example.org>")
    for _ in range(people):
        client.expect(b"RCPT TO:<")


def test_an_envelope_goes_out_at_once_where_the_server_lets_it(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client, AT_ONCE)
        read_envelope(client, 3)
        client.say(b"250 2.1.0 Ok", b"250 2.1.5 Ok", b"550 5.1.1 No such user", b"450-4.2.0 wait", b"450 4.2.0 a bit")
        client.expect(b"DATA", b"354 go on")
        client.until(b"\r\n.\r\n")
        client.say(b"250 2.0.0 Ok")
        client.expect(b"QUIT", b"221 bye")

    with scripted(certificates, script) as server:
        result = send(server, recipients=["a@b.test", "c@b.test", "d@b.test"])
    assert [(o.address, o.status, o.code) for o in result.outcomes] == [
        ("a@b.test", "accepted", 250),
        ("c@b.test", "permanent", 550),
        ("d@b.test", "temporary", 450),
    ]


def test_a_refused_sender_ends_it_whatever_was_said_of_recipients(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client, AT_ONCE)
        read_envelope(client, 2)
        client.say(b"550 5.7.1 not from you", b"250 Ok", b"503 5.5.1 MAIL first")
        assert client.hung_up()

    error = failing(certificates, script, recipients=["a@b.test", "c@b.test"])
    assert isinstance(error, SubmissionFailed)
    assert (error.permanent, error.smtp_code) == (True, 550)


def test_a_crowd_goes_in_groups_that_are_answered_first(certificates: DemoCertificate) -> None:
    def script(client: Client) -> None:
        log_in(client, AT_ONCE)
        read_envelope(client, 49)
        assert client.rest == b""
        client.say(*[b"250 Ok"] * 50)
        for _ in range(31):
            client.expect(b"RCPT TO:<")
        client.say(*[b"250 Ok"] * 31)
        client.expect(b"DATA", b"354 go on")
        client.until(b"\r\n.\r\n")
        client.say(b"250 2.0.0 Ok")

    with scripted(certificates, script) as server:
        result = send(server, recipients=[f"p{number}@b.test" for number in range(80)])
    assert {outcome.status for outcome in result.outcomes} == {"accepted"}


@pytest.mark.parametrize("extra", [b"250 Ok", b"354 go on"])
def test_a_reply_too_many_is_no_answer_to_data(certificates: DemoCertificate, extra: bytes) -> None:
    def script(client: Client) -> None:
        log_in(client, AT_ONCE)
        read_envelope(client, 1)
        client.say(b"250 Ok", b"250 Ok", extra)
        assert client.hung_up()

    assert isinstance(failing(certificates, script), ProtocolViolation)
