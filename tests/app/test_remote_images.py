"""Remote images in general, of content cleaned long ago, and the page of trusted senders."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse

from accounts.models import User
from tests.support.newsletters import FORGED, URL, VOUCHED, decide, newsletter, page, shows
from webmail.jobs import Job
from webmail.models import Mailbox, MessageBody, Placement, SenderTrust
from webmail.queries import remote_images as reading
from webmail.render.pictures import SINCE_VERSION
from webmail.views import remote_images as views

from .conftest import Somebody

# --- in general ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("results", "shown"), [("", True), (VOUCHED, True), (FORGED, False)])
def test_who_wants_all_images_gets_them_except_from_forgers(alice: Somebody, results: str, shown: bool) -> None:
    User.objects.filter(pk=alice.user.pk).update(hide_remote_images=False)
    html = page(alice.client, newsletter(alice.inbox, URL, results=results))
    assert shows(html) == shown
    assert ("Show images" in html) != shown


# --- content that was cleaned before pictures had places --------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    jobs: list[tuple[object, ...]] = []
    monkeypatch.setattr(views, "enqueue", lambda *job: jobs.append(job))
    return jobs


def test_older_content_is_read_again_when_its_pictures_are_wanted(
    alice: Somebody, asked: list[tuple[object, ...]]
) -> None:
    placement = newsletter(alice.inbox, URL)
    MessageBody.objects.update(image_urls=[], clean_version=SINCE_VERSION - 1, clean_html="<p>News</p>")
    decide(alice.client, placement, "show")
    assert asked == [(Job.FETCH_BODY, placement.message_id)]
    asked.clear()
    decide(alice.client, newsletter(alice.inbox, URL), "show")
    assert asked == []


# --- settings --------------------------------------------------------------------------------------------------------


def test_trusted_senders_are_listed_removed_and_given_back(alice: Somebody, bob: Somebody) -> None:
    for user, address in ((alice.user, "a@pier4.example"), (alice.user, "b@pier4.example"), (bob.user, "c@x.example")):
        SenderTrust.objects.create(user=user, address=address)
    url = reverse("mail:image_senders")
    html = alice.client.get(url).content.decode()
    assert "a@pier4.example" in html
    assert "c@x.example" not in html
    after = alice.client.post(url, {"forget": "a@pier4.example"}, follow=True).content.decode()
    left = SenderTrust.objects.filter(user=alice.user).values_list("address", flat=True)
    assert list(left) == ["b@pier4.example"]
    undo = re.search(r'data-undo="([^"]*)"', after)
    assert undo
    assert bob.client.post(undo[1]).status_code == 404
    alice.client.post(undo[1])
    assert left.all().count() == 2
    assert SenderTrust.objects.filter(user=bob.user).count() == 1


def test_nobody_forgets_for_somebody_else(alice: Somebody, bob: Somebody) -> None:
    SenderTrust.objects.create(user=bob.user, address="c@x.example")
    alice.client.post(reverse("mail:image_senders"), {"forget": "c@x.example"})
    assert SenderTrust.objects.count() == 1


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_asks_the_same_few_questions(
    alice: Somebody, count: int, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    SenderTrust.objects.bulk_create(
        SenderTrust(user=alice.user, address=f"{number}@pier4.example") for number in range(count)
    )
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]  # a fixture
        alice.client.get(reverse("mail:image_senders"))


def test_a_conversation_asks_twice_however_many_messages_have_pictures(
    alice: Somebody, django_assert_num_queries: Callable[[int], object]
) -> None:
    box: Mailbox = alice.inbox
    first = newsletter(box, URL, results=VOUCHED)
    for _ in range(8):
        newsletter(box, URL, results=VOUCHED, thread=first.thread)
    placements = list(
        Placement.objects.filter(thread=first.thread).select_related("message", "message__body", "mailbox")
    )
    with django_assert_num_queries(2):  # type: ignore[attr-defined]  # a fixture
        assert len(reading.of_messages(alice.user, placements, ())) == 9
