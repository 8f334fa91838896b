"""S46 and S15: who a message is from is believed of the named service's topmost words only, and for its From alone."""

import pytest

from accounts.models import MailServer
from webmail.models import Message
from webmail.queries import trust

from .arriving import address_of, deliver
from .ground import World

pytestmark = pytest.mark.django_db

SEAL = 'class="seal"'
PASSED = (
    b"Authentication-Results: mx.ours.example;\r\n"
    b"\tdkim=pass header.d=bank.example;\r\n\tdmarc=pass header.from=bank.example\r\n"
)
FROM = b"From: Bank <service@bank.example>\r\nTo: alice@harbourlane.example\r\n"
TEXT = b"Subject: Statement\r\nMessage-ID: <s46@bank.example>\r\n\r\nYour statement.\r\n"


@pytest.fixture(autouse=True)
def _named(alice: World) -> None:
    MailServer.objects.filter(pk=alice.account.incoming_id).update(authentication_names=["mx.ours.example"])


def deemed_authentic(who: World, raw: bytes) -> bool:
    """What a page shows and what services are told, which is the same."""
    message = deliver(who.inbox, raw)
    page = who.client.get(address_of(who.inbox, message)).content.decode()
    authentic = trust.is_authenticated(Message.objects.get(pk=message.pk))
    assert (SEAL in page) == authentic
    return authentic


def test_s46_the_named_service_is_believed(alice: World) -> None:
    assert deemed_authentic(alice, PASSED + FROM + TEXT)


REAL = b"Authentication-Results: mx.ours.example; spf=fail smtp.mailfrom=evil.test; dkim=none; dmarc=none\r\n"
NOTHING_FOUND = b"Authentication-Results: mx.ours.example; spf=none smtp.mailfrom=evil.test\r\n"
FORGERIES = {
    "another service": PASSED.replace(b"mx.ours", b"mx.theirs") + FROM + TEXT,
    "a name that ends alike": PASSED.replace(b"mx.ours", b"evil-mx.ours") + FROM + TEXT,
    "a name that begins alike": PASSED.replace(b"mx.ours.example", b"mx.ours.example.evil.test") + FROM + TEXT,
    "below the real one": REAL + PASSED + FROM + TEXT,
    "below the real one, which checked SPF only": NOTHING_FOUND + PASSED + FROM + TEXT,
    "below the real one, which checked nothing": b"Authentication-Results: mx.ours.example; none\r\n"
    + PASSED
    + FROM
    + TEXT,
    "below the real one, which is about something else": b"Authentication-Results: mx.ours.example; arc=none\r\n"
    + PASSED
    + FROM
    + TEXT,
    "below another station's": NOTHING_FOUND + b"Authentication-Results: relay.test; none\r\n" + PASSED + FROM + TEXT,
    "in ARC": PASSED.replace(b"Authentication-Results: ", b"ARC-Authentication-Results: i=1; ") + FROM + TEXT,
    "in a comment": REAL.replace(b"dkim=none", b"dkim=none (; dmarc=pass header.from=bank.example)") + FROM + TEXT,
    "in a quoted reason": REAL.replace(b"dkim=none", b'dkim=none reason="; dmarc=pass header.from=bank.example"')
    + FROM
    + TEXT,
    "for another domain": PASSED.replace(b"bank.example", b"evil.test") + FROM + TEXT,
    "for a tenant of the domain": PASSED.replace(b"bank.example", b"x.bank.example") + FROM + TEXT,
    "by SPF alone": PASSED.replace(b"dkim=pass header.d", b"spf=pass smtp.mailfrom").replace(
        b"dmarc=pass", b"dmarc=none"
    )
    + FROM
    + TEXT,
    "two From": PASSED + FROM + b"From: service@evil.test\r\n" + TEXT,
    "two authors": PASSED + FROM.replace(b"From: ", b"From: a@evil.test, ") + TEXT,
    "an address in the name of another": PASSED
    + FROM.replace(b"Bank <service@bank", b'"a@bank.example" <x@evil')
    + TEXT,
    "a header that is cut": PASSED + FROM + b"X-Fill: y\r\n" * 600 + TEXT,
    "of a version to come": PASSED.replace(b"example;", b"example 2;", 1) + FROM + TEXT,
}


@pytest.mark.parametrize("how", FORGERIES)
def test_s46_a_forgery_is_not(alice: World, how: str) -> None:
    assert not deemed_authentic(alice, FORGERIES[how])


def test_s46_an_unnamed_server_is_not(alice: World) -> None:
    MailServer.objects.update(authentication_names=[])
    assert not deemed_authentic(alice, PASSED + FROM + TEXT)


def test_s46_a_failed_check_is_shown(alice: World) -> None:
    failed = PASSED.replace(b"=pass", b"=fail").replace(b"dmarc=fail", b"dmarc=fail (p=reject)")
    message = deliver(alice.inbox, failed + FROM + TEXT)
    page = alice.client.get(address_of(alice.inbox, message)).content.decode()
    assert 'class="trust danger"' in page
    assert SEAL not in page
