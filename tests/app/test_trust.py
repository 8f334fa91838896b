"""Whom a message is from: what the named services say, and when nobody is believed."""

from typing import Any

import pytest

from accounts.models import MailServer
from tests import factories
from webmail.models import Message, MessageBody
from webmail.queries import trust
from webmail.sync.signatures import signed_in

from .conftest import Somebody

PASSED = "mx.harbourlane.example; dmarc=pass (p=reject) header.from=pier4.example"


def believe(who: Somebody, *names: str, host: str = "mail.example") -> None:
    MailServer.objects.filter(pk=who.account.incoming_id).update(authentication_names=list(names), host=host)


def arrived(who: Somebody, *results: str, **extra: Any) -> Message:
    told = extra | {"authentication_results": list(results)} if results else extra
    return Message.objects.get(pk=factories.message(who.inbox, extra=told).message_id)


def test_a_sender_is_authenticated_by_a_named_service_only(alice: Somebody) -> None:
    message = arrived(alice, PASSED)
    assert not trust.is_authenticated(message)
    believe(alice, "mx.harbourlane.example")
    assert trust.is_authenticated(Message.objects.get(pk=message.pk))
    believe(alice, "mx.elsewhere.example")
    assert not trust.is_authenticated(Message.objects.get(pk=message.pk))


def test_a_message_that_says_nothing_is_not_authenticated(alice: Somebody) -> None:
    believe(alice, "mx.harbourlane.example")
    assert not trust.is_authenticated(arrived(alice))


@pytest.mark.parametrize("code", ["multiple-from", "multiple-authors", "invalid-address", "too-many-headers"])
def test_an_ambiguous_author_is_not_authenticated(alice: Somebody, code: str) -> None:
    believe(alice, "mx.harbourlane.example")
    assert not trust.is_authenticated(arrived(alice, PASSED, warnings=[code]))
    assert trust.is_authenticated(arrived(alice, PASSED, warnings=["zero-width"]))


def test_a_known_provider_is_believed_until_somebody_is_named(alice: Somebody) -> None:
    message = arrived(alice, "mx.google.com; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=pier4.example")
    believe(alice, host="imap.gmail.com")
    assert trust.is_authenticated(Message.objects.get(pk=message.pk))
    believe(alice, "mx.harbourlane.example", host="imap.gmail.com")
    assert not trust.is_authenticated(Message.objects.get(pk=message.pk))
    believe(alice, host="imap.gmail.com.evil.example")
    assert not trust.is_authenticated(Message.objects.get(pk=message.pk))


def test_fields_are_signed_when_their_signature_passed(alice: Somebody) -> None:
    told = "mx.harbourlane.example; dkim=pass header.d=pier4.example header.s=k1"
    message = arrived(alice, told)
    assert trust.signed_fields(message) == frozenset()
    MessageBody.objects.create(
        message=message,
        account=alice.account,
        signatures=signed_in(
            b"DKIM-Signature: d=pier4.example; s=k1; h=from:list-unsubscribe; b=x\r\nFrom: a@b.test\r\n"
        ),
    )
    assert trust.signed_fields(Message.objects.get(pk=message.pk)) == frozenset()
    believe(alice, "mx.harbourlane.example")
    assert trust.signed_fields(Message.objects.get(pk=message.pk)) == {"from"}
