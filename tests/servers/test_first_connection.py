"""An account whose servers were guessed: the next guess is tried before its owner is told of a failure."""

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import provisioning
from accounts.services.provisioning import ServerChoice
from tests import factories
from webmail.protocols.errors import MailServerError, Unreachable
from webmail.sync import account as passes
from webmail.sync.account import sync_account
from webmail.sync.due import claim_accounts

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_next_guess_comes_before_the_bad_news(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def nobody(account: MailAccount) -> MailServerError:
        tried.append(account.incoming.host)
        raise Unreachable("no answer")

    monkeypatch.setattr(passes, "open_imap", nobody)
    made = provisioning.add_account(
        factories.user("Alice"), protocol="imap", address="alice@harbour.example", password="one"
    )
    sync_account(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error_code, made.failures) == ("new", "", 0)
    assert made.next_run_at <= timezone.now()
    assert claim_accounts() == [made.pk]
    sync_account(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error_code) == ("unreachable", "unreachable")
    assert tried == ["imap.harbour.example", "mail.harbour.example"]


def test_what_its_owner_chose_is_not_guessed_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(account: MailAccount) -> MailServerError:
        raise Unreachable("no answer")

    monkeypatch.setattr(passes, "open_imap", nobody)
    made = provisioning.add_account(
        factories.user("Alice"),
        protocol="imap",
        address="alice@harbour.example",
        password="one",
        incoming=ServerChoice("imap", "mx.elsewhere.example", 993),
    )
    sync_account(made.pk)
    made.refresh_from_db()
    assert (made.state, made.incoming.host) == ("unreachable", "mx.elsewhere.example")
