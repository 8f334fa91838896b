"""The POP3 client against a real Dovecot."""

import io

import pytest

from tests.support.dovecot import Dovecot
from webmail.protocols import pop3
from webmail.protocols.errors import AuthenticationFailed, CommandFailed, TlsFailed
from webmail.protocols.net import Credential, Endpoint, Secret

MESSAGES = {
    "plain": b"Subject: plain\r\n\r\nhello\r\n",
    "long lines": b"Subject: long\r\n\r\n" + b"y" * 3000 + b"\r\n" + b"z" * 1_000_000 + b"\r\n",
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\na.b\r\n.\r\n",
    "8-bit": "Subject: größe\r\n\r\nümläute ünd 日本語\r\n".encode(),
}


def open_session(dovecot: Dovecot, user: str, security: str = "tls") -> pop3.Session:
    return pop3.connect(dovecot.pop3_endpoint(security), dovecot.credential(user))


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_listing_and_bytes(dovecot: Dovecot, security: str) -> None:
    user = dovecot.add_user()
    dovecot.load_maildir(user, MESSAGES.values())
    with open_session(dovecot, user, security) as session:
        entries = session.listing()
        assert session.stat() == (len(MESSAGES), sum(entry.size for entry in entries))
        assert len({entry.uidl for entry in entries if entry.uidl}) == len(MESSAGES)
        for entry, message in zip(entries, MESSAGES.values(), strict=True):
            got = io.BytesIO()
            assert session.retrieve(entry.number, got, expected_size=entry.size) == len(message) == entry.size
            assert got.getvalue() == message
        assert session.top(3, 0) == b"Subject: dots\r\n\r\n"
        session.quit()


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    "capabilities",
    [{"SASL": ("PLAIN", "LOGIN")}, {"SASL": ("LOGIN",)}, {"USER": (), "SASL": ("LOGIN",)}, {}],
    ids=["PLAIN", "LOGIN", "USER", "nothing said"],
)
def test_every_way_to_log_in(
    dovecot: Dovecot,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    capabilities: dict[str, tuple[str, ...]],
) -> None:
    user = dovecot.add_user()
    monkeypatch.setattr(pop3, "_capabilities", lambda stream: capabilities)
    with open_session(dovecot, user, security) as session:
        assert session.stat() == (0, 0)
    wrong = Credential(user, Secret("not the password"))
    with pytest.raises(AuthenticationFailed):
        pop3.connect(dovecot.pop3_endpoint(security), wrong)


def uidls(dovecot: Dovecot, user: str) -> list[str | None]:
    with open_session(dovecot, user) as session:
        return [entry.uidl for entry in session.listing()]


def test_deletes_happen_at_quit_only(dovecot: Dovecot) -> None:
    user = dovecot.add_user()
    dovecot.load_maildir(user, MESSAGES.values())
    before = uidls(dovecot, user)
    with open_session(dovecot, user) as session:
        session.delete(1)  # and hang up
    assert uidls(dovecot, user) == before
    with open_session(dovecot, user) as session:
        session.delete(1)
        session.reset()
        session.delete(2)
        session.quit()
    assert uidls(dovecot, user) == [before[0], *before[2:]]


def test_a_message_that_is_not_there(dovecot: Dovecot) -> None:
    with open_session(dovecot, dovecot.add_user()) as session:
        assert session.listing() == []
        with pytest.raises(CommandFailed):
            session.retrieve(1, io.BytesIO())
        session.quit()


def test_a_wrong_password(dovecot: Dovecot) -> None:
    wrong = Credential(dovecot.add_user(), Secret("wröng"))
    with pytest.raises(AuthenticationFailed) as caught:
        pop3.connect(dovecot.pop3_endpoint(), wrong)
    assert "wröng" not in repr(caught.value)


def test_an_unknown_authority(dovecot: Dovecot) -> None:
    endpoint = Endpoint("localhost", dovecot.ports.pop3, "starttls", allow_private=True)
    with pytest.raises(TlsFailed):
        pop3.connect(endpoint, dovecot.credential(dovecot.add_user()))
