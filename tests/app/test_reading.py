"""A conversation as it is read: who is in it, what stays folded, what can be done with one message of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from webmail import storage
from webmail.models import Flag, MessageBody, Placement
from webmail.queries.reading import frame_token

from .conftest import Somebody


def opened(who: Somebody, placement: Placement) -> str:
    address = reverse("mail:thread", args=[who.account.pk, placement.mailbox_id, placement.thread_id])
    return who.client.get(address).content.decode()


def shown(html: str) -> list[int]:
    articles = html.split('<article class="message')[1:]
    return [int(article.partition('id="m-')[2].partition('"')[0]) for article in articles]


def test_ones_own_replies_stand_between_the_messages_they_answer(alice: Somebody) -> None:
    sent = factories.mailbox(alice.account, "sent")
    me = ("Alice", alice.account.address)
    thread, at = alice.placement.thread, alice.placement.received_at
    reply = factories.message(sent, thread=thread, sender=me, at=at + timedelta(hours=1), text="My answer")
    last = factories.message(alice.inbox, thread=thread, at=at + timedelta(hours=2), text="Thanks")
    html = opened(alice, alice.placement)
    assert shown(html) == [alice.placement.message_id, reply.message_id, last.message_id]


def test_a_copy_of_one_message_in_two_folders_stands_once(alice: Somebody) -> None:
    same: dict[str, Any] = {"message_id": "one@x.example", "sent_at": factories.NOON, "thread": alice.placement.thread}
    received = factories.message(alice.inbox, subject="Plan", text="once", **same)
    archived = factories.message(alice.archive, subject="[list] Plan", text="once", **same)
    ids = shown(opened(alice, received))
    assert received.message_id in ids
    assert archived.message_id not in ids


def test_a_stranger_with_the_same_message_id_hides_nothing(alice: Somebody) -> None:
    same: dict[str, Any] = {"message_id": "one@x.example", "sent_at": factories.NOON, "thread": alice.placement.thread}
    honest = factories.message(alice.inbox, subject="Plan", text="honest", **same)
    forged = factories.message(
        alice.inbox, subject="Plan", sender=("Mallory", "mallory@elsewhere.example"), text="forged", **same
    )
    ids = shown(opened(alice, honest))
    assert {honest.message_id, forged.message_id} <= set(ids)


def test_deleting_a_conversation_in_one_folder_leaves_its_copies_in_others(alice: Somebody) -> None:
    thread = alice.placement.thread
    elsewhere = factories.message(alice.archive, thread=thread)
    alice.client.post(reverse("mail:act"), {"action": "delete", "thread": thread.pk, "mailbox": alice.inbox.pk})
    alice.placement.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (alice.placement.mailbox, elsewhere.mailbox) == (alice.trash, alice.archive)


def test_forty_messages_open_with_few_frames_and_few_queries(alice: Somebody) -> None:
    thread, at = alice.placement.thread, alice.placement.received_at
    address = reverse("mail:thread", args=[alice.account.pk, alice.inbox.pk, thread.pk])
    counts = []
    for number in range(39):
        factories.message(
            alice.inbox, thread=thread, flags=factories.SEEN, at=at - timedelta(days=number + 1), html="<p>words</p>"
        )
        if number in (1, 38):
            with CaptureQueriesContext(connection) as caught:
                html = alice.client.get(address, headers={"HX-Request": "true"}).content.decode()
            counts.append(len(caught))
    assert html.count('<details class="fold" open>') == 1
    assert html.count('loading="lazy"') == 40
    assert counts[0] == counts[1] <= 16


def test_unread_from_here_leaves_what_came_before_and_ones_own(alice: Somebody) -> None:
    sent = factories.mailbox(alice.account, "sent")
    thread, at, seen = alice.placement.thread, alice.placement.received_at, factories.SEEN
    rows = [
        factories.message(alice.inbox, thread=thread, flags=seen, at=at + timedelta(hours=1)),
        factories.message(alice.inbox, thread=thread, flags=seen, at=at + timedelta(hours=2)),
        factories.message(sent, thread=thread, flags=seen, at=at + timedelta(hours=3)),
        factories.message(alice.archive, thread=thread, flags=seen, at=at + timedelta(hours=4)),
    ]
    Placement.objects.filter(pk=alice.placement.pk).update(flags=seen)
    alice.client.post(reverse("mail:act"), {"onwards": rows[1].message_id, "mailbox": alice.inbox.pk})
    read = [bool(Placement.objects.get(pk=row.pk).flags & Flag.SEEN) for row in (alice.placement, *rows)]
    assert read == [True, True, False, True, False]


@pytest.mark.parametrize("action", ["star", "delete"])
def test_what_is_done_with_one_message_is_done_to_no_other(alice: Somebody, action: str) -> None:
    other = factories.message(alice.inbox, thread=alice.placement.thread)
    html = opened(alice, alice.placement)
    assert f'name="message" value="{other.message_id}"' in html
    before = Placement.objects.filter(pk=alice.placement.pk).values_list("flags", "mailbox").get()
    alice.client.post(reverse("mail:act"), {"action": action, "message": other.message_id, "mailbox": alice.inbox.pk})
    assert Placement.objects.filter(pk=alice.placement.pk).values_list("flags", "mailbox").get() == before
    other.refresh_from_db()
    assert other.flags & Flag.FLAGGED if action == "star" else other.mailbox == alice.trash


RAW = b"Received: by x\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nX-Odd: <script>alert(1)</script>\r\n folded\r\n\r\nbody"


def stored(alice: Somebody) -> int:
    digest = storage.put(alice.account.pk, RAW)
    MessageBody.objects.filter(message=alice.placement.message).update(raw_digest=digest)
    return alice.placement.message_id


def test_all_headers_in_order_and_harmless(alice: Somebody) -> None:
    html = alice.client.get(reverse("mail:headers", args=[stored(alice)])).content.decode()
    page = html.partition("<main")[2].partition("</main>")[0]
    names = [piece.partition("</dt>")[0] for piece in page.split("<dt>")[1:]]
    assert names == ["Received", "Subject", "X-Odd"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; folded" in html


def test_the_saved_file_is_the_message_named_by_its_subject(alice: Somebody) -> None:
    answer = alice.client.get(reverse("mail:source", args=[stored(alice)]), {"download": "1"})
    assert answer.getvalue() == RAW
    assert answer.headers["Content-Disposition"] == 'attachment; filename="For Alice.eml"'


def test_a_printed_message_says_who_wrote_it_under_the_frames_policy(alice: Somebody) -> None:
    message = alice.placement.message
    message.people["to"] = [["<b>Bold</b>", "x@y.example"]]
    message.save()
    token = frame_token(alice.user, message.pk)
    answer = Client().get(reverse("mail:print", args=[token]))
    html = answer.content.decode()
    assert "Secret of Alice" in html
    assert "&lt;b&gt;Bold&lt;/b&gt; &lt;x@y.example&gt;" in html
    framed = Client().get(reverse("mail:frame", args=[token])).headers["Content-Security-Policy"]
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("allow-popups-to-escape-sandbox allow-modals")
    assert [part.split()[0] for part in policy.split("; ")] == [part.split()[0] for part in framed.split("; ")]
    assert f"/m/{token}/c/" in policy


def test_designed_mail_can_be_asked_for_in_dark_colours(alice: Somebody) -> None:
    placement = factories.message(alice.inbox, html="<p>designed</p>")
    MessageBody.objects.filter(message=placement.message).update(designed=True)
    frame = reverse("mail:frame", args=[frame_token(alice.user, placement.message_id)])
    paper, dark = (Client().get(frame + query).content.decode() for query in ("", "?ground=dark"))
    assert "html{color-scheme:light;" in paper
    assert "html{color-scheme:dark;" in dark
    assert "?ground=dark" in opened(alice, placement)
    assert "?ground=dark" not in opened(alice, alice.placement)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        (["me"], "to me<"),
        (["me", "Amara", "Bo", "Cleo"], "to me, Amara, Bo, Cleo<"),
        (["me", "Amara", "Bo", "Cleo", "Dina"], "to me, Amara, Bo, Cleo and 1 other<"),
        (["me"] + ["Person"] * 60, "to me, Person and 59 others<"),
        (["Amara"] * 2, "to Amara and 1 other<"),
        (["Meera"], "to Meera Aas<"),
        (["Me"], "to Me Aas<"),
    ],
)
def test_the_line_of_recipients_says_how_many_it_does_not_name(alice: Somebody, to: list[str], words: str) -> None:
    people = [[f"{name} Aas", f"p{n}@pier4.example"] for n, name in enumerate(to)]
    if to[0] == "me":
        people[0] = ["", alice.account.address]
    placement = factories.message(alice.inbox, text="Words", people={"to": people})
    assert words in opened(alice, placement)
