"""Alice and Bob of one organisation, Charlie a stranger; each with an account, an inbox and a message."""

from dataclasses import dataclass

import pytest
from django.test import Client

from accounts.models import MailAccount, User
from tests import factories
from webmail.models import Mailbox, Placement

pytestmark = pytest.mark.django_db


@dataclass
class Somebody:
    user: User
    account: MailAccount
    inbox: Mailbox
    trash: Mailbox
    archive: Mailbox
    placement: Placement
    client: Client


def somebody(name: str, org: str = "Harbour Lane") -> Somebody:
    user = factories.user(name, org)
    account = factories.account(user)
    inbox = factories.mailbox(account)
    client = Client()
    client.force_login(user)
    return Somebody(
        user=user,
        account=account,
        inbox=inbox,
        trash=factories.mailbox(account, "trash"),
        archive=factories.mailbox(account, "archive"),
        placement=factories.message(inbox, subject=f"For {name}", text=f"Secret of {name}"),
        client=client,
    )


@pytest.fixture
def alice(db: None) -> Somebody:
    return somebody("Alice")


@pytest.fixture
def bob(db: None) -> Somebody:
    return somebody("Bob")


@pytest.fixture
def charlie(db: None) -> Somebody:
    return somebody("Charlie", "Elsewhere")
