"""Search runs once for each account and merges: the order, the limits and the walls must not show it."""

from datetime import date, timedelta

import pytest
from django.urls import reverse

from tests import factories
from tests.app.conftest import Somebody
from webmail.queries import search as finding
from webmail.search import parse

pytestmark = pytest.mark.django_db


def indexed(box: object, subject: str, minutes: int) -> None:
    from webmail.models import MessageSearch
    from webmail.models.search_document import header_document

    placed = factories.message(box, subject=subject, at=factories.NOON - timedelta(minutes=minutes))  # type: ignore[arg-type]  # any mailbox
    message = placed.message
    document = header_document(message.account_id, subject, {})
    MessageSearch.objects.create(
        message=message, account_id=message.account_id, received_at=message.received_at, document=document
    )


def found(person: Somebody, text: str, after: str = "") -> tuple[list[str], str]:
    page = finding.search(person.user, parse(text, today=date(2026, 11, 24)), after=after)
    return [row.subject for row in page.rows], page.older


@pytest.fixture
def second_inbox(alice: Somebody) -> object:
    return factories.mailbox(factories.account(alice.user, "pop3"))


def test_hits_of_all_accounts_come_newest_first(alice: Somebody, second_inbox: object) -> None:
    for minutes, (box, subject) in enumerate(
        [(alice.inbox, "pier one"), (second_inbox, "pier two"), (alice.inbox, "pier three"), (second_inbox, "quay")]
    ):
        indexed(box, subject, minutes)
    assert found(alice, "pier")[0] == ["pier one", "pier two", "pier three"]


def test_a_folder_is_found_by_how_its_name_begins_unless_one_is_called_just_that(alice: Somebody) -> None:
    whole, longer = (factories.mailbox(alice.account, "", name) for name in ("Travel", "Travel/Räkenskap 2026"))
    indexed(whole, "pier to go", 1)
    indexed(longer, "pier to pay", 2)
    indexed(alice.inbox, "pier elsewhere", 3)
    assert found(alice, "in:travel")[0] == ["pier to go"]
    assert found(alice, "in:räken pier")[0] == ["pier to pay"]
    assert found(alice, "in:nowhere pier")[0] == []
    assert found(alice, "in:*** pier")[0] == []


def test_another_persons_mail_is_not_found(alice: Somebody, bob: Somebody) -> None:
    indexed(bob.inbox, "pier of Bob", 1)
    assert found(alice, "pier")[0] == []
    assert found(bob, "pier")[0] == ["pier of Bob"]


def test_pages_follow_each_other_without_gap_or_repeat(
    alice: Somebody, second_inbox: object, settings: pytest.FixtureRequest
) -> None:
    settings.MAILROOM = settings.MAILROOM | {"LIST_PAGE": 4}  # type: ignore[attr-defined]  # pytest-django's settings
    names = [f"pier {number}" for number in range(10)]
    for minutes, name in enumerate(names):
        indexed(second_inbox if minutes % 3 else alice.inbox, name, minutes)
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page, after = found(alice, "pier", after)
        seen += page
    assert seen == names


def test_hits_open_as_a_page_and_lists_beside_themselves(alice: Somebody) -> None:
    hits = alice.client.get(reverse("mail:search"), {"q": "pier"}).content.decode()
    inbox = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])).content.decode()
    assert 'hx-boost="false"' in hits
    assert 'hx-boost="true"' in inbox
