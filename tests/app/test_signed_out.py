"""A session that ends under an open page leads to signing in, and nothing looks done that was not."""

import pytest
from django.test import Client
from django.urls import reverse

from webmail.models import Placement

from .conftest import Somebody

SIGN_IN = reverse("mail:signin")


@pytest.mark.parametrize("method", ["get", "post"])
def test_region_and_action_lead_to_signing_in_and_back_to_the_page(alice: Somebody, method: str) -> None:
    shown = reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])
    asked = {"get": shown, "post": reverse("mail:act")}[method]
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{shown}?filter=unread#main"}
    answer = getattr(Client(), method)(asked, {"action": "delete", "thread": 1}, headers=headers)
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"{SIGN_IN}?next={shown.replace('/', '%2F')}%3Ffilter%3Dunread"
    assert not answer.content


def test_foreign_page_is_no_place_to_go_back_to(alice: Somebody) -> None:
    for foreign in ("https://evil.test//evil.test/", "//evil.test", "javascript:alert(1)"):
        headers = {"HX-Request": "true", "HX-Current-URL": foreign}
        address = Client().get(reverse("mail:starred"), headers=headers)["HX-Redirect"]
        fresh = Client()
        answer = fresh.post(address, {"username": alice.user.email, "password": "a long enough password"})
        assert answer.status_code == 302
        assert "evil" not in answer["Location"]
        assert "javascript" not in answer["Location"]


def test_form_posted_too_late_leads_to_a_page_that_can_be_opened(alice: Somebody) -> None:
    answer = Client().post(reverse("mail:act"), {"action": "delete", "thread": alice.placement.thread_id})
    assert (answer.status_code, answer["Location"]) == (302, SIGN_IN)
    assert Placement.objects.get().mailbox_id == alice.inbox.pk
    page = reverse("mail:starred")
    assert Client().get(page)["Location"] == f"{SIGN_IN}?next={page}"


def test_signing_out_still_empties_the_browser(alice: Somebody) -> None:
    answer = alice.client.post(reverse("mail:signout"))
    assert answer["Location"] == SIGN_IN
    assert "storage" in answer["Clear-Site-Data"]
