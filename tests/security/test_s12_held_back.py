"""S12 and S13: pictures of other servers are held back and counted; shown, the server renders the message anew."""

import pytest
from django.urls import reverse

from tests.app.conftest import Somebody, somebody
from tests.support.newsletters import URL, decide, newsletter, page, page_url, shows
from webmail.models import MessageBody, SenderTrust
from webmail.queries import remote_images as reading


@pytest.fixture
def alice(db: None) -> Somebody:
    return somebody("Alice")


@pytest.fixture
def bob(db: None) -> Somebody:
    return somebody("Bob")


def test_s13_pictures_are_held_back_and_counted(alice: Somebody) -> None:
    body = (
        f'<img src="{URL}"><img src="https://b.test/"><td background="https://b.test/g">'
        '<img src="https://t.test/p.gif" width="1" height="1">'
    )
    placement = newsletter(alice.inbox, body=body)
    html = page(alice.client, placement)
    assert not shows(html)
    assert "2 remote images hidden" in html
    assert "1 tracker stopped" in html


def test_background_pictures_are_said_to_be_left_out(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, body='<table background="https://b.test/g"><tr><td>x</td></tr></table>')
    html = page(alice.client, placement)
    assert "1 background picture left out" in html
    assert "Show images" not in html


def test_s12_shown_once_the_server_renders_the_message_anew(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    assert not shows(page(alice.client, placement))
    shown = decide(alice.client, placement, "show")
    assert shows(page(alice.client, placement, shown))
    assert not shows(page(alice.client, placement))  # the page without that address
    assert not SenderTrust.objects.exists()
    assert decide(alice.client, placement, "hide", shown) == page_url(placement)


def test_what_is_stored_stays_as_it_was_cleaned(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    before = MessageBody.objects.filter(message=placement.message).values()[0]
    page(alice.client, placement, decide(alice.client, placement, "show"))
    assert MessageBody.objects.filter(message=placement.message).values()[0] == before


def test_two_messages_are_shown_each_for_itself(alice: Somebody) -> None:
    first = newsletter(alice.inbox, URL, flags=0)
    second = newsletter(alice.inbox, URL, thread=first.thread, flags=0)
    one = decide(alice.client, first, "show")
    both = decide(alice.client, second, "show", one)
    only = decide(alice.client, first, "hide", both)
    counts = [alice.client.get(url).content.decode().count("Hide images") for url in (one, both, only)]
    assert counts == [1, 2, 1]


def test_the_address_of_another_person_shows_nothing(alice: Somebody, bob: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    token = reading.once_token(bob.user, placement.message_id)
    assert not shows(page(alice.client, placement, page_url(placement, shown=token)))
    assert not shows(page(alice.client, placement, page_url(placement, shown="nonsense")))


def test_the_form_leads_nowhere_else(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    for back in ("https://evil.test/", "//evil.test/", "javascript:alert(1)"):
        assert decide(alice.client, placement, "show", back).startswith("/?shown=")
    assert decide(alice.client, placement, "show", "/search/?q=a+b&q=%C3%A4").startswith(
        "/search/?q=a+b&q=%C3%A4&shown="
    )


def test_htmx_gets_the_region_where_it_stood(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    fields = {"do": "show", "next": page_url(placement)}
    url = reverse("mail:images", args=[placement.message_id])
    response = alice.client.post(url, fields, headers={"HX-Request": "true"}, follow=True)
    html = response.content.decode()
    assert "<html" not in html
    assert 'id="reading"' in html
    assert shows(html)
