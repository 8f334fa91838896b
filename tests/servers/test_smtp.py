"""Submission to the test stack's server, which delivers into Dovecot, and to aiosmtpd, which shares no code with it."""

import io
import ssl
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.demo.tls import DemoCertificate, server_context
from deploy.embedded.ports import free_port
from tests.support.dovecot import DOMAIN, Dovecot
from tests.support.submission import Submission as SubmissionServer
from webmail.protocols import pop3
from webmail.protocols.errors import AuthenticationFailed, TlsFailed
from webmail.protocols.net import Credential, Endpoint, Secret
from webmail.protocols.smtp import OutcomeUnknown, Phase, Submission, submit

# aiosmtpd does not count TLS from the first byte as TLS
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

MESSAGE = b"Subject: dots\r\nMessage-ID: <1@mail.test>\r\n\r\n.\r\n..x\r\nlast\r\n"


def send(endpoint: Endpoint, credential: Credential, *recipients: str, data: bytes = MESSAGE) -> Submission:
    return submit(
        endpoint,
        credential,
        envelope_from="anna@example.org",
        recipients=recipients,
        data=io.BytesIO(data),
        size=len(data),
        on_phase=lambda phase: None,
        helo_name="mail.example.org",
    )


# --- the stack's server and Dovecot ---


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_message_arrives_once_with_its_bytes(dovecot: Dovecot, submission: SubmissionServer, security: str) -> None:
    user = dovecot.add_user()
    result = send(submission.endpoint(security), dovecot.credential(user), user, f"nobody@{DOMAIN}")
    assert [outcome.status for outcome in result.outcomes] == ["accepted", "permanent"]
    assert [accepted.content for accepted in submission.accepted] == [MESSAGE]
    with pop3.connect(dovecot.pop3_endpoint(), dovecot.credential(user)) as session:
        (entry,) = session.listing()
        session.retrieve(entry.number, got := io.BytesIO(), expected_size=entry.size)
    assert got.getvalue().endswith(MESSAGE)


def test_a_drop_after_the_message_was_taken(dovecot: Dovecot, submission: SubmissionServer) -> None:
    user = dovecot.add_user()
    submission.fail("TAKEN", None)
    phases: list[Phase] = []
    with pytest.raises(OutcomeUnknown):
        submit(
            submission.endpoint(),
            dovecot.credential(user),
            envelope_from=user,
            recipients=[user],
            data=io.BytesIO(MESSAGE),
            size=len(MESSAGE),
            on_phase=phases.append,
            helo_name="mail.example.org",
        )
    assert phases[-1] is Phase.DATA_SENT
    assert len(submission.accepted) == 1


# --- aiosmtpd ---


class Inbox:
    """What aiosmtpd took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued as A1B2C3"


def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data.login == b"anna" and data.password == "pässword".encode(), handled=False)


@pytest.fixture(params=["tls", "starttls"])
def other_server(request: pytest.FixtureRequest, certificates: DemoCertificate) -> Iterator[tuple[Endpoint, Inbox]]:
    context: ssl.SSLContext = server_context(certificates.cert, certificates.key)
    inbox, port, implicit = Inbox(), free_port(), request.param == "tls"
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if implicit else None,
        tls_context=None if implicit else context,
        require_starttls=not implicit,
        auth_require_tls=not implicit,
        auth_required=True,
        authenticator=check,
        enable_SMTPUTF8=True,
    )
    controller.start()
    yield Endpoint("localhost", port, request.param, allow_private=True, ca_pem=certificates.ca_pem), inbox
    controller.stop()


ANNA = Credential("anna", Secret("pässword"))


def test_another_server_takes_it(other_server: tuple[Endpoint, Inbox]) -> None:
    endpoint, inbox = other_server
    result = send(endpoint, ANNA, "ben@example.net", "dörte@example.net", data=b".x\n.\nlast")
    assert (result.final_code, result.queued_id_text) == (250, "A1B2C3")
    (envelope,) = inbox.envelopes
    assert envelope.rcpt_tos == ["ben@example.net", "dörte@example.net"]
    assert envelope.original_content == b".x\r\n.\r\nlast\r\n"


def test_another_server_refuses_the_password(other_server: tuple[Endpoint, Inbox]) -> None:
    endpoint, inbox = other_server
    with pytest.raises(AuthenticationFailed):
        send(endpoint, Credential("anna", Secret("wrong")), "ben@example.net")
    assert inbox.envelopes == []


def test_another_server_must_prove_who_it_is(other_server: tuple[Endpoint, Inbox]) -> None:
    endpoint, inbox = other_server
    with pytest.raises(TlsFailed):
        send(Endpoint("localhost", endpoint.port, endpoint.security, allow_private=True), ANNA, "ben@example.net")
    assert inbox.envelopes == []
