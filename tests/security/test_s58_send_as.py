"""S58: nobody writes from an address that is not theirs, by a hidden field, a draft, a waiting message or a link."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity
from tests.app.conftest import Somebody, alice, bob
from tests.support.submission import Submission
from webmail import storage
from webmail.delivery import submit as submitting
from webmail.models import Draft, Outgoing
from webmail.services import identities

__all__ = ["alice", "bob"]
pytestmark = pytest.mark.django_db
COMPOSE = reverse("mail:compose")
ALIAS = "press@harbour.example"


def own(who: Somebody) -> Identity:
    return Identity.objects.get(account=who.account, is_default=True)


def add(who: Somebody, address: str = ALIAS, **more: Any) -> Any:
    values = {"address": address, "name": "Press", "account": who.account.pk} | more
    return who.client.post(reverse("mail:identity_add"), values)


def link(who: Somebody) -> str:
    """The address in the newest mail that confirms one."""
    outgoing = Outgoing.objects.filter(user=who.user).latest("pk")
    mail = message_from_bytes(storage.read(outgoing.account_id, outgoing.digest), policy=policy.default)
    body = mail.get_body()
    assert body is not None
    found = re.search(r"https?://\S+", body.get_content().replace("\n", ""))
    assert found is not None
    return "/" + found[0].split("/", 3)[3].split("If you know")[0]


def post(who: Somebody, identity: Identity, **more: Any) -> Any:
    typed = {
        "identity": identity.pk,
        "to": "amara@pier4.example",
        "subject": "Proofs",
        "format": "html",
        "html": "<p>a",
    }
    return who.client.post(COMPOSE, typed | {"do": "send"} | more, headers={"Accept": "application/json"})


def test_an_address_is_of_use_only_after_the_link_in_a_mail_to_it_was_confirmed(alice: Somebody) -> None:
    assert add(alice).status_code == 302
    identity = Identity.objects.get(address=ALIAS)
    outgoing = Outgoing.objects.get()
    assert list(outgoing.recipients.values_list("address", flat=True)) == [ALIAS]
    assert outgoing.envelope_from == "", "a refusal would bring the link to whoever asked"
    assert post(alice, identity).status_code == 422
    page = link(alice)
    assert alice.client.get(page).status_code == 200
    assert post(alice, identity).status_code == 422, "looking at the page is not enough"
    alice.client.post(page)
    assert post(alice, identity).status_code == 200
    assert Outgoing.objects.latest("pk").envelope_from == ALIAS


def test_a_link_confirms_nothing_for_anybody_else(alice: Somebody, bob: Somebody) -> None:
    add(alice)
    page = link(alice)
    assert bob.client.get(page).status_code == 404
    assert bob.client.post(page).status_code == 404
    assert not Identity.objects.filter(address=ALIAS).exclude(verified_at=None).exists()


@pytest.mark.parametrize("how", ["forged", "old", "another address", "removed"])
def test_a_link_that_is_not_ours_or_no_longer_counts_confirms_nothing(
    alice: Somebody, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(alice)
    identity = Identity.objects.get(address=ALIAS)
    token = signing.dumps([identity.pk, ALIAS], salt="else" if how == "forged" else identities.SALT)
    if how == "old":
        monkeypatch.setattr(identities, "VALID_SECONDS", -1)
    if how == "another address":
        token = signing.dumps([own(alice).pk, ALIAS], salt=identities.SALT)
    if how == "removed":
        identities.remove(identity)
    assert alice.client.post(reverse("mail:identity_confirm", args=[token])).status_code == 404
    assert not Identity.objects.filter(address=ALIAS).exclude(verified_at=None).exists()


def test_an_address_that_was_removed_has_to_be_confirmed_again(alice: Somebody) -> None:
    add(alice)
    alice.client.post(link(alice))
    identity = Identity.objects.get(address=ALIAS)
    identities.remove(identity)
    assert post(alice, identity).status_code == 422
    Identity.objects.update(asked_at=None)
    add(alice)
    assert post(alice, identity).status_code == 422


def test_undo_gives_an_address_back_as_confirmed_as_it_was(alice: Somebody) -> None:
    add(alice)
    identity = Identity.objects.get(address=ALIAS)
    for verified in (False, True):
        if verified:
            alice.client.post(link(alice))
        alice.client.post(reverse("mail:identity_do", args=[identity.pk, "remove"]))
        alice.client.post(reverse("mail:identity_do", args=[identity.pk, "restore"]))
        identity.refresh_from_db()
        assert identity.is_usable == verified


def test_what_waits_is_not_sent_from_an_address_given_up_meanwhile(alice: Somebody, submission: Submission) -> None:
    add(alice)
    alice.client.post(link(alice))
    identity = Identity.objects.get(address=ALIAS)
    day = timezone.now().date() + timedelta(days=3)
    post(alice, identity, do=f"schedule:{day}T08:00")
    made = Outgoing.objects.latest("pk")
    identities.remove(identity)
    Outgoing.objects.update(send_after=timezone.now())
    submitting.submit(made.pk)
    made.refresh_from_db()
    assert (made.state, made.error_code) == (Outgoing.State.FAILED, "identity")
    assert (
        "You no longer write from press@harbour.example"
        in alice.client.get(reverse("mail:outgoing", args=[made.pk])).content.decode()
    )


def test_the_accounts_own_address_cannot_be_given_up(alice: Somebody) -> None:
    alice.client.post(reverse("mail:identity_do", args=[own(alice).pk, "remove"]))
    assert own(alice).is_usable


def test_identities_of_others_do_not_exist(alice: Somebody, bob: Somebody) -> None:
    for do in ("ask", "remove", "restore", "first"):
        assert alice.client.post(reverse("mail:identity_do", args=[own(bob).pk, do])).status_code == 404
    assert add(alice, account=bob.account.pk).status_code == 422
    assert alice.client.post(reverse("mail:identities"), {"identity": own(bob).pk, "name": "x"}).status_code == 404
    assert own(bob).name == "Bob"


@pytest.mark.parametrize(
    "sender",
    [
        "ceo@bank.example",
        "bob@harbour.example",
        "{own}x",
        "x+{own}",
        "{local}+tag@bank.example",
        "{own}>,<a@b.example",
        "{local}+a b@{domain}",
        "*@{domain}",
        "{local}+a\\@x@{domain}",
    ],
)
def test_the_address_in_a_hidden_field_is_one_of_the_identity_or_ignored(alice: Somebody, sender: str) -> None:
    address = alice.account.address
    local, _, domain = address.partition("@")
    post(alice, own(alice), sender=sender.format(own=address, local=local, domain=domain))
    assert Outgoing.objects.get().envelope_from == address


def test_a_tag_of_ones_own_address_is_ones_own(alice: Somebody) -> None:
    local, _, domain = alice.account.address.partition("@")
    post(alice, own(alice), sender=f"{local}+shop@{domain}")
    outgoing = Outgoing.objects.get()
    assert outgoing.envelope_from == f"{local}+shop@{domain}"
    assert f"<{local}+shop@{domain}>".encode() in storage.read(alice.account.pk, outgoing.digest)


def test_a_whole_domain_is_confirmed_at_an_address_that_nobody_could_know(alice: Somebody) -> None:
    add(alice, "*@tide.example")
    (to,) = Outgoing.objects.get().recipients.values_list("address", flat=True)
    assert re.fullmatch(r"mailroom-[0-9a-f]{20}@tide\.example", to)
    alice.client.post(link(alice))
    identity = Identity.objects.get(address="*@tide.example")
    assert "sender" in post(alice, identity).json()["errors"]
    assert post(alice, identity, sender="x@else.example").status_code == 422
    assert post(alice, identity, sender="Sales@Tide.example").status_code == 200
    assert Outgoing.objects.latest("pk").envelope_from == "sales@tide.example"


@pytest.mark.parametrize("address", ["", "nobody", "a*@x.example", "**@x.example", "a@b.example\r\nBcc: c@d.example"])
def test_what_is_no_address_is_refused_in_words(alice: Somebody, address: str) -> None:
    assert add(alice, address).status_code == 422
    assert (Outgoing.objects.count(), Identity.objects.filter(account=alice.account).count()) == (0, 1)


def test_mails_to_strangers_are_few(alice: Somebody) -> None:
    for number in range(identities.MOST_ASKED + 2):
        add(alice, f"victim{number}@bank.example")
    assert Outgoing.objects.count() == identities.MOST_ASKED
    waiting = Identity.objects.get(address="victim0@bank.example")
    alice.client.post(reverse("mail:identity_do", args=[waiting.pk, "ask"]))
    assert Outgoing.objects.count() == identities.MOST_ASKED


def test_a_draft_of_somebody_elses_identity_is_not_sent(alice: Somebody, bob: Somebody) -> None:
    draft = Draft.objects.create(
        user=alice.user, account=bob.account, identity=own(bob), to="a@b.example", html="<p>a</p>"
    )
    answer = alice.client.post(COMPOSE, {"draft": draft.pk, "revision": 1, "identity": own(bob).pk, "do": "send"})
    assert answer.status_code == 422
    assert not Outgoing.objects.exists()
