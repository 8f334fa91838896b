"""List pages stay what they were when they are fetched again, acted on, or paged."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from webmail.models import Flag, Mailbox

from .conftest import Somebody

AGAIN = {"HX-Request": "true", "HX-Target": "rows"}


def fetched_again(who: Somebody, html: str) -> str:
    """What the list fetches when something changed: the address that #rows names."""
    address = html.partition('<div id="rows" hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    return who.client.get(address, headers=AGAIN).content.decode()


@pytest.mark.parametrize("name", ["mailbox", "unified"])
def test_list_of_unread_is_still_one_when_it_is_fetched_again(alice: Somebody, name: str) -> None:
    read = factories.message(alice.inbox, flags=int(Flag.SEEN))
    address = reverse("mail:unified") if name == "unified" else inbox_of(alice)
    html = alice.client.get(f"{address}?filter=unread").content.decode()
    for shown in (html, fetched_again(alice, html)):
        assert f't-{alice.placement.thread_id}"' in shown
        assert f't-{read.thread_id}"' not in shown


def test_acting_without_script_leads_back_to_the_narrowed_list(alice: Somebody) -> None:
    html = alice.client.get(f"{inbox_of(alice)}?filter=unread").content.decode()
    assert f'name="next" value="{inbox_of(alice)}?filter=unread"' in html


def test_older_page_fetched_again_shows_its_own_rows_and_not_the_newest(alice: Somebody, settings: object) -> None:
    settings.MAILROOM = settings.MAILROOM | {"LIST_PAGE": 2}  # type: ignore[attr-defined]  # pytest-django's settings
    rows = [alice.placement, *(factories.message(alice.inbox) for _ in range(4))]  # each older than the one before
    first = alice.client.get(inbox_of(alice)).content.decode()
    older = first.rpartition('<a class="link" href="')[2].partition('"')[0]
    page = alice.client.get(older).content.decode()
    more = alice.client.get(older, headers={"HX-Request": "true"}).content.decode()
    assert 'id="rows"' not in more
    for shown in (page, fetched_again(alice, page)):
        assert [f't-{row.thread_id}"' in shown for row in rows] == [False, False, True, True, False]
        assert "Newest" in shown


def inbox_of(who: Somebody) -> str:
    return reverse("mail:mailbox", args=[who.account.pk, who.inbox.pk])


@pytest.mark.parametrize(("times", "told"), [(3, False), (4, True)])
def test_a_folder_whose_numbers_do_not_last_says_so(alice: Somebody, times: int, told: bool) -> None:
    now = timezone.now()
    alice.inbox.renumbered_at = [now - timedelta(hours=hour) for hour in range(times)]
    alice.inbox.phase = Mailbox.Phase.REMAP
    alice.inbox.save()
    html = alice.client.get(inbox_of(alice)).content.decode()
    assert ("The server keeps renumbering this folder" in html) is told
    assert f'id="t-{alice.placement.thread_id}"' in html
