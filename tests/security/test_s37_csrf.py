"""S37: nothing changes without a token, from a foreign page, or by reading."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from webmail.models import Placement

from .ground import World, addresses, every_row, routes

UNSAFE = ("post", "put", "patch", "delete")
pytestmark = pytest.mark.django_db


def strict(user: User) -> tuple[Client, str]:
    """Signed in, tokens enforced, and a token that is good."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.get(reverse("mail:signin") if not user.is_authenticated else reverse("mail:appearance"))
    return client, client.cookies["csrftoken"].value


def test_s37_without_a_token_nothing_is_done(alice: World, root: tuple[User, Client]) -> None:
    clients = {True: strict(root[0])[0], False: strict(alice.user)[0]}
    before = every_row()
    done = [
        f"{method} {url}"
        for route in routes()
        for url in addresses(route, alice)
        for method in UNSAFE
        if getattr(clients[route.of_panel], method)(url).status_code != 403
    ]
    assert done == []
    assert every_row() == before


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example", "http://evil"])
def test_s37_a_foreign_page_is_refused_though_it_knows_the_token(origin: str, alice: World) -> None:
    client, token = strict(alice.user)
    data = {"action": "star", "message": alice.message_id, "csrfmiddlewaretoken": token}
    flags = Placement.objects.get(pk=alice.placement.pk).flags
    assert client.post(reverse("mail:act"), data, headers={"origin": origin}).status_code == 403
    assert Placement.objects.get(pk=alice.placement.pk).flags == flags
    own = client.post(reverse("mail:act"), data, headers={"origin": "http://testserver"})
    assert own.status_code == 302
    assert Placement.objects.get(pk=alice.placement.pk).flags != flags


def test_s37_signing_in_needs_a_token_too() -> None:
    data = {"username": "alice@harbourlane.example", "password": "a long enough password"}
    assert Client(enforce_csrf_checks=True).post(reverse("mail:signin"), data).status_code == 403


def test_s37_reading_changes_no_row(alice: World, root: tuple[User, Client]) -> None:
    before = every_row()
    for route in routes():
        client = root[1] if route.of_panel else alice.client
        for url in addresses(route, alice):
            assert read(client, url) < 500, url
        assert every_row() == before, f"{route.path} wrote something"


def read(client: Client, url: str) -> int:
    """The worst status of every way to read the address."""
    tries = [client.get(url), client.get(url, headers={"HX-Request": "true"}), client.head(url), client.options(url)]
    return max(response.status_code for response in tries)


@pytest.mark.parametrize("query", ["reply", "draft", "mode=forward&reply"])
def test_s37_opening_the_composer_changes_no_row(query: str, alice: World) -> None:
    before = every_row()
    named = alice.draft.pk if query == "draft" else alice.message_id
    assert alice.client.get(f"{reverse('mail:compose')}?{query}={named}").status_code == 200
    assert every_row() == before


def test_s37_htmx_sends_the_token_home_only(alice: World) -> None:
    page = alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])).content.decode()
    assert '"selfRequestsOnly":true' in page
    assert 'hx-headers=\'{"X-CSRFToken": ' in page
