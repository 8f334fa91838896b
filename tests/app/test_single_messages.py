"""Messages listed one by one, for who does not want conversations: lists, reading, acting, next and previous."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from tests import factories
from webmail.models import Flag, Placement

from .conftest import Somebody

MOST_QUERIES = 8


@pytest.fixture
def alice(alice: Somebody) -> Somebody:
    """Alice, with conversations switched off and one of three messages in her inbox."""
    User.objects.filter(pk=alice.user.pk).update(conversations=False)
    alice.user.refresh_from_db()
    for _ in range(2):
        factories.message(alice.inbox, thread=alice.placement.thread, subject="Re: For Alice", text="An answer")
    return alice


def url(who: Somebody, name: str = "mailbox", *more: int) -> str:
    return reverse(f"mail:{name}", args=[who.account.pk, who.inbox.pk, *more])


def placements(who: Somebody) -> list[Placement]:
    return list(Placement.objects.filter(mailbox=who.inbox).order_by("-received_at", "-pk"))


def lines(html: str) -> list[str]:
    return [piece.partition('"')[0] for piece in html.split('class="row')[1:] for piece in piece.split('id="t-')[1:]]


def keys(who: Somebody) -> list[str]:
    return [f"m{placement.message_id}" for placement in placements(who)]


@pytest.mark.parametrize("name", ["mailbox", "unified"])
def test_each_message_has_a_line_of_its_own(alice: Somebody, name: str) -> None:
    address = reverse("mail:unified") if name == "unified" else url(alice)
    assert lines(alice.client.get(address).content.decode()) == keys(alice)


def test_grouped_again_they_are_one_line(alice: Somebody) -> None:
    User.objects.filter(pk=alice.user.pk).update(conversations=True)
    assert lines(alice.client.get(url(alice)).content.decode()) == [str(alice.placement.thread_id)]


def test_a_page_ends_and_goes_on_between_messages(alice: Somebody, settings: object) -> None:
    settings.MAILROOM = settings.MAILROOM | {"LIST_PAGE": 2}  # type: ignore[attr-defined]  # pytest-django's settings
    first = alice.client.get(url(alice)).content.decode()
    older = first.rpartition('<a class="link" href="')[2].partition('"')[0]
    rest = alice.client.get(older, headers={"HX-Request": "true"}).content.decode()
    assert lines(first) + lines(rest) == keys(alice)


def test_narrowed_to_unread_and_starred(alice: Somebody) -> None:
    newest, middle, oldest = placements(alice)
    Placement.objects.filter(pk=newest.pk).update(flags=int(Flag.SEEN))
    Placement.objects.filter(pk=oldest.pk).update(flags=int(Flag.FLAGGED | Flag.SEEN))
    unread = alice.client.get(url(alice) + "?filter=unread").content.decode()
    starred = alice.client.get(url(alice) + "?filter=starred").content.decode()
    assert lines(unread) == [f"m{middle.message_id}"]
    assert lines(starred) == [f"m{oldest.message_id}"]
    assert lines(alice.client.get(reverse("mail:starred")).content.decode()) == [f"m{oldest.message_id}"]


def test_a_list_costs_no_more_queries_than_one_of_conversations(alice: Somebody) -> None:
    alice.client.get(url(alice))
    with CaptureQueriesContext(connection) as few:
        alice.client.get(url(alice))
    for _ in range(20):
        factories.message(alice.inbox)
    with CaptureQueriesContext(connection) as many:
        alice.client.get(url(alice))
    assert len(few) == len(many) <= MOST_QUERIES


def test_reading_shows_the_one_message_and_the_way_to_the_next(alice: Somebody) -> None:
    newest, middle, oldest = placements(alice)
    html = alice.client.get(url(alice, "single", middle.thread_id, middle.message_id)).content.decode()
    assert html.count('class="message ') + html.count('class="message"') == 1
    assert f'id="m-{middle.message_id}"' in html
    assert f'data-thread="m{middle.message_id}"' in html
    assert f'href="{url(alice, "single", newest.thread_id, newest.message_id)}" data-step="newer"' in html
    assert f'href="{url(alice, "single", oldest.thread_id, oldest.message_id)}" data-step="older"' in html
    row = html.partition(f'id="t-m{middle.message_id}"')[2].partition("</li>")[0]
    assert 'aria-current="true"' in row


def test_the_message_of_another_conversation_is_not_found_here(alice: Somebody) -> None:
    other = factories.message(alice.inbox)
    assert alice.client.get(url(alice, "single", alice.placement.thread_id, other.message_id)).status_code == 404


@pytest.mark.parametrize("field", ["place", "thread", "message"])
def test_an_action_is_about_the_one_message(alice: Somebody, field: str) -> None:
    _, middle, _ = placements(alice)
    named = {"place": f"{alice.inbox.pk}-m{middle.message_id}", "thread": f"m{middle.message_id}"}
    value = named.get(field, str(middle.message_id))
    alice.client.post(reverse("mail:act"), {"action": "delete", field: value, "mailbox": alice.inbox.pk})
    assert [row.mailbox == alice.trash for row in Placement.objects.filter(thread=middle.thread).order_by("pk")] == [
        row.pk == middle.pk for row in Placement.objects.filter(thread=middle.thread).order_by("pk")
    ]


def test_stars_of_two_messages_of_a_conversation_are_two(alice: Somebody) -> None:
    chosen = placements(alice)[1:]
    places = [f"{alice.inbox.pk}-m{row.message_id}" for row in chosen]
    alice.client.post(reverse("mail:act"), {"action": "star", "place": places, "mailbox": alice.inbox.pk})
    assert [bool(row.flags & Flag.FLAGGED) for row in placements(alice)] == [False, True, True]


def test_what_is_bobs_is_not_acted_on(alice: Somebody, bob: Somebody) -> None:
    for field, value in (
        ("place", f"{bob.inbox.pk}-m{bob.placement.message_id}"),
        ("thread", f"m{bob.placement.message_id}"),
        ("onwards", str(bob.placement.message_id)),
    ):
        answer = alice.client.post(reverse("mail:act"), {"action": "delete", field: value})
        assert answer.status_code == 404
    bob.placement.refresh_from_db()
    assert bob.placement.mailbox == bob.inbox
    assert not bob.placement.flags & Flag.DELETED


def test_search_finds_messages_one_by_one(alice: Somebody) -> None:
    from webmail.models import MessageSearch
    from webmail.models.search_document import document
    from webmail.sync.body_rows import _vector

    for row in placements(alice):
        words = document(alice.account.pk, "For Alice", {}, ("zephyrine",), filenames=[])
        MessageSearch.objects.create(
            message=row.message, account_id=alice.account.pk, received_at=row.received_at, document=_vector(words)
        )
    html = alice.client.get(reverse("mail:search"), {"q": "zephyrine"}).content.decode()
    assert lines(html) == keys(alice)
