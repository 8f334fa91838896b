"""Accounts that sign in by OAuth: a token that ends is replaced, and only a withdrawn authorisation asks its person."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Credential, MailAccount, OAuthProvider
from accounts.services import credentials, provisioning
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import account_on
from tests.support.scripted_imap import Heard, ScriptedImap
from tests.support.token_server import NO_CLIENT, OUT_OF_ORDER, WITHDRAWN, TokenServer, token_server, tokens
from webmail import tokens as held
from webmail.sync import due
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
State = MailAccount.State
REFUSAL = base64.b64encode(b'{"status":"401","schemes":"bearer"}')


@pytest.fixture
def endpoint(certificates: DemoCertificate) -> Iterator[TokenServer]:
    with token_server(certificates) as made:
        yield made


@pytest.fixture
def taken(script: ScriptedImap) -> set[str]:
    """Tokens the mail server takes; it knows no other way in."""
    good: set[str] = set()

    def bearer(heard: Heard) -> bytes:
        heard.client.say(b"+ ")
        found = re.search(r"auth=Bearer (\S+?)\x01", base64.b64decode(heard.client.line()).decode())
        if found is not None and found[1] in good:
            return b"%T OK in\r\n"
        heard.client.say(b"+ " + REFUSAL)
        heard.client.line()
        return b"%T NO [AUTHENTICATIONFAILED] Invalid credentials\r\n"

    script.offer(b"IMAP4rev1 AUTH=XOAUTH2 UNSELECT")
    script.answer(rb"\AAUTHENTICATE XOAUTH2$", bearer)
    return good


@pytest.fixture
def account(script: ScriptedImap, endpoint: TokenServer) -> MailAccount:
    """Just back from the provider, its code not yet exchanged."""
    made = account_on(script.endpoint, "anna@mail.test")
    provider = OAuthProvider(
        name="Provider",
        authorize_url="https://provider.example/authorize",
        token_url=endpoint.url,
        client_id="mailroom",
        scopes="mail",
        ca_certificates=endpoint.certificate.ca_pem,
    )
    provider.save()
    credentials.store_client_secret(provider, "client-secret-4711")
    provider.save()
    grant = {"code": "the-code", "code_verifier": "v" * 43, "redirect_uri": "https://here.example/back"}
    provisioning.update_grant(made, provider, grant)
    made.refresh_from_db()
    return made


def state(account: MailAccount) -> tuple[str, str]:
    sync_account(account.pk)
    account.refresh_from_db()
    return account.state, account.error_code


def end_token(account: MailAccount) -> None:
    Credential.objects.filter(account=account).update(renew_token_at=timezone.now() - timedelta(seconds=1))


def test_f28_the_code_becomes_tokens_and_the_token_lasts(
    account: MailAccount, endpoint: TokenServer, taken: set[str]
) -> None:
    taken.add("first")
    endpoint.answers = [tokens("first", refresh="refresh-1")]
    assert state(account) == state(account) == (State.WORKING, "")
    [form] = endpoint.asked
    assert form == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "code_verifier": "v" * 43,
        "redirect_uri": "https://here.example/back",
        "client_id": "mailroom",
        "client_secret": "client-secret-4711",
    }


def test_f28_a_token_that_ends_is_replaced_and_a_new_refresh_token_kept(
    account: MailAccount, endpoint: TokenServer, taken: set[str]
) -> None:
    taken |= {"first", "second", "third"}
    endpoint.answers = [tokens("first", refresh="r1"), tokens("second", refresh="r2"), tokens("third")]
    for _ in range(3):
        assert state(account) == (State.WORKING, "")
        end_token(account)
    assert [form.get("refresh_token") for form in endpoint.asked] == [None, "r1", "r2"]


def test_f28_a_token_the_server_refuses_before_its_time_is_replaced_once(
    account: MailAccount, endpoint: TokenServer, taken: set[str], script: ScriptedImap
) -> None:
    taken.add("second")
    endpoint.answers = [tokens("first", refresh="r1"), tokens("second")]
    assert state(account) == (State.WORKING, "")
    taken.clear()
    endpoint.answers = [tokens("third")]
    before = script.logins
    assert state(account) == (State.FAILING, "auth")
    assert script.logins == before + 2


def test_f28_an_outage_of_the_provider_is_waited_for(
    account: MailAccount, endpoint: TokenServer, taken: set[str]
) -> None:
    taken |= {"first", "second"}
    endpoint.answers = [tokens("first", refresh="r1"), OUT_OF_ORDER]
    assert state(account) == (State.WORKING, "")
    end_token(account)
    for _ in range(4):  # however often
        assert state(account) == (State.UNREACHABLE, "unreachable")
    assert account.refused_logins == 0
    endpoint.answers = [tokens("second")]
    assert state(account) == (State.WORKING, "")


def test_f28_a_withdrawn_authorisation_stops_at_once_and_says_what_helps(
    account: MailAccount, endpoint: TokenServer, taken: set[str], script: ScriptedImap
) -> None:
    taken.add("first")
    endpoint.answers = [tokens("first", refresh="r1"), WITHDRAWN]
    assert state(account) == (State.WORKING, "")
    end_token(account)
    logins = script.logins
    assert state(account) == (State.PASSWORD_REFUSED, "withdrawn")
    asked = len(endpoint.asked)
    state(account)
    MailAccount.objects.update(next_run_at=timezone.now())
    assert due.claim_accounts() == []
    assert (len(endpoint.asked), script.logins) == (asked, logins)
    client = Client()
    client.force_login(account.user)
    page = client.get(reverse("mail:account", args=[account.pk])).content.decode()
    assert "sign in again" in page
    cure = client.get(reverse("mail:account_password", args=[account.pk]))
    assert reverse("mail:oauth_begin", args=[account.credential.provider_id]) in cure.headers["Location"]
    taken.add("new")
    endpoint.answers = [tokens("new", refresh="r9")]
    assert account.credential.provider is not None
    provisioning.update_grant(account, account.credential.provider, {"code": "again"})
    assert state(account) == (State.WORKING, "")


def test_f28_an_installation_the_provider_does_not_know_is_the_administrators(
    account: MailAccount, endpoint: TokenServer
) -> None:
    endpoint.answers = [NO_CLIENT]
    assert state(account) == (State.FAILING, "client")
    assert account.refused_logins == 0


def test_f28_two_workers_ask_once(account: MailAccount, endpoint: TokenServer, taken: set[str]) -> None:
    endpoint.answers = [tokens("first", refresh="r1"), WITHDRAWN]
    found: list[str] = []

    def ask() -> None:
        try:
            token = held.access(account)
            assert token is not None
            found.append(token.reveal())
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["first"] * 4
    assert len(endpoint.asked) == 1


def test_f28_no_token_or_secret_is_stored_in_clear(account: MailAccount, endpoint: TokenServer) -> None:
    endpoint.answers = [tokens("access-token-in-clear", refresh="refresh-token-in-clear")]
    held.access(account)
    rows = str(list(Credential.objects.values())) + str(list(OAuthProvider.objects.values()))
    for secret in ("access-token-in-clear", "refresh-token-in-clear", "client-secret-4711", "the-code"):
        assert secret not in rows
