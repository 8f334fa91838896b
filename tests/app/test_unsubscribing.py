"""Leaving a mailing list: what is offered where, what is asked once, and what the page says of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.support.newsletters import BELIEVED, page, page_url
from tests.support.pictures import PictureServer
from webmail.jobs import Job
from webmail.models import Mailbox, MessageBody, Placement, Unsubscription
from webmail.queries import unsubscribing as reading
from webmail.services import unsubscribing as services
from webmail.sync.due import Repeats, dispatch
from webmail.sync.unsubscribing import ask_list

from .conftest import Somebody

PASSED = f"{BELIEVED}; dkim=pass header.d=news.test header.s=k1"
COVERED = ["from", "list-unsubscribe", "list-unsubscribe-post"]
WEB, LETTER = "<https://news.test/leave?me>", "<mailto:leave@news.test?subject=42&bcc=x@y.test>"
ONE_CLICK = "List-Unsubscribe=One-Click"
STATES = Unsubscription.State


def letter(box: Mailbox, offers: str = WEB, post: str = ONE_CLICK, *, at: datetime | None = None) -> Placement:
    server = box.account.incoming
    server.authentication_names = [BELIEVED]
    server.save(update_fields=["authentication_names"])
    extra = {"list_unsubscribe": offers, "list_unsubscribe_post": post, "authentication_results": [PASSED]}
    at = at or timezone.now() - timedelta(hours=1)
    placement = factories.message(box, text="News", extra=extra, list_id="news.test", at=at)
    MessageBody.objects.filter(message=placement.message).update(signatures=[["news.test", "k1", "Ab", COVERED]])
    return placement


def leave(who: Somebody, placement: Placement) -> int:
    url = reverse("mail:unsubscribe", args=[placement.message_id])
    return who.client.post(url, {"next": page_url(placement)}).status_code


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    put: list[tuple[object, ...]] = []
    monkeypatch.setattr(services, "enqueue_on_commit", lambda *job: put.append(job))
    return put


def test_one_click_is_a_form_and_asks_once(
    alice: Somebody, pictures: PictureServer, jobs: list[tuple[object, ...]]
) -> None:
    pictures.serve("/leave?me", b"<script>never shown</script>")
    placement = letter(alice.inbox)
    assert "Unsubscribe</button>" in page(alice.client, placement)
    assert leave(alice, placement) == 302
    assert leave(alice, placement) == 302
    row = Unsubscription.objects.get()
    assert jobs == [(Job.UNSUBSCRIBE, row.pk)]
    assert "is being asked" in page(alice.client, placement)
    assert pictures.asked == []  # nothing leaves in the request
    ask_list(row.pk)
    ask_list(row.pk)
    assert [one["method"] for one in pictures.asked] == ["POST"]
    html = page(alice.client, placement)
    assert "The list was asked on" in html
    assert "Unsubscribe" not in html
    assert "never shown" not in html


def test_the_same_address_in_another_message_is_not_asked_again(
    alice: Somebody, jobs: list[tuple[object, ...]]
) -> None:
    leave(alice, letter(alice.inbox))
    later = letter(alice.inbox, at=timezone.now() + timedelta(minutes=5))
    leave(alice, later)
    assert len(jobs) == Unsubscription.objects.count() == 1
    Unsubscription.objects.update(state=STATES.ASKED)
    html = page(alice.client, later)
    assert "has written since" in html
    assert "Unsubscribe</button>" not in html


def test_a_list_that_goes_on_may_be_asked_at_its_new_address(alice: Somebody, jobs: list[tuple[object, ...]]) -> None:
    leave(alice, letter(alice.inbox))
    Unsubscription.objects.update(state=STATES.ASKED)
    older = letter(alice.inbox, "<https://news.test/other>")
    assert "Unsubscribe" not in page(alice.client, older)
    newer = letter(alice.inbox, "<https://news.test/newest>", at=timezone.now() + timedelta(minutes=5))
    html = page(alice.client, newer)
    assert "has written since" in html
    assert "Unsubscribe</button>" in html


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", STATES.UNSURE, "did not say yes"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://news.test/x\r\nContent-Length: 0\r\n\r\n", STATES.UNSURE, "did not"),
        (b"", STATES.UNSURE, "did not say yes"),
    ],
)
def test_what_was_handed_over_is_not_repeated(
    alice: Somebody, pictures: PictureServer, jobs: object, answer: bytes, state: str, words: str
) -> None:
    pictures.raw("/leave?me", answer)
    placement = letter(alice.inbox)
    leave(alice, placement)
    ask_list(Unsubscription.objects.get().pk)
    assert Unsubscription.objects.get().state == state
    leave(alice, placement)
    assert Unsubscription.objects.get().state == state
    assert len(pictures.asked) == 1
    html = page(alice.client, placement)
    assert words in html
    assert '<button class="btn text accent small"' not in html


def test_where_nothing_left_it_may_be_tried_again(alice: Somebody, jobs: list[tuple[object, ...]]) -> None:
    placement = letter(alice.inbox, "<https://nobody.invalid/leave>")
    leave(alice, placement)
    ask_list(Unsubscription.objects.get().pk)
    assert Unsubscription.objects.get().state == STATES.FAILED
    html = page(alice.client, placement)
    assert "could not be asked" in html
    assert "Try again" in html
    leave(alice, placement)
    assert Unsubscription.objects.get().state == STATES.WAITING
    assert len(jobs) == 2


def test_an_address_inside_somebodys_network_is_neither_asked_nor_linked(
    alice: Somebody, jobs: list[tuple[object, ...]]
) -> None:
    for host in ("127.0.0.1", "router", "nas.local", "2130706433"):
        placement = letter(alice.inbox, f"<https://{host}/leave>")
        assert "nsubscribe" not in page(alice.client, placement)
        leave(alice, placement)
    assert jobs == []
    assert not Unsubscription.objects.exists()


def test_a_worker_that_died_leaves_it_unsure(alice: Somebody, jobs: object, pictures: PictureServer) -> None:
    placement = letter(alice.inbox)
    leave(alice, placement)
    Unsubscription.objects.update(state=STATES.ASKING, changed_at=timezone.now() - 2 * reading.LONGEST)
    ask_list(Unsubscription.objects.get().pk)
    assert pictures.asked == []
    assert "did not say yes" in page(alice.client, placement)


def test_a_wish_whose_job_was_lost_is_found_again(alice: Somebody, jobs: object) -> None:
    leave(alice, letter(alice.inbox))
    Unsubscription.objects.update(changed_at=timezone.now() - timedelta(minutes=1))
    put: list[tuple[object, ...]] = []
    dispatch(Repeats(30, lambda: 0.0), put=lambda *job: put.append(job) or True)  # type: ignore[func-returns-value]  # both
    assert (Job.UNSUBSCRIBE, Unsubscription.objects.get().pk) in put


def test_otherwise_a_letter_or_a_link(alice: Somebody) -> None:
    html = page(alice.client, letter(alice.inbox, f"{WEB}, {LETTER}", post=""))
    assert '/compose/?to=leave%40news.test&amp;subject=42"' in html
    html = page(alice.client, letter(alice.inbox, post=""))
    assert 'href="https://news.test/leave?me" target="_blank" rel="noopener noreferrer"' in html
    assert "Unsubscribe at news.test" in html


@pytest.mark.parametrize("role", ["sent", "junk"])
def test_nothing_is_offered_in_spam_or_of_ones_own(alice: Somebody, role: str) -> None:
    assert "request-line" not in page(alice.client, letter(factories.mailbox(alice.account, role)))


def test_a_conversation_asks_once_however_many_messages(
    alice: Somebody, django_assert_num_queries: Callable[[int], Any]
) -> None:
    placements = [letter(alice.inbox, f"<https://news.test/{number}>") for number in range(8)]
    found = list(Placement.objects.filter(pk__in=[p.pk for p in placements]).select_related("message__body", "mailbox"))
    assert alice.account.incoming  # read before, as a conversation's is
    with django_assert_num_queries(1):
        assert len(reading.of_messages(alice.account, found)) == 8
