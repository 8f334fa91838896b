"""What the token endpoint's answers mean, against a real HTTPS server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.tls import DemoCertificate, ensure_certificate
from tests.support.token_server import NO_CLIENT, OUT_OF_ORDER, WITHDRAWN, Answer, TokenServer, token_server, tokens
from webmail.protocols import oauth
from webmail.protocols.errors import MailServerError, ProtocolViolation, Throttled, TlsFailed, Unreachable
from webmail.protocols.oauth import AuthorisationWithdrawn, ClientRefused

FORM = {"grant_type": "refresh_token", "refresh_token": "s3cret-refresh", "client_secret": "s3cret-client"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> DemoCertificate:
    return ensure_certificate(Path(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def server(certificate: DemoCertificate) -> Iterator[TokenServer]:
    with token_server(certificate) as made:
        yield made


def ask(server: TokenServer) -> oauth.Tokens:
    return oauth.ask(server.url, FORM, ca_pem=server.certificate.ca_pem)


def test_tokens_come_out_and_do_not_print(server: TokenServer) -> None:
    server.answers = [tokens("abc", refresh="def", seconds=120)]
    found = ask(server)
    assert found.refresh is not None
    assert (found.access.reveal(), found.refresh.reveal(), found.seconds) == ("abc", "def", 120)
    assert "abc" not in repr(found)
    assert server.asked == [FORM]


@pytest.mark.parametrize("lasts", [None, "soon", [], 10**30, -5])
def test_an_odd_lifetime_is_no_reason_to_fail(server: TokenServer, lasts: object) -> None:
    server.answers = [(200, {"access_token": "abc", "expires_in": lasts, "refresh_token": 7})]
    found = ask(server)
    assert 0 <= found.seconds <= 30 * 24 * 3600
    assert found.refresh is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (WITHDRAWN, AuthorisationWithdrawn),
        (NO_CLIENT, ClientRefused),
        ((400, {"error": "invalid_request"}), ClientRefused),
        (OUT_OF_ORDER, Unreachable),
        ((502, b"<html>"), Unreachable),
        ((429, {}), Throttled),
        ((200, b"hello"), ProtocolViolation),
        ((200, {"access_token": ["x"]}), ProtocolViolation),
        ((200, b"[" * 60_000), ProtocolViolation),
        ((200, b"x" * 100_000), ProtocolViolation),
        ((302, b""), ProtocolViolation),
    ],
)
def test_what_an_answer_means(server: TokenServer, answer: Answer, error: type[MailServerError]) -> None:
    server.answers = [answer]
    with pytest.raises(error) as caught:
        ask(server)
    assert type(caught.value) is error


def test_a_server_that_echoes_what_it_was_sent_gives_nothing_away(server: TokenServer) -> None:
    words = "bad token s3cret-refresh for s3cret-client\r\nX: y"
    server.answers = [(400, {"error": "invalid_grant", "error_description": words})]
    with pytest.raises(AuthorisationWithdrawn) as caught:
        ask(server)
    assert "s3cret" not in str(caught.value)
    assert caught.value.server_line == "invalid_grant bad token *** for *** X: y"


def test_only_https_with_a_certificate_that_is_right(server: TokenServer) -> None:
    server.answers = [tokens("abc")]
    with pytest.raises(ClientRefused):
        oauth.ask(server.url.replace("https", "http"), FORM)
    with pytest.raises(TlsFailed):
        oauth.ask(server.url, FORM)
    assert server.asked == []
