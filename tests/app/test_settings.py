"""A person's own settings: preferences, identities, password."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Identity, User
from tests.app.conftest import Somebody

APPEARANCE = reverse("mail:appearance")
WHOLE = {"theme": "dark", "time_zone": "Europe/Oslo", "undo_send_seconds": "30", "conversations": "on"}


def test_preferences_are_kept(alice: Somebody) -> None:
    assert alice.client.post(APPEARANCE, WHOLE).status_code == 302
    user = User.objects.get(pk=alice.user.pk)
    assert (user.theme, user.time_zone, user.undo_send_seconds) == ("dark", "Europe/Oslo", 30)
    assert (user.conversations, user.hide_remote_images) == (True, False)
    assert 'data-theme="dark"' in alice.client.get(APPEARANCE).content.decode()


def test_the_short_form_leaves_what_it_does_not_show(alice: Somebody) -> None:
    values = {"short": "1", "theme": "light", "undo_send_seconds": "5", "hide_remote_images": "on"}
    answer = alice.client.post(APPEARANCE, values, headers={"Accept": "application/json"})
    assert answer.json() == {"text": "Saved"}
    user = User.objects.get(pk=alice.user.pk)
    assert (user.theme, user.undo_send_seconds, user.time_zone, user.conversations) == ("light", 5, "UTC", True)


@pytest.mark.parametrize("wrong", [{"theme": "pink"}, {"time_zone": "Mars/Base"}, {"undo_send_seconds": "7000"}])
def test_a_preference_that_does_not_exist_is_refused(alice: Somebody, wrong: dict[str, str]) -> None:
    assert alice.client.post(APPEARANCE, WHOLE | wrong).status_code == 422
    assert User.objects.get(pk=alice.user.pk).theme == "system"


def test_preferences_change_nothing_else_of_a_person(alice: Somebody) -> None:
    more = {"is_staff": "on", "is_superuser": "on", "email": "x@y.example", "organisation": "1", "password": "p"}
    alice.client.post(APPEARANCE, WHOLE | more)
    user = User.objects.get(pk=alice.user.pk)
    assert (user.is_staff, user.is_superuser, user.email) == (False, False, alice.user.email)
    assert user.check_password("a long enough password")


def test_an_identity_is_signed_but_its_address_stays(alice: Somebody) -> None:
    identity = Identity.objects.get(account=alice.account)
    values = {"identity": identity.pk, "name": "Alice L", "reply_to": "", "signature": "Alice\nStudio 3"}
    alice.client.post(
        reverse("mail:identities"), values | {"address": "ceo@bank.example", "verified_at": "", "account": 1}
    )
    identity.refresh_from_db()
    assert (identity.name, identity.signature, identity.address) == ("Alice L", "Alice\nStudio 3", alice.user.email)
    assert identity.verified_at is not None


def test_identities_of_others_do_not_exist(alice: Somebody, bob: Somebody) -> None:
    theirs = Identity.objects.get(account=bob.account)
    answer = alice.client.post(reverse("mail:identities"), {"identity": theirs.pk, "name": "Mallory"})
    assert answer.status_code == 404
    theirs.refresh_from_db()
    assert theirs.name == "Bob"


def test_a_new_password_keeps_this_session_and_ends_the_others(alice: Somebody) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice.user)
    new = "an even longer passphrase"
    values = {"old_password": "a long enough password", "new_password1": new, "new_password2": new}
    assert alice.client.post(reverse("mail:password"), values).status_code == 302
    assert alice.client.get(reverse("mail:settings")).status_code == 200
    assert elsewhere.get(reverse("mail:settings")).status_code == 302
    assert User.objects.get(pk=alice.user.pk).check_password(new)


def test_a_wrong_old_password_changes_nothing_and_is_not_printed(alice: Somebody) -> None:
    values = {
        "old_password": "not the one at all",
        "new_password1": "n3w-passphrase-x",
        "new_password2": "n3w-passphrase-x",
    }
    answer = alice.client.post(reverse("mail:password"), values)
    assert answer.status_code == 422
    assert "not the one at all" not in answer.content.decode()
    assert "n3w-passphrase-x" not in answer.content.decode()
    assert User.objects.get(pk=alice.user.pk).check_password("a long enough password")


def test_a_password_set_by_somebody_else_is_changed_before_anything(alice: Somebody) -> None:
    User.objects.filter(pk=alice.user.pk).update(must_change_password=True)
    place = reverse("mail:password")
    assert alice.client.get(reverse("mail:home"))["Location"] == place
    assert alice.client.get(reverse("mail:compose"), headers={"HX-Request": "true"})["HX-Redirect"] == place
    assert "Choose your own password" in alice.client.get(place).content.decode()
    new = "an even longer passphrase"
    alice.client.post(place, {"old_password": "a long enough password", "new_password1": new, "new_password2": new})
    assert alice.client.get(reverse("mail:settings")).status_code == 200
