"""S45: the address shown is the one an answer goes to, and every trick in a sender's line is told on the page."""

import re
from html import unescape

import pytest
from django.urls import reverse

from webmail.models import Message

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db

REST = b"To: alice@harbourlane.example\r\nSubject: Payment\r\nMessage-ID: <s45@evil.test>\r\n\r\nPlease pay.\r\n"
_PANEL = re.compile(r'<details class="trust (\w+)".*?</details>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")

TRICKS = {
    "an address for a name": b"From: bank@bank.example <x@evil.test>",
    "a group": b"From: a@bank.example:x@evil.test;",
    "a quoted address": b'From: "ceo@bank.example" <x@evil.test>',
    "a wide @": 'From: "ceo＠bank.example" <x@evil.test>'.encode(),
    "an encoded name": b"From: =?utf-8?q?ceo=40bank.example?= <x@evil.test>",
    "an encoded local part": b"From: =?utf-8?Q?ceo=40bank.example=00?=@evil.test",
    "an encoded line break": b"From: =?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==?==?utf-8?q?=0A?=@evil.test",
    "two angle addresses": b"From: <ceo@bank.example> <x@evil.test>",
    "two bare addresses": b"From: ceo@bank.example x@evil.test",
    "a comment": b"From: ceo@bank.example(hidden)@evil.test",
    "two @": b'From: "ceo@bank.example"@evil.test',
    "padding": "From: Boss{}x <x@evil.test>".format("\u00a0" * 60).encode(),
    "an override": "From: Bo\u202ess <x@evil.test>".encode(),
    "an invisible letter": "From: Bo\u200bss <x@evil.test>".encode(),
    "a NUL": b"From: Bo\0ss <x@evil.test>",
    "two From": b"From: x@evil.test\r\nFrom: ceo@bank.example",
    "two From, the other way round": b"From: ceo@bank.example\r\nFrom: x@evil.test",
    "two authors": b"From: x@evil.test, ceo@bank.example",
    "no From": b"X-Nothing: here",
}


def page_of(who: World, message: Message) -> str:
    response = who.client.get(address_of(who.inbox, message))
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("trick", TRICKS)
def test_s45_a_trick_is_told_beside_the_address_that_answers_go_to(alice: World, trick: str) -> None:
    message = deliver(alice.inbox, TRICKS[trick] + b"\r\n" + REST)
    page = page_of(alice, message)
    panel = _PANEL.search(page)
    assert panel is not None
    assert panel[1] in ("warn", "danger")
    article = page.partition(f'id="m-{message.pk}"')[2].partition("</summary>")[0]
    assert 'class="avatar avatar-36 nobody"' in article
    shown = re.findall(r'<bdi class="(?:address|sender-line)[^>]*dir="ltr">(.*?)</bdi>', page, re.DOTALL)
    assert all(unescape(_TAG.sub("", one)) == message.from_address for one in shown)
    assert shown or not message.from_address
    answer = alice.client.get(f"/compose/?reply={message.pk}&mode=reply").content.decode()
    assert not message.from_address or unescape(message.from_address) in unescape(answer)


@pytest.mark.parametrize("trick", TRICKS)
def test_s45_lists_show_every_one_of_them(alice: World, trick: str) -> None:
    deliver(alice.inbox, TRICKS[trick] + b"\r\n" + REST)
    for address in (f"/mail/{alice.account.pk}/{alice.inbox.pk}/", reverse("mail:unified"), "/search/?q=Payment"):
        response = alice.client.get(address)
        assert response.status_code == 200
        assert b"Payment" in response.content


@pytest.mark.parametrize(
    "line",
    [
        b"From: Ann Lee <ann@honest.test>",
        b"From: ann@honest.test",
        "From: 佐藤 美咲 <ann@honest.test>".encode(),
        b'From: "Lee, Ann" <ann@honest.test>',
        b"From: =?utf-8?q?J=C3=BCrgen?= <ann@honest.test>",
    ],
)
def test_s45_honest_senders_have_no_warning(alice: World, line: bytes) -> None:
    page = page_of(alice, deliver(alice.inbox, line + b"\r\n" + REST))
    panel = _PANEL.search(page)
    assert panel is None or panel[1] == "note"  # that it is a first message
    assert "avatar nobody" not in page
