"""S32: fields count as signed only when a signature that covers them passed the check of a named service (RFC 8058)."""

import pytest

from accounts.models import MailServer
from webmail.queries import access, trust

from .arriving import deliver
from .ground import World

pytestmark = pytest.mark.django_db

WANTED = {"list-unsubscribe", "list-unsubscribe-post"}
PASSED = b"Authentication-Results: mx.ours.example; dkim=pass header.d=news.test header.s=k1 header.b=AbCdEfGh\r\n"
SIGNATURE = b"DKIM-Signature: d=news.test; s=k1; h=from:list-unsubscribe:list-unsubscribe-post; b=AbCdEfGhIjKl\r\n"
SECOND = b"List-Unsubscribe: <https://evil.test/u>\r\n"
FIELDS = (
    b"From: News <news@news.test>\r\nTo: alice@harbourlane.example\r\nSubject: News\r\nMessage-ID: <s32@news.test>\r\n"
    b"List-Unsubscribe: <https://news.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nHello\r\n"
)


def signed(who: World, raw: bytes) -> frozenset[str]:
    MailServer.objects.filter(pk=who.account.incoming_id).update(authentication_names=["mx.ours.example"])
    message = deliver(who.inbox, raw)
    return trust.signed_fields(access.message(who.user, message.pk))


def test_s32_fields_under_a_passing_signature_are_signed(alice: World) -> None:
    assert signed(alice, PASSED + SIGNATURE + FIELDS) == WANTED | {"from"}


@pytest.mark.parametrize(
    "raw",
    [
        SIGNATURE + FIELDS,
        PASSED + FIELDS,
        PASSED.replace(b"pass", b"fail") + SIGNATURE + FIELDS,
        PASSED.replace(b"mx.ours", b"mx.theirs") + SIGNATURE + FIELDS,
        PASSED.replace(b"news.test", b"other.test") + SIGNATURE + FIELDS,
        PASSED.replace(b"AbCd", b"XxXx") + SIGNATURE + FIELDS,
        PASSED + SIGNATURE.replace(b":list-unsubscribe:list-unsubscribe-post", b"") + FIELDS,
        PASSED + SIGNATURE + SECOND + FIELDS,
        SECOND + PASSED + SIGNATURE + FIELDS,
        PASSED + SIGNATURE.replace(b"h=from", b"h=from; h=from") + FIELDS,
    ],
    ids=lambda raw: None,
)
def test_s32_others_are_not(alice: World, raw: bytes) -> None:
    assert "list-unsubscribe" not in signed(alice, raw)
