"""Every address: a stranger gets 404, nobody gets anything without signing in, and a form without its token gets 403.

A route without an entry here fails, so that a new page cannot forget to say who may open it (criteria S37, S53).
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.urls import URLPattern, reverse

from accounts.models import CardServer, OAuthProvider
from tests import factories
from webmail import urls
from webmail.models import (
    Action,
    Contact,
    ContactGroup,
    Draft,
    Mailbox,
    Message,
    Outgoing,
    Placement,
    RemoteImage,
    RemoteOp,
    SenderTrust,
    SignaturePicture,
    TextTemplate,
    Upload,
)
from webmail.queries import previews
from webmail.queries.image_addresses import Claim
from webmail.queries.image_addresses import address as image_address
from webmail.queries.reading import frame_token

from .conftest import Somebody

Arguments = Callable[[Somebody], list[object]]


def nothing(_: Somebody) -> list[object]:
    return []


def a_draft(who: Somebody) -> Draft:
    return Draft.objects.create(user=who.user, account=who.account, identity=who.account.identities.get())


def a_signature_picture(who: Somebody) -> SignaturePicture:
    return SignaturePicture.objects.create(
        identity=who.account.identities.get(), filename="logo.png", content_type="image/png", size=1, digest="0" * 64
    )


def a_contact(who: Somebody) -> Contact:
    return Contact.objects.create(user=who.user, uid=str(uuid.uuid4()), name="Amara")


def a_template(who: Somebody) -> TextTemplate:
    return TextTemplate.objects.create(user=who.user, name=str(uuid.uuid4()))


def a_group(who: Somebody) -> ContactGroup:
    return ContactGroup.objects.create(user=who.user, name=str(uuid.uuid4()))


def a_card_server(who: Somebody) -> CardServer:
    return CardServer.objects.create(user=who.user, address="dav.example", username="a")


def an_upload(who: Somebody) -> Upload:
    return Upload.objects.create(
        user=who.user, account=who.account, draft=a_draft(who), filename="a.txt", digest="0" * 64
    )


def an_outgoing(who: Somebody) -> Outgoing:
    return Outgoing.objects.create(
        user=who.user,
        account=who.account,
        draft=a_draft(who),
        message_id=f"{uuid.uuid4()}@harbourlane.example",
        envelope_from=who.user.email,
        digest="0" * 64,
        sent_copy_digest="0" * 64,
        size=1,
        send_after=factories.NOON,
        state="failed",
    )


def a_refused_op(who: Somebody) -> RemoteOp:
    return RemoteOp.objects.create(account=who.account, kind="create", mailbox=who.archive, state="failed")


def a_provider(who: Somebody) -> OAuthProvider:
    return OAuthProvider.objects.create(
        organisation=who.user.organisation, name="Post", authorize_url="https://a.example/", client_id="x"
    )


# Routes that name an object of somebody: how to name Alice's.
OWNED: dict[str, Arguments] = {
    "mailbox": lambda a: [a.account.pk, a.inbox.pk],
    "thread": lambda a: [a.account.pk, a.inbox.pk, a.placement.thread_id],
    "single": lambda a: [a.account.pk, a.inbox.pk, a.placement.thread_id, a.placement.message_id],
    "headers": lambda a: [a.placement.message_id],
    "pop_download": lambda a: [a.placement.message_id],
    "source": lambda a: [a.placement.message_id],
    "images": lambda a: [a.placement.message_id],
    "redirect": lambda a: [a.placement.message_id],
    "unsubscribe": lambda a: [a.placement.message_id],
    "receipt": lambda a: [a.placement.message_id],
    "invitation": lambda a: [a.placement.message_id],
    "attachment": lambda a: [a.placement.message_id, "2"],
    "attachments": lambda a: [a.placement.message_id],
    "preview": lambda a: [a.placement.message_id, "2"],
    "undo": lambda a: [Action.objects.create(user=a.user, kind="read").pk],
    "action": lambda a: [Action.objects.create(user=a.user, kind="read").pk],
    "outgoing": lambda a: [an_outgoing(a).pk],
    "outgoing_do": lambda a: [an_outgoing(a).pk, "retry"],
    "draft_files": lambda a: [a_draft(a).pk],
    "merge": lambda a: [a_draft(a).pk],
    "draft_file": lambda a: [(upload := an_upload(a)).draft_id, upload.pk],
    "signature_picture_new": lambda a: [a.account.identities.get().pk],
    "signature_picture": lambda a: [(one := a_signature_picture(a)).identity_id, one.pk],
    "identity_do": lambda a: [a.account.identities.get().pk, "ask"],
    "identity_confirm": lambda a: [signing.dumps([a.account.identities.get().pk, a.account.address], salt="identity")],
    "contact": lambda a: [a_contact(a).pk],
    "template": lambda a: [a_template(a).pk],
    "template_remove": lambda a: [a_template(a).pk],
    "template_restore": lambda a: [a_template(a).pk],
    "template_filled": lambda a: [a_template(a).pk],
    "contact_crossed": lambda a: [a_contact(a).pk],
    "address_book": lambda a: [a_card_server(a).pk],
    "address_book_remove": lambda a: [a_card_server(a).pk],
    "address_book_do": lambda a: [a_card_server(a).pk, "sync"],
    "contact_apart": lambda a: [a_contact(a).pk],
    "contact_group": lambda a: [a_group(a).pk],
    "contact_group_back": lambda a: [a_group(a).pk],
    "contacts_restore": lambda a: [str(a_contact(a).pk)],
    "contacts_unbring": lambda a: [str(a_contact(a).pk)],
    "draft_reopen": lambda a: [a_draft(a).pk],
    "account": lambda a: [a.account.pk],
    "account_do": lambda a: [a.account.pk, "pause"],
    "account_password": lambda a: [a.account.pk],
    "resync": lambda a: [a.account.pk, a.inbox.pk],
    "account_remove": lambda a: [a.account.pk],
    "folders": lambda a: [a.account.pk],
    "folder_rename": lambda a: [a.archive.pk],
    "folder_remove": lambda a: [a.archive.pk],
    "folder_do": lambda a: [a.archive.pk, "empty"],
    "unsynced_do": lambda a: [a_refused_op(a).pk, "dismiss"],
}
# Routes that show only what belongs to whoever asks.
OWN = {
    "home",
    "unified",
    "starred",
    "search",
    "act",
    "live",
    "signout",
    "compose",
    "editor",
    "share",
    "people",
    "outbox",
} | {
    "settings",
    "appearance",
    "identities",
    "identity_add",
    "contacts",
    "contact_new",
    "contacts_do",
    "contacts_import",
    "address_books",
    "address_book_add",
    "templates",
    "template_new",
    "contacts_vcf",
    "contacts_csv",
    "contact_group_new",
    "labels",
    "password",
    "account_add",
    "servers",
    "undo_newest",
    "unsynced",
    "unsynced_all",
    "oauth_finish",
    "image_senders",
    "image_sender_restore",
}
# Routes that name what an administrator offers to an organisation.
SHARED: dict[str, Arguments] = {"oauth_begin": lambda a: [a_provider(a).pk]}
# Routes that need no session: signing in, and what a signed token opens.
OPEN: dict[str, Arguments] = {
    "signin": nothing,
    "manifest": nothing,
    "share_worker": nothing,
    "frame": lambda a: [frame_token(a.user, a.placement.message_id)],
    "inline_part": lambda a: [frame_token(a.user, a.placement.message_id), "2"],
    "file": lambda a: [previews.token(a.user, a.placement.message_id, "2", salt=previews.FILE_SALT)],
    "nested": lambda a: [previews.token(a.user, a.placement.message_id, "2", salt=previews.NESTED_SALT)],
    "nested_part": lambda a: [previews.token(a.user, a.placement.message_id, "2", salt=previews.NESTED_SALT), "1"],
    "image": lambda a: [image_address(Claim(a.user.pk, a.placement.message_id, "A" * 22)).rpartition("/")[2]],
    "print": lambda a: [frame_token(a.user, a.placement.message_id)],
}
BY_TOKEN = {"frame", "inline_part", "image", "print", "file", "nested", "nested_part"}
POST_ONLY = {
    "images",
    "unsubscribe",
    "receipt",
    "invitation",
    "image_sender_restore",
    "act",
    "undo",
    "undo_newest",
    "signout",
    "pop_download",
}
WORDS = {"unsynced_all": ["retry"], "image_sender_restore": ["token"]}


def routes() -> list[URLPattern]:
    return list(urls.mail)


def address(pattern: URLPattern, alice: Somebody) -> str:
    name = str(pattern.name)
    arguments = WORDS[name] if name in WORDS else (OWNED | OPEN | SHARED).get(name, nothing)(alice)
    return reverse(f"mail:{name}", args=arguments)


@pytest.mark.parametrize("pattern", routes(), ids=lambda pattern: pattern.name)
def test_every_route_says_who_may_open_it(pattern: URLPattern) -> None:
    assert pattern.name in OWNED.keys() | OPEN.keys() | SHARED.keys() | OWN


@pytest.mark.parametrize("pattern", [p for p in routes() if p.name in OWNED], ids=lambda pattern: pattern.name)
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_alices_is_404_for_bob_and_for_a_stranger(
    pattern: URLPattern, method: str, alice: Somebody, bob: Somebody, charlie: Somebody
) -> None:
    url = address(pattern, alice)
    for other in (bob, charlie):
        response = getattr(other.client, method)(url)
        assert response.status_code in (404, 405)
        assert b"Secret of Alice" not in response.content


@pytest.mark.parametrize("pattern", [p for p in routes() if p.name not in OPEN], ids=lambda pattern: pattern.name)
def test_without_signing_in_there_is_nothing(pattern: URLPattern, alice: Somebody) -> None:
    url = address(pattern, alice)
    response = Client().get(url)
    assert response.status_code in (302, 401, 405), url
    if response.status_code == 302:
        assert reverse("mail:signin") in response.headers["Location"]


@pytest.mark.parametrize("pattern", [p for p in routes() if p.name not in BY_TOKEN], ids=lambda p: p.name)
def test_a_form_without_its_token_is_refused(pattern: URLPattern, alice: Somebody) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.user)
    assert client.post(address(pattern, alice)).status_code in (403, 405)


@pytest.mark.parametrize("pattern", [p for p in routes() if p.name not in POST_ONLY], ids=lambda p: p.name)
def test_reading_changes_no_row(pattern: URLPattern, alice: Somebody) -> None:
    url = address(pattern, alice)
    before = rows()
    alice.client.get(url)
    assert rows() == before


def rows() -> list[object]:
    """Everything a page might be tempted to write."""
    tables = (Placement, Message, Mailbox, RemoteOp, Action, Draft, Outgoing, SenderTrust, RemoteImage)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_token_of_a_frame_opens_its_message_only(alice: Somebody, bob: Somebody) -> None:
    token = frame_token(alice.user, bob.placement.message_id)  # signed, but for another person's message
    assert Client().get(reverse("mail:frame", args=[token])).status_code == 404
    good = frame_token(alice.user, alice.placement.message_id)
    assert Client().get(reverse("mail:frame", args=[good])).status_code == 200
    assert Client().get(reverse("mail:frame", args=[good[:-2] + "xx"])).status_code == 404


def test_a_frame_whose_message_is_gone_says_so_in_the_frame(alice: Somebody) -> None:
    gone = frame_token(alice.user, alice.placement.message_id + 1000)
    shown = reverse("mail:frame", args=[frame_token(alice.user, alice.placement.message_id)])
    good = Client().get(shown).headers["Content-Security-Policy"].split("; ")
    for token in (gone, "ended"):
        response = Client().get(reverse("mail:frame", args=[token]))
        assert response.status_code == 404
        assert "the message is gone" in response.content.decode()
        assert "X-Frame-Options" not in response.headers  # or the browser shows its own words for a refused frame
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert [rule for rule in policy if "frame-ancestors" in rule] == [r for r in good if "frame-ancestors" in r]
        assert [rule for rule in policy if rule.startswith("sandbox")]


def test_a_frame_is_one_query_and_nobodys_session_is_read(alice: Somebody, django_assert_num_queries: Any) -> None:
    url = reverse("mail:frame", args=[frame_token(alice.user, alice.placement.message_id)])
    with django_assert_num_queries(1):
        assert alice.client.get(url).status_code == 200


def test_frame_has_its_own_policy_and_no_cookie(alice: Somebody) -> None:
    url = reverse("mail:frame", args=[frame_token(alice.user, alice.placement.message_id)])
    response = alice.client.get(url)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-same-origin" not in policy
    assert "X-Frame-Options" not in response.headers
    assert not response.cookies
