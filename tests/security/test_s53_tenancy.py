"""S53: what is somebody's is 404 for everybody else, however it is named: in the path, the query or the form."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests import factories
from webmail.models import Draft, Mailbox, Outgoing, Placement, Upload
from webmail.queries.reading import frame_token

from .ground import Route, World, addresses, every_row, routes

MARK = b"mark-of-alice"
OPEN_BY_TOKEN = {"frame", "inline_part", "print"}  # a signed address is the right itself; test_s53_a_token… tries it
OF_ORGANISATION = {"oauth_begin"}  # colleagues share it; tests/app/test_oauth.py tries strangers
pytestmark = pytest.mark.django_db


def named(route: Route) -> bool:
    return bool(route.parameters - {"do"}) and not route.of_panel and route.name not in OPEN_BY_TOKEN | OF_ORGANISATION


def test_s53_every_object_is_404_for_others(
    alice: World, bob: World, charlie: World, root: tuple[User, Client]
) -> None:
    """An administrator is nobody in particular here: running the installation opens no mail."""
    before = every_row()
    wrong = [
        f"{response.status_code} {url}"
        for route in filter(named, routes())
        for url in addresses(route, alice)
        for client in (bob.client, charlie.client, root[1])
        for response in (client.get(url), client.post(url), client.get(url, headers={"HX-Request": "true"}))
        if response.status_code not in (404, 405) or MARK in answer(response)
    ]
    assert wrong == []
    assert every_row() == before


def answer(response: Any) -> bytes:
    return bytes(b"".join(response.streaming_content) if response.streaming else response.content)


def test_s53_pages_of_ones_own_hold_nothing_of_others(alice: World, charlie: World) -> None:
    for route in routes():
        if not route.of_panel and route.name != "live":
            for url in addresses(route, charlie):
                assert MARK not in answer(charlie.client.get(url)), url


def test_s53_ids_of_two_people_do_not_mix(alice: World, bob: World) -> None:
    """One's own account in front of another's mailbox, one's own mailbox before another's conversation."""
    thread = alice.placement.thread_id
    for args in ([bob.account.pk, alice.inbox.pk], [alice.account.pk, bob.inbox.pk]):
        assert bob.client.get(reverse("mail:mailbox", args=args)).status_code == 404
        assert bob.client.get(reverse("mail:thread", args=[*args, thread])).status_code == 404
    own = reverse("mail:thread", args=[bob.account.pk, bob.inbox.pk, thread])
    assert bob.client.get(own).status_code == 404


QUERIES: dict[str, Callable[[World], str]] = {
    "reply": lambda a: f"reply={a.message_id}",
    "reply all": lambda a: f"reply={a.message_id}&mode=all",
    "forward": lambda a: f"reply={a.message_id}&mode=forward",
    "draft": lambda a: f"draft={a.draft.pk}",
    "draft in a window": lambda a: f"draft={a.draft.pk}&window=1",
}


@pytest.mark.parametrize("query", QUERIES)
def test_s53_the_composer_opens_nothing_of_others(query: str, alice: World, bob: World) -> None:
    response = bob.client.get(f"{reverse('mail:compose')}?{QUERIES[query](alice)}")
    assert response.status_code == 404
    assert MARK not in response.content


POSTS: dict[str, Callable[[World, World], tuple[str, dict[str, object]]]] = {
    "act on a message": lambda a, b: ("mail:act", {"action": "delete", "message": a.message_id}),
    "act on a conversation": lambda a, b: ("mail:act", {"action": "star", "thread": a.placement.thread_id}),
    "act on all of a mailbox": lambda a, b: ("mail:act", {"action": "read", "scope": "all", "mailbox": a.inbox.pk}),
    "move theirs to mine": lambda a, b: ("mail:act", {"action": "move", "message": a.message_id, "to": b.folder.pk}),
    "move mine to theirs": lambda a, b: ("mail:act", {"action": "move", "message": b.message_id, "to": a.folder.pk}),
    "save their draft": lambda a, b: ("mail:compose", composed(b, draft=a.draft.pk)),
    "send their draft": lambda a, b: ("mail:compose", composed(b, draft=a.draft.pk, do="send")),
    "discard their draft": lambda a, b: ("mail:compose", composed(b, draft=a.draft.pk, do="discard")),
    "answer their message": lambda a, b: ("mail:compose", composed(b, original=a.message_id, mode="forward")),
    "remove their file": lambda a, b: ("mail:compose", composed(b, draft=b.draft.pk, do=f"remove:{a.upload.pk}")),
    "sign as they do": lambda a, b: ("mail:identities", {"identity": a.identity.pk, "name": "x", "signature": "x"}),
}


def test_s53_theirs_among_mine_is_as_if_it_did_not_exist(alice: World, bob: World) -> None:
    both = {"action": "star", "message": [bob.message_id, alice.message_id]}
    bob.client.post(reverse("mail:act"), both)
    flags = dict(Placement.objects.values_list("message_id", "flags"))
    assert flags[bob.message_id]
    assert not flags[alice.message_id]


def composed(by: World, **more: object) -> dict[str, object]:
    return {"identity": by.identity.pk, "to": "x@x.example", "subject": "s", "text": "t", **more}


@pytest.mark.parametrize("post", POSTS)
def test_s53_forms_take_no_ids_of_others(post: str, alice: World, bob: World) -> None:
    before = every_row()
    name, data = POSTS[post](alice, bob)
    response = bob.client.post(reverse(name), data)
    assert response.status_code == 404, response
    assert MARK not in response.content
    assert every_row() == before


@pytest.mark.parametrize("do", ["save", "send"])
def test_s53_nobody_writes_as_another(do: str, alice: World, bob: World) -> None:
    data = composed(bob, identity=alice.identity.pk, do=do)
    drafts, outgoing = Draft.objects.count(), Outgoing.objects.count()
    assert bob.client.post(reverse("mail:compose"), data).status_code == 422
    assert (Draft.objects.count(), Outgoing.objects.count()) == (drafts, outgoing)


def test_s53_files_go_to_and_from_ones_own_drafts_only(alice: World, bob: World) -> None:
    before = every_row()
    own = reverse("mail:draft_files", args=[bob.draft.pk])
    assert bob.client.post(own, {"remove": alice.upload.pk}).status_code == 404
    assert every_row() == before
    assert Upload.objects.filter(pk=alice.upload.pk).exists()


def test_s53_folders_of_others_cannot_be_chosen(alice: World, bob: World) -> None:
    url = reverse("mail:account", args=[bob.account.pk])
    assert bob.client.post(url, {"part": "folders", "archive": alice.folder.pk}).status_code == 422
    assert Mailbox.objects.get(pk=alice.folder.pk).role == ""


def test_s53_extra_fields_change_nothing(alice: World, bob: World) -> None:
    """S44 beside it: what a form does not ask for is not taken."""
    more = {"is_staff": "on", "is_superuser": "1", "organisation": alice.user.organisation_id, "user": alice.user.pk}
    bob.client.post(reverse("mail:appearance"), {"theme": "dark", "undo_send_seconds": 5, "time_zone": "UTC"} | more)
    user = User.objects.get(pk=bob.user.pk)
    assert (user.theme, user.is_staff, user.is_superuser, user.organisation) == (
        "dark",
        False,
        False,
        bob.user.organisation,
    )
    forged = composed(bob, user=alice.user.pk, account=alice.account.pk, user_id=alice.user.pk, do="save")
    bob.client.post(reverse("mail:compose"), forged)
    made = Draft.objects.latest("pk")
    assert (made.user, made.account) == (bob.user, bob.account)


def test_s53_search_finds_ones_own_only(alice: World, bob: World) -> None:
    for query in ("mark", "mark-of-alice", "from:alice", f"acct:{alice.account.pk}", "in:inbox", "*"):
        assert MARK not in bob.client.get(reverse("mail:search"), {"q": query}).content.replace(query.encode(), b"")
    assert bob.client.get(reverse("mail:people"), {"q": "mark"}).json()["people"][0]["name"] == "mark-of-bob"


def test_s53_a_token_is_for_one_person_and_one_message(alice: World, bob: World) -> None:
    theirs = frame_token(bob.user, alice.message_id)  # signed by us, yet for a message that is not Bob's
    assert Client().get(reverse("mail:frame", args=[theirs])).status_code == 404
    assert Client().get(reverse("mail:inline_part", args=[theirs, "2"])).status_code == 404
    assert Client().get(reverse("mail:print", args=[theirs])).status_code == 404
    good = frame_token(alice.user, alice.message_id)
    assert MARK in Client().get(reverse("mail:frame", args=[good])).content
    changed = good.replace(good[0], "x" if good[0] != "x" else "y", 1)
    for bad in (changed, good[:-1], good + "A", good.rpartition(":")[0], ":".join(["x", *good.split(":")[1:]])):
        assert Client().get(f"/m/{bad}/").status_code == 404


def test_s53_the_panel_does_not_exist_for_people(alice: World, root: tuple[User, Client]) -> None:
    """Nor for half an administrator, nor for nobody; and what it does is not done."""
    User.objects.filter(pk=alice.user.pk).update(is_staff=True)
    half = alice.client
    before = every_row()
    panel = [url for route in routes() if route.of_panel for url in addresses(route, alice)]
    assert len(panel) > 40
    for url in panel:
        for client in (half, Client()):
            assert client.get(url).status_code == 404, url
            assert client.post(url).status_code == 404, url
    assert every_row() == before


def test_s53_the_panel_shows_no_mail(root: tuple[User, Client], alice: World) -> None:
    """S60 beside it: an administrator sees accounts and how they are, never what was written."""
    written = factories.message(alice.inbox, subject="only-in-mail", text="only-in-mail", snippet="only-in-mail")
    assert b"only-in-mail" in alice.client.get(reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk])).content
    for route in routes():
        if route.of_panel:
            for url in addresses(route, alice):
                content = root[1].get(url).content
                assert b"only-in-mail" not in content, url
                assert written.message.from_address.encode() not in content, url
