"""S15: what was said of a sender counts while its domain vouches for the message, and never in Spam or Trash."""

import pytest

from accounts.models import User
from tests import factories
from tests.app.conftest import Somebody, somebody
from tests.support.newsletters import FORGED, SENDER, URL, VOUCHED, decide, newsletter, page, shows
from webmail.models import SenderTrust


@pytest.fixture
def alice(db: None) -> Somebody:
    return somebody("Alice")


@pytest.fixture
def bob(db: None) -> Somebody:
    return somebody("Bob")


def test_s15_always_is_for_an_address_that_is_vouched_for(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL, results=VOUCHED)
    assert f"Always show from {SENDER[1]}" in page(alice.client, placement)
    decide(alice.client, placement, "always")
    html = page(alice.client, placement)
    assert shows(html)
    assert "Stop showing" in html
    later = newsletter(alice.inbox, URL, results=VOUCHED)
    assert shows(page(alice.client, later))
    decide(alice.client, later, "never")
    assert not shows(page(alice.client, placement))


@pytest.mark.parametrize("results", ["", FORGED, "mx.elsewhere.example; dmarc=pass header.from=pier4.example"])
def test_s15_who_only_says_to_be_the_sender_is_not(alice: Somebody, results: str) -> None:
    SenderTrust.objects.create(user=alice.user, address=SENDER[1])
    placement = newsletter(alice.inbox, URL, results=results)
    html = page(alice.client, placement)
    assert not shows(html)
    assert "Always show" not in html
    assert "Show images" in html


@pytest.mark.parametrize("results", ["", FORGED])
def test_s15_always_cannot_be_said_of_anybody_else(alice: Somebody, results: str) -> None:
    decide(alice.client, newsletter(alice.inbox, URL, results=results), "always")
    assert not SenderTrust.objects.exists()


@pytest.mark.parametrize("role", ["junk", "trash"])
def test_s15_nothing_said_before_counts_in_spam_and_trash(alice: Somebody, role: str) -> None:
    box = alice.trash if role == "trash" else factories.mailbox(alice.account, "junk")
    SenderTrust.objects.create(user=alice.user, address=SENDER[1])
    User.objects.filter(pk=alice.user.pk).update(hide_remote_images=False)
    placement = newsletter(box, URL, results=VOUCHED)
    html = page(alice.client, placement)
    assert not shows(html)
    assert "Always show" not in html
    once = page(alice.client, placement, decide(alice.client, placement, "show"))
    assert shows(once) == (role == "trash")
    assert ("Show images" in html) == (role == "trash")


def test_s15_trust_is_of_one_person(alice: Somebody, bob: Somebody) -> None:
    decide(alice.client, newsletter(alice.inbox, URL, results=VOUCHED), "always")
    assert not shows(page(bob.client, newsletter(bob.inbox, URL, results=VOUCHED)))


def test_the_case_of_an_address_does_not_matter(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL, results=VOUCHED)
    placement.message.from_address = "Amara@Pier4.example"
    placement.message.save(update_fields=["from_address"])
    decide(alice.client, placement, "always")
    assert shows(page(alice.client, newsletter(alice.inbox, URL, results=VOUCHED)))
