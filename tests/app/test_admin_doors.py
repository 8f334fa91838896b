"""The panel exists for administrators alone, and shows no secret on any page."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from accounts.admin.site import site
from accounts.models import AuditEvent, Credential, MailAccount, OAuthProvider, Organisation, User
from accounts.services import credentials
from tests import factories
from tests.app.conftest import Somebody

MAIL_PASSWORD = "seeded-mail-password-7f3a"
SENDING_PASSWORD = "seeded-sending-password-91bc"
CLIENT_SECRET = "seeded-client-secret-5d20"


def addresses(patterns: list[URLPattern | URLResolver], before: str = "/admin/") -> Iterator[str]:
    """Every address of the site, its parameters filled in."""
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, here)
            continue
        for parameter, value in {
            "<path:object_id>": "1",
            "<int:pk>": "1",
            "<slug:name>": "suspend",
            "(?P<url>.*)$": "login/",
        }.items():
            here = here.replace(parameter, value)
        assert "<" not in here, f"a parameter without a value in this test: {here}"
        yield here


ADDRESSES = sorted({*addresses(site.get_urls()), "/admin/login/", "/admin/logout/", "/admin", "/admin/jsi18n/"})


@pytest.fixture
def keeper(db: None) -> User:
    return User.objects.create_superuser("keeper@mailroom.example", "a long enough password", name="Ada Keeper")


@pytest.fixture
def panel(keeper: User) -> Client:
    client = Client()
    client.force_login(keeper)
    return client


@pytest.fixture
def sealed(alice: Somebody) -> list[str]:
    """What no page may hold: passwords, what they are sealed as, and the key that seals them."""
    account = alice.account
    credentials.store(
        account, password=MAIL_PASSWORD, outgoing_password=SENDING_PASSWORD, outgoing_username="smtp-name"
    )
    row = Credential.objects.get(account=account)
    provider = OAuthProvider(
        name="Post", authorize_url="https://a.example/", token_url="https://a.example/", client_id="c"
    )
    provider.save()
    credentials.store_client_secret(provider, CLIENT_SECRET)
    provider.save()
    of_provider = [CLIENT_SECRET, provider.sealed_secret, provider.data_key]
    return [
        *of_provider,
        MAIL_PASSWORD,
        SENDING_PASSWORD,
        row.sealed,
        row.sealed_outgoing,
        row.data_key,
        alice.user.password,
    ]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_person_and_a_passer_by_get_404(alice: Somebody, address: str, method: str) -> None:
    for client in (alice.client, Client()):
        reply = getattr(client, method)(address, follow=address == "/admin")
        assert reply.status_code == 404


@pytest.mark.parametrize(("staff", "superuser"), [(True, False), (False, True)])
def test_half_an_administrator_is_none(alice: Somebody, staff: bool, superuser: bool) -> None:
    User.objects.filter(pk=alice.user.pk).update(is_staff=staff, is_superuser=superuser)
    assert alice.client.get("/admin/").status_code == 404


def test_nobody_is_no_administrator() -> None:
    request = RequestFactory().get("/admin/")
    request.user = AnonymousUser()
    assert not site.has_permission(request)


def test_only_accounts_models_are_registered_and_no_credential() -> None:
    names = {model._meta.label for model in site._registry}
    assert {name.partition(".")[0] for name in names} == {"accounts"}
    assert "accounts.Credential" not in names


def test_every_page_answers_and_holds_no_secret(panel: Client, alice: Somebody, sealed: list[str]) -> None:
    subject = alice.placement.message
    subject.subject = "seeded-subject-of-a-letter"
    subject.save(update_fields=["subject"])
    MailAccount.objects.filter(pk=alice.account.pk).update(state="failing", error_code="auth", server_line="NO [X] why")
    AuditEvent.objects.create(action="account.suspended", target=alice.account.address)
    pages = ["/admin/", "/admin/?q=alice&state=failing", "/admin/find/", "/admin/find/?q=a"]
    for model, desk in site._registry.items():
        row = model._default_manager.first()
        assert row is not None, f"{model} has no row to show"
        name = f"admin:accounts_{model._meta.model_name}"
        pages += [reverse(f"{name}_changelist"), reverse(f"{name}_changelist") + "?q=harbour"]
        pages += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history")]
        pages += [reverse(f"{name}_act", args=[row.pk, intent]) for intent in desk.intents]  # type: ignore[attr-defined]  # every desk is ours
    pages += [reverse(f"admin:accounts_{name}_add") for name in ("organisation", "user", "mailserver")]
    pages += [reverse("admin:accounts_user_password", args=[alice.user.pk])]
    pages += [reverse("admin:accounts_mailserver_delete", args=[alice.account.incoming_id])]
    for page in pages:
        reply = panel.get(page)
        assert reply.status_code == 200, page
        text = reply.content.decode()
        for secret in [*sealed, "seeded-subject", "Secret of Alice"]:
            assert secret not in text, f"{page} holds a secret"
        assert " style=" not in text, f"{page}: the policy forbids style attributes"
        assert "<style" not in text, f"{page}: the policy forbids inline styles"
        assert text.count("<script") == text.count('<script type="module" src='), page


@pytest.mark.parametrize("page", ["accounts_mailaccount_add", "accounts_auditevent_add"])
def test_accounts_and_the_trail_are_not_added_here(panel: Client, page: str) -> None:
    assert panel.get(reverse(f"admin:{page}")).status_code == 403


@pytest.mark.parametrize("model", ["organisation", "user", "mailaccount", "auditevent"])
def test_rows_that_carry_mail_or_history_are_not_deleted_here(panel: Client, alice: Somebody, model: str) -> None:
    AuditEvent.objects.create(action="x", target="y")
    rows = {"organisation": Organisation, "user": User, "mailaccount": MailAccount, "auditevent": AuditEvent}
    row = rows[model]._default_manager.first()
    assert row is not None
    address = reverse(f"admin:accounts_{model}_delete", args=[row.pk])
    assert panel.post(address, {"post": "yes"}).status_code == 403
    assert rows[model]._default_manager.filter(pk=row.pk).exists()


def test_the_trail_cannot_be_rewritten(panel: Client) -> None:
    line = AuditEvent.objects.create(action="account.suspended", target="a@b.example")
    panel.post(reverse("admin:accounts_auditevent_change", args=[line.pk]), {"action": "nothing", "target": "nobody"})
    line.refresh_from_db()
    assert line.target == "a@b.example"


def test_extra_fields_of_a_form_change_nothing_else(panel: Client, alice: Somebody) -> None:
    address = reverse("admin:accounts_user_change", args=[alice.user.pk])
    reply = panel.post(address, {"email": alice.user.email, "name": "Alice B", "is_staff": "on", "is_superuser": "on"})
    assert reply.status_code == 302
    alice.user.refresh_from_db()
    assert (alice.user.name, alice.user.is_staff, alice.user.is_superuser) == ("Alice B", False, False)


def test_the_list_pages_ask_the_same_number_of_queries_for_many_rows(
    panel: Client, alice: Somebody, django_assert_max_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            panel.get("/admin/")
            panel.get(reverse("admin:accounts_mailaccount_changelist"))
        return len(seen)

    MailAccount.objects.update(state="failing")
    few = asked()
    for number in range(5):
        factories.account(factories.user(f"Person{number}"), state="refused")
    assert asked() == few
