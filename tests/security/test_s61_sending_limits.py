"""S61: an hour has an end for what one person and one organisation may send; nothing is lost at it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity, Organisation, User
from tests.app.conftest import Somebody, alice, bob, charlie
from webmail.models import Draft, Outgoing
from webmail.services import outbox

__all__ = ["alice", "bob", "charlie"]
LIMITS = {"NEWCOMER_RECIPIENTS_PER_HOUR": 5, "RECIPIENTS_PER_HOUR": 8, "ORGANISATION_RECIPIENTS_PER_HOUR": 12}


def limits(**more: int) -> Any:
    return override_settings(MAILROOM={**settings.MAILROOM, **LIMITS, **more})


def send(who: Somebody, count: int) -> Any:
    to = ", ".join(f"p{number}@pier4.example" for number in range(count))
    identity = Identity.objects.get(account=who.account)
    typed = {"identity": identity.pk, "to": to, "subject": "Offer", "format": "html", "html": "<p>Buy"}
    return who.client.post(reverse("mail:compose"), typed | {"do": "send"}, headers={"Accept": "application/json"})


def settled(who: Somebody) -> None:
    User.objects.filter(pk=who.user.pk).update(date_joined=timezone.now() - timedelta(days=9))


@pytest.mark.django_db
def test_a_newcomer_and_a_person_have_an_hours_share(alice: Somebody) -> None:
    with limits():
        assert send(alice, 5).status_code == 200
        refused = send(alice, 1)
        assert refused.status_code == 422
        assert "more than 5 recipients in an hour" in refused.json()["errors"][""]
        assert Draft.objects.filter(closed_at=None).count() == 1, "what was written is kept"
        settled(alice)
        assert send(alice, 3).status_code == 200
        assert send(alice, 1).status_code == 422


@pytest.mark.django_db
def test_an_hour_later_there_is_room_and_what_was_taken_back_does_not_count(alice: Somebody) -> None:
    with limits():
        made = send(alice, 5).json()
        outbox.take_back(Outgoing.objects.get(pk=made["sent"]))
        assert send(alice, 5).status_code == 200
        assert send(alice, 1).status_code == 422
        Outgoing.objects.update(created_at=timezone.now() - timedelta(minutes=61))
        assert send(alice, 1).status_code == 200


@pytest.mark.django_db
def test_an_organisation_has_a_share_and_no_other_organisation_pays_for_it(
    alice: Somebody, bob: Somebody, charlie: Somebody
) -> None:
    for who in (alice, bob, charlie):
        settled(who)
    with limits():
        assert send(alice, 8).status_code == 200
        assert send(bob, 5).status_code == 422
        assert send(bob, 4).status_code == 200
        assert send(charlie, 8).status_code == 200
        Organisation.objects.filter(pk=bob.user.organisation_id).update(recipients_per_hour=14)
        assert send(bob, 2).status_code == 200
        assert send(bob, 1).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_two_messages_at_once_do_not_share_what_is_left(alice: Somebody) -> None:
    identity = Identity.objects.get(account=alice.account)
    made = [
        Draft.objects.create(user=alice.user, account=alice.account, identity=identity, to=to, html="<p>a</p>")
        for to in ("a@x.example, b@x.example, c@x.example", "d@x.example, e@x.example, f@x.example")
    ]
    refused: list[str] = []
    together = threading.Barrier(2)

    def work(draft: Draft) -> None:
        together.wait()
        try:
            outbox.submit(draft)
        except outbox.NotReady as error:
            refused.append(error.errors[""])
        finally:
            connection.close()

    with limits():
        threads = [threading.Thread(target=work, args=(draft,)) for draft in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(refused), Outgoing.objects.count()) == (1, 1)
