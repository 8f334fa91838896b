"""S49: messages made to exhaust a reader are read within bounds, shown as what they are, and can still be put away."""

import pytest
from django.urls import reverse

from tests import factories
from tests.support.bombs import BOMBS, Cost, costs
from webmail.mime.parse import parse_message
from webmail.models import Placement
from webmail.sync.bodies import keep

from .ground import World

MOST_MEGABYTES = 256
# Without their tags, comments and fields of a form these have no words left.
WORDLESS = {"a select without end", "comments in HTML", "open tags without end", "1,000 style elements"}


@pytest.fixture(scope="module")
def measured() -> dict[str, Cost]:
    return costs()


@pytest.mark.parametrize("name", BOMBS)
def test_s49_memory_is_bounded(name: str, measured: dict[str, Cost]) -> None:
    assert measured[name].megabytes <= MOST_MEGABYTES


@pytest.mark.parametrize("name", sorted(BOMBS.keys() - WORDLESS))
def test_s49_something_is_shown(name: str, measured: dict[str, Cost]) -> None:
    assert measured[name].shown > 0


@pytest.mark.parametrize("name", ["50,000 nested divs", "multiparts in multiparts", "200,000 header fields"])
def test_s49_the_message_is_listed_opened_and_deleted(name: str, alice: World) -> None:
    placement = factories.message(alice.inbox, subject="A bomb")
    raw = BOMBS[name]()
    keep(placement.message, parse_message(raw), raw, raw_digest="")
    place = [alice.account.pk, alice.inbox.pk]
    listed = alice.client.get(reverse("mail:mailbox", args=place)).content.decode()
    assert f'id="t-{placement.thread_id}"' in listed
    opened = alice.client.get(reverse("mail:thread", args=[*place, placement.thread_id]))
    assert opened.status_code == 200
    assert b'class="mail-frame' in opened.content or b'class="notice' in opened.content  # or why there is nothing
    alice.client.post(reverse("mail:act"), {"action": "delete", "thread": placement.thread_id, "mailbox": place[1]})
    assert Placement.objects.get(pk=placement.pk).mailbox.role == "trash"
