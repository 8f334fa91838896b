"""When pictures of other servers are shown: this once, for a sender, in general, and where nothing of it counts."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests import factories
from tests.support.newsletters import FORGED, SENDER, VOUCHED, newsletter
from webmail.jobs import Job
from webmail.models import Mailbox, MessageBody, Placement, SenderTrust
from webmail.queries import remote_images as reading
from webmail.render.pictures import SINCE_VERSION
from webmail.views import remote_images as views

from .conftest import Somebody

URL = "https://img.pier4.test/head.png"


def page_url(placement: Placement, **query: str) -> str:
    address = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    return address + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def page(of: Somebody, placement: Placement, url: str = "") -> str:
    return of.client.get(url or page_url(placement)).content.decode()


def frame(html: str) -> tuple[str, str]:
    """The document of the page's frame, and its policy."""
    found = re.search(r'<iframe[^>]* src="([^"]*)"', html)
    assert found
    response = Client().get(found[1])
    return response.content.decode(), response.headers["Content-Security-Policy"]


def shows(html: str) -> bool:
    document, policy = frame(html)
    asked, allowed = '<img src="/i/' in document.replace('alt="picture" ', ""), "/i/" in policy
    assert asked == allowed
    assert "img.pier4.test" not in document
    return asked


def decide(of: Somebody, placement: Placement, do: str, back: str = "", **fields: str) -> str:
    """Where the form leads."""
    response = of.client.post(
        reverse("mail:images", args=[placement.message_id]), {"do": do, "next": back or page_url(placement), **fields}
    )
    assert response.status_code == 302
    return str(response.headers["Location"])


# --- S12, S13: held back, shown again by the server ------------------------------------------------------------------


def test_s13_pictures_are_held_back_and_counted(alice: Somebody) -> None:
    body = (
        f'<img src="{URL}"><img src="https://b.test/"><td background="https://b.test/g">'
        '<img src="https://t.test/p.gif" width="1" height="1">'
    )
    placement = newsletter(alice.inbox, body=body)
    html = page(alice, placement)
    assert not shows(html)
    assert "2 remote images hidden" in html
    assert "1 tracker stopped" in html


def test_background_pictures_are_said_to_be_left_out(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, body='<table background="https://b.test/g"><tr><td>x</td></tr></table>')
    html = page(alice, placement)
    assert "1 background picture left out" in html
    assert "Show images" not in html


