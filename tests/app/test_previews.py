"""Attachments looked at in place."""

from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from tests.app.conftest import Somebody
from tests.app.test_files import DATA, body_of, part, with_parts
from tests.unit.mime.test_pixels import picture
from webmail.models import Placement
from webmail.queries import previews
from webmail.sync import nested

EML = (
    b"From: Ben <ben@x.example>\r\nTo: Ana <ana@x.example>\r\nSubject: The inner one\r\nMIME-Version: 1.0\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Inner words<script>alert(1)</script>"
    b'<img src="https://evil.example/x.png"></p>\r\n'
    b"--b\r\nContent-Type: text/csv; name=figures.csv\r\n\r\n1,2\r\n--b--\r\n"
)


def url(placement: Placement, path: str) -> str:
    return reverse("mail:preview", args=[placement.message_id, path])


def seen(who: Somebody, placement: Placement, path: str) -> str:
    response = who.client.get(url(placement, path))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def placement(alice: Somebody) -> Placement:
    return with_parts(
        alice,
        part(alice, "2", picture(640, 480), filename="dock.png", kind="image/png"),
        part(alice, "3", b"%PDF", filename="plan.pdf", kind="application/pdf"),
        part(
            alice, "4", "Grüße <b>\n".encode("cp1252") * 40_000, filename="a.txt", kind="text/plain", charset="cp1252"
        ),
        part(alice, "5", DATA, filename="film.mp4"),
        part(alice, "6", b"OggS", filename="talk.ogg", kind="audio/ogg"),
        part(alice, "7", EML, filename="inner.eml", kind="message/rfc822"),
    )


def test_one_leads_to_the_next_and_back_to_the_message(alice: Somebody, placement: Placement) -> None:
    html = seen(alice, placement, "4")
    assert f'href="{url(placement, "2")}" rel="prev"' in html  # what cannot be looked at is passed over
    assert f'href="{url(placement, "5")}" rel="next"' in html
    assert "2 of 5" in html
    home = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    assert f'href="{home}#m-{placement.message_id}" data-close' in html


def test_text_is_decoded_escaped_and_cut(alice: Somebody, placement: Placement) -> None:
    html = seen(alice, placement, "4")
    assert "Grüße &lt;b&gt;" in html
    assert "Only the beginning is shown" in html
    assert len(html) < 600_000


@pytest.mark.parametrize(
    ("path", "element", "kind"), [("2", "img", "image/png"), ("5", "video", "video/mp4"), ("6", "audio", "audio/ogg")]
)
def test_media_are_shown_by_an_address_that_needs_no_session(
    alice: Somebody, placement: Placement, path: str, element: str, kind: str
) -> None:
    html = seen(alice, placement, path)
    assert f"<{element}" in html
    address = html.partition('src="/f/')[2].partition('"')[0]
    response = Client().get(f"/f/{address}", headers={"Range": "bytes=1-3"})
    assert (response.status_code, response.headers["Content-Type"]) == (206, kind)
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert len(body_of(response)) == 3


def test_what_cannot_be_looked_at_has_no_page(alice: Somebody, placement: Placement) -> None:
    assert alice.client.get(url(placement, "3")).status_code == 404
    thread = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    html = alice.client.get(thread).content.decode()
    assert url(placement, "3") not in html
    assert f'href="{url(placement, "2")}"' in html


def test_a_token_opens_one_file_for_one_purpose(alice: Somebody, bob: Somebody, placement: Placement) -> None:
    good = previews.token(alice.user, placement.message_id, "2", salt=previews.FILE_SALT)
    assert Client().get(reverse("mail:file", args=[good])).status_code == 200
    wrong = [
        previews.token(bob.user, placement.message_id, "2", salt=previews.FILE_SALT),
        previews.token(alice.user, placement.message_id, "2", salt=previews.NESTED_SALT),
        previews.token(alice.user, placement.message_id, "4", salt=previews.FILE_SALT),  # a text is shown by its page
        previews.token(alice.user, placement.message_id, "9", salt=previews.FILE_SALT),
        good[:-1],
    ]
    assert [Client().get(reverse("mail:file", args=[token])).status_code for token in wrong] == [404] * len(wrong)


# --- attached messages -----------------------------------------------------------------------------------------------


@pytest.fixture
def read(placement: Placement) -> Placement:
    nested.read_nested(placement.message_id, "7")
    return placement


def frame_of(html: str) -> Any:
    address = html.partition('src="/n/')[2].partition('"')[0]
    return Client().get(f"/n/{address}")


def test_an_attached_message_is_read_like_any_other(alice: Somebody, read: Placement) -> None:
    html = seen(alice, read, "7")
    assert "The inner one" in html
    assert "Ben &lt;ben@x.example&gt;" in html
    frame = frame_of(html)
    assert b"Inner words" in frame.content
    assert b"alert(1)" not in frame.content
    assert b"evil.example" not in frame.content
    assert "sandbox allow-scripts" in frame.headers["Content-Security-Policy"]


def test_its_attachments_can_be_downloaded(alice: Somebody, bob: Somebody, read: Placement) -> None:
    inner = reverse("mail:attachment", args=[read.message_id, "7:2"])
    assert f'href="{inner}"' in seen(alice, read, "7")
    assert body_of(alice.client.get(inner)) == b"1,2"
    assert bob.client.get(inner).status_code == 404
    assert "1,2" in seen(alice, read, "7:2")


def test_a_message_of_another_version_is_read_anew(
    alice: Somebody, read: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webmail.views.arriving._WAIT_SECONDS", 0)
    monkeypatch.setattr("webmail.queries.frames.SANITIZER_VERSION", 999)
    asked: list[object] = []
    monkeypatch.setattr("webmail.views.previews.enqueue", lambda *job: asked.append(job[1:]))
    response = alice.client.get(url(read, "7"))
    assert (response.status_code, response.headers["Refresh"]) == (202, "2")
    assert asked == [(read.message_id, "7")]


@override_settings(CONTENT_ORIGIN="https://content.example")
def test_a_content_host_shows_them(alice: Somebody, read: Placement) -> None:
    assert 'src="https://content.example/n/' in seen(alice, read, "7")
    assert 'src="https://content.example/f/' in seen(alice, read, "2")
