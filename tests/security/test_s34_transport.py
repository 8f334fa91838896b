"""S34: a server that does not prove who it is, or offers no TLS, gets no password, neither fetching nor sending."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import MailAccount, MailServer
from accounts.services import credentials
from deploy.demo.tls import DemoCertificate, server_context
from tests import factories
from webmail.delivery.submit import submit
from webmail.models import Outgoing
from webmail.sync.account import sync_account

from .ground import World
from .secrets_seen import BEYOND_ASCII, PLAIN, forms, seen
from .trap import PREAUTH, Trap, expired

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = (b"LOGIN", b"AUTHENTICATE", b"AUTH", b"USER", b"PASS")


@dataclass(frozen=True)
class Case:
    """How the server misbehaves, and what the account is told to trust and to ask for."""

    trap: dict[str, object]
    security: str = "tls"
    trusts: bool = True
    host: str = "localhost"
    expired: bool = False


CASES = {
    "unknown authority": Case({"at_once": True}, trusts=False),
    "another host's certificate": Case({"at_once": True, "address": "127.0.0.2"}, host="127.0.0.2"),
    "expired": Case({"at_once": True}, expired=True),
    "no TLS on the port for it": Case({}),
    "STARTTLS not offered": Case({"offers": False}, "starttls"),
    "STARTTLS refused": Case({"grants": False}, "starttls"),
    "STARTTLS of an unknown authority": Case({}, "starttls", trusts=False),
    "STARTTLS of another host": Case({"address": "127.0.0.2"}, "starttls", host="127.0.0.2"),
    "PREAUTH": Case({"greeting": PREAUTH}, "starttls"),
}


def arrange(case: Case, protocol: str, certificates: DemoCertificate, folder: Path) -> tuple[Trap, str]:
    context, pem = server_context(certificates.cert, certificates.key), certificates.ca_pem
    if case.expired:
        context, pem = expired(folder)
    return Trap(protocol, context, **case.trap), pem if case.trusts else ""  # type: ignore[arg-type]  # one table


def account_on(trap: Trap, case: Case, pem: str, secret: str) -> MailAccount:
    account = factories.account(factories.user("Alice"), protocol="pop3" if trap.protocol == "pop3" else "imap")
    server = MailServer.objects.create(
        protocol=trap.protocol,
        host=case.host,
        port=trap.port,
        security=case.security,
        trusted=True,
        ca_certificates=pem,
    )
    MailAccount.objects.filter(pk=account.pk).update(
        **{"outgoing" if trap.protocol == "smtp" else "incoming": server, "state": "working"}
    )
    account.refresh_from_db()
    credentials.store(account, password=secret)
    return account


def work(account: MailAccount, protocol: str) -> tuple[str, str]:
    """One pass, or one try to send; what is written down about it."""
    if protocol == "smtp":
        outgoing = outgoing_of(account)
        submit(outgoing.pk)
        outgoing.refresh_from_db()
        return outgoing.state, outgoing.error_code
    sync_account(account.pk)
    account.refresh_from_db()
    return account.state, account.error_code


def outgoing_of(account: MailAccount) -> Outgoing:
    from webmail.services import drafts, outbox

    fields = drafts.Fields(identity=account.identities.get(), to="x@x.example", subject="s", text="t", plain=True)
    made = outbox.submit(drafts.save(account.user, fields)[0])
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    return made


@pytest.mark.parametrize("what", CASES)
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_s34_no_proof_no_password(what: str, protocol: str, certificates: DemoCertificate, tmp_path: Path) -> None:
    if what == "PREAUTH" and protocol != "imap":
        pytest.skip("only IMAP has it")
    case = CASES[what]
    trap, pem = arrange(case, protocol, certificates, tmp_path)
    with trap:
        account = account_on(trap, case, pem, PLAIN)
        state, code = work(account, protocol)
    for heard in (bytes(trap.clear), bytes(trap.sealed)):
        assert seen(PLAIN, heard) == []
        assert not any(word in heard.upper().split() for word in WORDS), heard
    assert state not in ("working", "sent"), (state, code)
    assert code == ("protocol" if what == "PREAUTH" else "tls"), (state, code)


@pytest.mark.parametrize("secret", [PLAIN, BEYOND_ASCII])
@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_s34_the_right_server_gets_it_inside_tls_only(
    protocol: str, security: str, secret: str, certificates: DemoCertificate, tmp_path: Path
) -> None:
    """The trap does hear a password when it has proved itself, so that the test above could fail."""
    case = Case({"at_once": security == "tls"}, security)
    trap, pem = arrange(case, protocol, certificates, tmp_path)
    with trap:
        state, code = work(account_on(trap, case, pem, secret), protocol)
    assert trap.handshakes
    assert seen(secret, bytes(trap.sealed))
    assert seen(secret, bytes(trap.clear)) == []
    assert code == "auth", (state, code)


def test_s34_people_have_no_switch_for_it(alice: World) -> None:
    """Forms offer TLS at once or STARTTLS; a posted "none" is refused, and so is trust of one's own making."""
    data = {
        "address": "new@x.example",
        "password": "p",
        "incoming_host": "mail.x.example",
        "outgoing_host": "smtp.x.example",
    }
    forged = {"incoming_security": "none", "trusted": "on", "ca_certificates": "x", "allow_private": "1"}
    assert alice.client.post(reverse("mail:account_add"), data | forged).status_code == 422
    alice.client.post(reverse("mail:account_add"), data | forged | {"incoming_security": "starttls"})
    made = MailServer.objects.get(host="mail.x.example")
    assert (made.security, made.trusted, made.ca_certificates) == ("starttls", False, "")
    assert {value for value, _ in MailServer.Security.choices} == {"tls", "starttls"}


def test_s34_forms_of_a_secret_are_recognised() -> None:
    for secret in (PLAIN, BEYOND_ASCII):
        assert all(seen(secret, b"x" + value + b"x") for value in forms(secret).values())
        assert len(set(forms(secret).values())) >= 5