def test_s12_shown_once_the_server_renders_the_message_anew(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    assert not shows(page(alice, placement))
    shown = decide(alice, placement, "show")
    assert shows(page(alice, placement, shown))
    assert not shows(page(alice, placement))  # the page without that address
    assert not SenderTrust.objects.exists()
    assert decide(alice, placement, "hide", shown) == page_url(placement)


def test_what_is_stored_stays_as_it_was_cleaned(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    before = MessageBody.objects.filter(message=placement.message).values()[0]
    page(alice, placement, decide(alice, placement, "show"))
    assert MessageBody.objects.filter(message=placement.message).values()[0] == before


def test_two_messages_are_shown_each_for_itself(alice: Somebody) -> None:
    first = newsletter(alice.inbox, URL, flags=0)
    second = newsletter(alice.inbox, URL, thread=first.thread, flags=0)
    one = decide(alice, first, "show")
    both = decide(alice, second, "show", one)
    only = decide(alice, first, "hide", both)
    counts = [alice.client.get(url).content.decode().count("Hide images") for url in (one, both, only)]
    assert counts == [1, 2, 1]


def test_the_address_of_another_person_shows_nothing(alice: Somebody, bob: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    token = reading.once_token(bob.user, placement.message_id)
    assert not shows(page(alice, placement, page_url(placement, shown=token)))
    assert not shows(page(alice, placement, page_url(placement, shown="nonsense")))


def test_the_form_leads_nowhere_else(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    for back in ("https://evil.test/", "//evil.test/", "javascript:alert(1)"):
        assert decide(alice, placement, "show", back).startswith("/?shown=")
    assert decide(alice, placement, "show", "/search/?q=a+b&q=%C3%A4").startswith("/search/?q=a+b&q=%C3%A4&shown=")


def test_htmx_gets_the_region_where_it_stood(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    fields = {"do": "show", "next": page_url(placement)}
    url = reverse("mail:images", args=[placement.message_id])
    response = alice.client.post(url, fields, headers={"HX-Request": "true"}, follow=True)
    html = response.content.decode()
    assert "<html" not in html
    assert 'id="reading"' in html
    assert shows(html)


# --- S15: for a sender -----------------------------------------------------------------------------------------------


def test_s15_always_is_for_an_address_that_is_vouched_for(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL, results=VOUCHED)
    assert f"Always show from {SENDER[1]}" in page(alice, placement)
    decide(alice, placement, "always")
    html = page(alice, placement)
    assert shows(html)
    assert "Stop showing" in html
    later = newsletter(alice.inbox, URL, results=VOUCHED)
    assert shows(page(alice, later))
    decide(alice, later, "never")
    assert not shows(page(alice, placement))


@pytest.mark.parametrize("results", ["", FORGED, "mx.elsewhere.example; dmarc=pass header.from=pier4.example"])
def test_s15_who_only_says_to_be_the_sender_is_not(alice: Somebody, results: str) -> None:
    SenderTrust.objects.create(user=alice.user, address=SENDER[1])
    placement = newsletter(alice.inbox, URL, results=results)
    html = page(alice, placement)
    assert not shows(html)
    assert "Always show" not in html
    assert "Show images" in html


@pytest.mark.parametrize("results", ["", FORGED])
def test_s15_always_cannot_be_said_of_anybody_else(alice: Somebody, results: str) -> None:
    decide(alice, newsletter(alice.inbox, URL, results=results), "always")
    assert not SenderTrust.objects.exists()


@pytest.mark.parametrize("role", ["junk", "trash"])
def test_s15_nothing_said_before_counts_in_spam_and_trash(alice: Somebody, role: str) -> None:
    box = alice.trash if role == "trash" else factories.mailbox(alice.account, "junk")
    SenderTrust.objects.create(user=alice.user, address=SENDER[1])
    User.objects.filter(pk=alice.user.pk).update(hide_remote_images=False)
    placement = newsletter(box, URL, results=VOUCHED)
    html = page(alice, placement)
    assert not shows(html)
    assert "Always show" not in html
    once = page(alice, placement, decide(alice, placement, "show"))
    assert shows(once) == (role == "trash")
    assert ("Show images" in html) == (role == "trash")


def test_s15_trust_is_of_one_person(alice: Somebody, bob: Somebody) -> None:
    decide(alice, newsletter(alice.inbox, URL, results=VOUCHED), "always")
    assert not shows(page(bob, newsletter(bob.inbox, URL, results=VOUCHED)))


def test_the_case_of_an_address_does_not_matter(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL, results=VOUCHED)
    placement.message.from_address = "Amara@Pier4.example"
    placement.message.save(update_fields=["from_address"])
    decide(alice, placement, "always")
    assert shows(page(alice, newsletter(alice.inbox, URL, results=VOUCHED)))


# --- in general ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("results", "shown"), [("", True), (VOUCHED, True), (FORGED, False)])
def test_who_wants_all_images_gets_them_except_from_forgers(alice: Somebody, results: str, shown: bool) -> None:
    User.objects.filter(pk=alice.user.pk).update(hide_remote_images=False)
    html = page(alice, newsletter(alice.inbox, URL, results=results))
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
    decide(alice, placement, "show")
    assert asked == [(Job.FETCH_BODY, placement.message_id)]
    asked.clear()
    decide(alice, newsletter(alice.inbox, URL), "show")
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
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]
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
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        assert len(reading.of_messages(alice.user, placements, ())) == 9
