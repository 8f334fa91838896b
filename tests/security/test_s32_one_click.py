"""S32: one click asks a list only over https and only where a passing signature covers both fields; by a worker,
without cookies, and what comes back is shown to nobody (RFC 8058).
"""

import pytest
from django.urls import reverse

from accounts.models import MailServer
from tests.support.pictures import PictureServer
from webmail.models import Message, Unsubscription
from webmail.sync.unsubscribing import ask_list

from .arriving import address_of, deliver
from .ground import World
from .test_s32_signed import FIELDS, PASSED, SECOND, SIGNATURE

pytestmark = pytest.mark.django_db
GOOD = PASSED + SIGNATURE + FIELDS


def arrived(who: World, raw: bytes) -> Message:
    MailServer.objects.filter(pk=who.account.incoming_id).update(authentication_names=["mx.ours.example"])
    return deliver(who.inbox, raw)


def ask(who: World, message: Message) -> None:
    who.client.post(reverse("mail:unsubscribe", args=[message.pk]))
    for pk in Unsubscription.objects.values_list("pk", flat=True):
        ask_list(pk)


def test_s32_a_signed_list_is_asked_once_and_nothing_of_it_is_shown(alice: World, pictures: PictureServer) -> None:
    pictures.serve("/u", b"<b>answer of the list</b>", Set_Cookie="who=alice")
    message = arrived(alice, GOOD)
    before = alice.client.get(address_of(alice.inbox, message)).content
    assert b"Unsubscribe</button>" in before
    assert pictures.asked == []  # S16: nothing leaves without a click
    ask(alice, message)
    ask(alice, message)
    (request,) = pictures.asked
    assert request["method"] == "POST"
    assert request["Host"] == "news.test"
    assert not request.keys() & {"Cookie", "Referer", "Origin", "Accept-Language"}
    after = alice.client.get(address_of(alice.inbox, message)).content
    assert b"The list was asked on" in after
    assert b"answer of the list" not in after


@pytest.mark.parametrize(
    "raw",
    [
        SIGNATURE + FIELDS,
        PASSED.replace(b"pass", b"fail") + SIGNATURE + FIELDS,
        PASSED.replace(b"mx.ours", b"mx.theirs") + SIGNATURE + FIELDS,
        GOOD.replace(b":list-unsubscribe-post;", b";"),
        GOOD.replace(b":list-unsubscribe:", b":"),
        GOOD.replace(b"https:", b"http:"),
        GOOD.replace(b"=One-Click", b"=Two-Clicks"),
        GOOD.replace(b"<https://news", b"<https://alice@news"),
        PASSED + SIGNATURE + SECOND + FIELDS,
    ],
    ids=lambda raw: None,
)
def test_s32_others_are_not(alice: World, pictures: PictureServer, raw: bytes) -> None:
    message = arrived(alice, raw)
    assert b"Unsubscribe</button>" not in alice.client.get(address_of(alice.inbox, message)).content
    ask(alice, message)
    assert pictures.asked == []
    assert not Unsubscription.objects.exists()


def test_s32_what_was_believed_then_is_judged_again_by_the_worker(alice: World, pictures: PictureServer) -> None:
    message = arrived(alice, GOOD)
    alice.client.post(reverse("mail:unsubscribe", args=[message.pk]))
    MailServer.objects.filter(pk=alice.account.incoming_id).update(authentication_names=[])
    ask_list(Unsubscription.objects.get().pk)
    assert pictures.asked == []
    assert Unsubscription.objects.get().state == "failed"


def test_s32_nobody_asks_for_somebody_else(alice: World, bob: World, pictures: PictureServer) -> None:
    message = arrived(alice, GOOD)
    assert bob.client.post(reverse("mail:unsubscribe", args=[message.pk])).status_code == 404
    assert not Unsubscription.objects.exists()
