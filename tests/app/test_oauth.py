"""Signing in to mail at a provider: out with a challenge, back with a form, and nobody else's state is taken."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Credential, MailAccount, OAuthProvider
from accounts.services import credentials
from tests import factories

from .conftest import Somebody


@pytest.fixture
def provider(db: None) -> OAuthProvider:
    return OAuthProvider.objects.create(
        organisation=factories.organisation(),
        name="Post Office",
        authorize_url="https://login.post.example/authorize?tenant=7",
        token_url="https://login.post.example/token",
        client_id="mailroom-1",
        scopes="imap smtp offline",
    )


def leave(who: Somebody, provider: OAuthProvider, **query: int) -> dict[str, str]:
    """What the provider is told."""
    answer = who.client.get(reverse("mail:oauth_begin", args=[provider.pk]), query)
    assert answer.status_code == 302
    place = urlsplit(answer.headers["Location"])
    assert (place.scheme, place.netloc, place.path) == ("https", "login.post.example", "/authorize")
    return {name: values[0] for name, values in parse_qs(place.query).items()}


def come_back(who: Somebody, state: str, **fields: object) -> int:
    data = {"state": state, "code": "c0de", "address": "alice@post.example"} | fields
    return who.client.post(reverse("mail:oauth_finish"), data).status_code


def test_out_and_back_makes_an_account_whose_code_a_worker_exchanges(alice: Somebody, provider: OAuthProvider) -> None:
    asked = leave(alice, provider)
    assert asked["redirect_uri"] == "http://testserver" + reverse("mail:oauth_finish")
    assert (asked["tenant"], asked["client_id"], asked["code_challenge_method"]) == ("7", "mailroom-1", "S256")
    page = alice.client.get(reverse("mail:oauth_finish"), {"state": asked["state"], "code": "c0de"})
    assert "Post Office" in page.content.decode()
    assert MailAccount.objects.filter(user=alice.user).count() == 1  # a visit alone adds nothing
    assert come_back(alice, asked["state"]) == 302
    account = MailAccount.objects.get(user=alice.user, address="alice@post.example")
    grant = credentials.grant(account)
    assert grant is not None
    assert (grant.provider, grant.code["code"], grant.refresh) == (provider, "c0de", "")
    assert len(grant.code["code_verifier"]) >= 43
    assert "c0de" not in str(Credential.objects.filter(account=account).values())


def test_signing_in_again_renews_the_account_it_was_for(alice: Somebody, provider: OAuthProvider) -> None:
    MailAccount.objects.filter(pk=alice.account.pk).update(state="refused", error_code="withdrawn", refused_logins=3)
    asked = leave(alice, provider, account=alice.account.pk)
    assert asked["login_hint"] == alice.account.address
    assert come_back(alice, asked["state"], address="") == 302
    alice.account.refresh_from_db()
    assert (alice.account.state, alice.account.error_code) == ("working", "")
    assert MailAccount.objects.filter(user=alice.user).count() == 1


def test_a_state_is_good_for_its_person_and_a_while(
    alice: Somebody, bob: Somebody, provider: OAuthProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = leave(alice, provider)["state"]
    for who, given in ((bob, state), (alice, state[:-1] + "x"), (alice, "")):
        assert come_back(who, given) == 422
    assert come_back(alice, state, code="") == 422
    monkeypatch.setattr("webmail.views.oauth._SECONDS", -1)
    assert come_back(alice, state) == 422
    assert not MailAccount.objects.filter(address="alice@post.example").exists()


def test_what_is_wrong_with_the_address_is_said_beside_it(alice: Somebody, provider: OAuthProvider) -> None:
    state = leave(alice, provider)["state"]
    for address in ("nonsense", alice.account.address, "a@b\r\nBcc: x@y.example"):
        assert come_back(alice, state, address=address) == 422


def test_a_provider_of_another_organisation_is_404(charlie: Somebody, provider: OAuthProvider) -> None:
    assert charlie.client.get(reverse("mail:oauth_begin", args=[provider.pk])).status_code == 404
    assert "Post Office" not in charlie.client.get(reverse("mail:account_add")).content.decode()


def test_another_persons_account_cannot_be_signed_in_again(
    alice: Somebody, bob: Somebody, provider: OAuthProvider
) -> None:
    address = reverse("mail:oauth_begin", args=[provider.pk])
    assert bob.client.get(address, {"account": alice.account.pk}).status_code == 404


def test_a_no_at_the_provider_leads_back_with_words(alice: Somebody, provider: OAuthProvider) -> None:
    state = leave(alice, provider)["state"]
    answer = alice.client.get(reverse("mail:oauth_finish"), {"state": state, "error": "access_denied"})
    assert "told no" in answer.content.decode()


def test_an_administrator_sets_a_provider_up_and_never_sees_the_secret(db: None) -> None:
    admin = Client()
    admin.force_login(factories.user("Ada", is_staff=True, is_superuser=True))
    fields = {
        "name": "Post Office",
        "authorize_url": "https://login.post.example/authorize",
        "token_url": "https://login.post.example/token",
        "client_id": "mailroom-1",
        "client_secret": "s3cret-of-client",
        "scopes": "imap",
    }
    place = reverse("admin:accounts_oauthprovider_add")
    assert "nothing else" in admin.post(place, fields | {"token_url": "http://x.example/"}).content.decode()
    assert admin.post(place, fields).status_code == 302
    made = OAuthProvider.objects.get()
    assert credentials.client_secret(made) == "s3cret-of-client"
    page = reverse("admin:accounts_oauthprovider_change", args=[made.pk])
    assert "s3cret-of-client" not in admin.get(page).content.decode()
    assert admin.post(page, fields | {"client_secret": "", "name": "Post"}).status_code == 302
    made.refresh_from_db()
    assert (made.name, credentials.client_secret(made)) == ("Post", "s3cret-of-client")


def test_a_form_sent_twice_does_not_replace_the_tokens_by_a_used_code(alice: Somebody, provider: OAuthProvider) -> None:
    """A double click, a reload, a second tab: a code is good once, so the same one again would end the sign-in."""
    state = leave(alice, provider, account=alice.account.pk)["state"]
    assert come_back(alice, state, address="") == 302
    credentials.store_tokens(alice.account, access="token", refresh="lasting", seconds=3600)
    assert come_back(alice, state, address="") == 302
    held = credentials.grant(alice.account)
    assert held is not None
    assert (held.access, held.refresh, held.code) == ("token", "lasting", {})
    fresh = leave(alice, provider, account=alice.account.pk)["state"]
    assert come_back(alice, fresh, address="", code="an0ther") == 302
    renewed = credentials.grant(alice.account)
    assert renewed is not None
    assert renewed.code["code"] == "an0ther"
