"""S56: a mail password shows up nowhere: not in logs, rows, Redis, pages, task arguments or an exception's text."""

import copy
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter

from accounts.models import Credential, MailAccount, User
from accounts.services import credentials, provisioning
from deploy.demo.tls import DemoCertificate
from tests import factories
from webmail import connections, tasks
from webmail.celery import app
from webmail.models import Outgoing
from webmail.protocols import net
from webmail.services import drafts, outbox
from webmail.sync.account import sync_account

from .ground import World, addresses, every_row, routes
from .secrets_seen import PLAIN, seen
from .trap import Trap
from .trapped import SECRETS, account_at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every logger at its most talkative, also those that the settings keep quiet."""
    quiet = [logging.getLogger(name) for name in ("imapclient", "django", "celery", "django.server")]
    before = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield
    for logger, level in zip(quiet, before, strict=True):
        logger.setLevel(level)


def kept(redis_url: str) -> str:
    """All that is kept anywhere: every row of every table, every key of Redis, the queues' messages with them."""
    found = [repr(every_row())]
    for database in (0, 1):
        with redis.Redis.from_url(redis_url, db=database) as raw:
            for key in raw.scan_iter():
                kind = raw.type(key)
                value: Any = raw.lrange(key, 0, -1) if kind == b"list" else raw.hgetall(key) if kind == b"hash" else b""
                found.append(f"{key!r} {value if kind != b'string' else raw.get(key)!r}")
    return "\n".join(found)


