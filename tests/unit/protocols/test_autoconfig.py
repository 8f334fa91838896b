import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.discovery import candidates
from webmail.protocols.net import MAIL_PORTS, Endpoint


def test_a_known_provider_is_the_whole_answer() -> None:
    guesses = candidates("Anna.Example@GMail.com")
    assert {(guess.protocol, guess.host, guess.port, guess.security) for guess in guesses} == {
        ("imap", "imap.gmail.com", 993, "tls"),
        ("smtp", "smtp.gmail.com", 465, "tls"),
        ("pop3", "pop.gmail.com", 995, "tls"),
    }
    assert {guess.source for guess in guesses} == {"provider"}


def test_a_provider_with_starttls_only_and_no_pop() -> None:
    guesses = {guess.protocol: guess for guess in candidates("anna@icloud.com")}
    assert (guesses["smtp"].port, guesses["smtp"].security) == (587, "starttls")
    assert "pop3" not in guesses


def test_conventional_names_prefer_tls() -> None:
    guesses = candidates("anna@bücher.example")
    assert [(g.host, g.port) for g in guesses if g.protocol == "smtp"] == [
        ("smtp.xn--bcher-kva.example", 465),
        ("smtp.xn--bcher-kva.example", 587),
        ("mail.xn--bcher-kva.example", 465),
        ("mail.xn--bcher-kva.example", 587),
    ]
    assert guesses[0].host == "imap.xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["", "anna", "anna@", "anna@localhost"])
def test_no_address_no_guess(address: str) -> None:
    assert candidates(address) == []


@given(st.emails())
def test_every_guess_is_an_encrypted_endpoint(address: str) -> None:
    for guess in candidates(address):
        assert guess.port in MAIL_PORTS
        assert Endpoint(guess.host, guess.port, guess.security).host == guess.host