@SECRETS
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_s56_a_refused_login(
    protocol: str,
    secret: str,
    traps: dict[str, Trap],
    certificates: DemoCertificate,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = account_at(traps, certificates, secret, protocol)
    for _ in range(3):
        tasks.sync.sync_account.apply(args=(account.pk,)).get()
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("refused", "auth")
    assert "you said" in account.server_line
    assert seen(secret, bytes(traps[protocol].sealed))
    assert seen(secret, caplog.text, kept(redis_url)) == []


@SECRETS
def test_s56_a_refused_submission(
    secret: str,
    traps: dict[str, Trap],
    certificates: DemoCertificate,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    account = account_at(traps, certificates, secret)
    fields = drafts.Fields(identity=account.identities.get(), to="x@x.example", subject="s", text="t", plain=True)
    made = outbox.submit(drafts.save(account.user, fields)[0])
    Outgoing.objects.filter(pk=made.pk).update(send_after=timezone.now())
    tasks.send.send.apply(args=(made.pk,)).get()
    made.refresh_from_db()
    assert made.error_code == "auth"
    assert "you said" in made.server_line
    assert seen(secret, caplog.text, kept(redis_url)) == []


@SECRETS
def test_s56_an_exception_in_a_task(
    secret: str, monkeypatch: pytest.MonkeyPatch, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours in the middle of a login, with the credential at hand: what is raised and logged says nothing."""
    account = factories.account(factories.user("Alice"))
    credentials.store(account, password=secret)

    def broken(endpoint: object, credential: net.Credential) -> None:
        plain = credential.secret.reveal()
        raise RuntimeError(f"{credential} {credential!r} {credential.secret} {len(plain)}")

    monkeypatch.setattr("webmail.connections.imap.connect", broken)
    tasks.sync.sync_account.apply(args=(account.pk,))
    account.refresh_from_db()
    assert account.error_code == "internal"
    assert "RuntimeError" in caplog.text
    assert seen(secret, caplog.text, kept(redis_url)) == []


@SECRETS
@pytest.mark.parametrize("bad", ["\r\nX1 DELETE INBOX", "\0", "\x01"])
def test_s56_a_password_that_no_server_could_take(
    bad: str,
    secret: str,
    traps: dict[str, Trap],
    certificates: DemoCertificate,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """S24 beside it: it is refused before anything is dialled."""
    account = account_at(traps, certificates, secret + bad)
    sync_account(account.pk)
    account.refresh_from_db()
    assert not traps["imap"].handshakes
    assert account.error_code == "auth"
    assert seen(secret, caplog.text, kept(redis_url)) == []


FORMS: dict[str, list[str]] = {
    "account_add": ["password", "outgoing_password"],
    "address_book_add": ["password"],
    "account_password": ["password", "outgoing_password"],
    "account": ["password"],
    "password": ["old_password", "new_password1", "new_password2"],
    "signin": ["password"],
}


@SECRETS
@pytest.mark.parametrize("form", FORMS)
def test_s56_a_refused_form_does_not_print_it_back(
    form: str, secret: str, alice: World, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    args = [alice.account.pk] if form in ("account", "account_password") else []
    usual = {"username": "nobody@x.example", "address": "not an address", "part": "details", "incoming_host": "no/host"}
    data = usual | dict.fromkeys(FORMS[form], secret)
    if form == "account_password":
        data["password"] = ""
    client = Client() if form == "signin" else alice.client
    response = client.post(reverse(f"mail:{form}", args=args), data)
    assert response.status_code == 422
    assert seen(secret, response.content, caplog.text, kept(redis_url)) == []


@SECRETS
def test_s56_a_page_that_fails(
    secret: str, alice: World, monkeypatch: pytest.MonkeyPatch, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The 500 page, what is logged of it, and the report that Django would send to an operator."""

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(provisioning, "add_account", broken)
    alice.client.raise_request_exception = False
    data = {"address": "new@x.example", "password": secret, "outgoing_password": secret, "protocol": "imap"}
    response = alice.client.post(reverse("mail:account_add"), data)
    assert response.status_code == 500
    assert b"no such luck" not in response.content
    assert b"RuntimeError" not in response.content
    assert "RuntimeError" in caplog.text
    assert seen(secret, response.content, caplog.text, kept(redis_url)) == []
    failed: Any = response  # with what the test client adds to it
    report = ExceptionReporter(failed.wsgi_request, *failed.exc_info)
    assert "no such luck" in report.get_traceback_text()
    assert seen(secret, report.get_traceback_text()) == []


@SECRETS
def test_s56_tasks_are_told_ids(
    secret: str, alice: World, monkeypatch: pytest.MonkeyPatch, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[tuple[object, ...]] = []
    real = app.send_task

    def send_task(name: str, **options: Any) -> object:
        sent.append((name, options))
        return real(name, **options)

    monkeypatch.setattr(app, "send_task", send_task)
    added = {"address": "new@x.example", "password": secret, "incoming_host": "mail.x.example"}
    assert (
        alice.client.post(reverse("mail:account_add"), added | {"outgoing_host": "mail.x.example"}).status_code == 302
    )
    changed = reverse("mail:account_password", args=[alice.account.pk])
    assert alice.client.post(changed, {"password": secret, "outgoing_password": secret}).status_code == 302
    assert len(sent) >= 2
    for _name, options in sent:
        assert all(isinstance(one, int) for one in options["args"]), options  # type: ignore[index]  # recorded above
    assert seen(secret, repr(sent), kept(redis_url), caplog.text) == []


@SECRETS
def test_s56_nothing_prints_its_secret(secret: str) -> None:
    account = factories.account(factories.user("Alice"))
    credentials.store(account, password=secret, outgoing_password=secret)
    row = Credential.objects.get(account=account)
    held = connections.incoming_credential(account)
    shown = [repr(row), str(row), repr(vars(row)), repr(account), repr(held), str(held), f"{held}", f"{held.secret}"]
    shown += [
        repr(held.secret),
        f"{held.secret} {held!r}",
        repr(credentials.key_ring()),
        repr([held]),
        repr({1: held}),
    ]
    assert seen(secret, *shown) == []
    for held_one in (held, held.secret):
        with pytest.raises(TypeError):
            pickle.dumps(held_one)
        with pytest.raises(TypeError):
            copy.deepcopy(held_one)
    assert held.secret.reveal() == secret


def test_s56_a_broken_seal_says_nothing(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """S55 beside it: a ciphertext in another's row does not open, and the account says so in words."""
    alice, bob = (factories.account(factories.user(name)) for name in ("Alice", "Bob"))
    for account in (alice, bob):
        credentials.store(account, password=PLAIN)
    stolen = Credential.objects.get(account=alice)
    Credential.objects.filter(account=bob).update(data_key=stolen.data_key, sealed=stolen.sealed)
    bob = MailAccount.objects.get(pk=bob.pk)
    with pytest.raises(Exception) as raised:  # noqa: PT011  which one matters less than what it says
        connections.incoming_credential(bob)
    assert seen(PLAIN, "".join(traceback.format_exception(raised.value))) == []
    sync_account(bob.pk)
    bob.refresh_from_db()
    assert bob.error_code == "seal"
    assert seen(PLAIN, caplog.text, kept(redis_url)) == []


@SECRETS
def test_s56_no_page_shows_it(secret: str, alice: World, root: tuple[User, Client]) -> None:
    """Nor what it is sealed as, nor anybody's password hash."""
    credentials.store(alice.account, password=secret, outgoing_password=secret)
    row = Credential.objects.get(account=alice.account)
    hashes = User.objects.values_list("password", flat=True)
    hidden = [row.sealed, row.sealed_outgoing, row.data_key, *hashes]
    for route in (route for route in routes() if route.name != "live"):  # a stream, of ids alone
        client = root[1] if route.of_panel else alice.client
        for url in addresses(route, alice):
            response = client.get(url)
            if not response.streaming:
                assert seen(secret, response.content) == [], url
                assert not any(value.encode() in response.content for value in hidden), url
