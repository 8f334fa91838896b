"""Attachments as files: ranges, archives, and the page of somebody who waits."""

import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.app.conftest import Somebody
from webmail import progress, storage
from webmail.models import Placement

DATA = bytes(range(256)) * 4_000


def part(
    who: Somebody, path: str, data: bytes | None, *, filename: str = "film.mp4", kind: str = "video/mp4", **more: Any
) -> dict[str, Any]:
    """A row of MessageBody.parts; without data the file is still on the mail server."""
    return {
        "path": path,
        "type": kind,
        "charset": "",
        "encoding": "base64",
        "size": len(data) if data is not None else 1_000_000,
        "filename": filename,
        "disposition": "attachment",
        "cid": "",
        "digest": storage.put(who.account.pk, data) if data is not None else "",
        "role": "attachment",
    } | more


def with_parts(who: Somebody, *parts: dict[str, Any], **fields: Any) -> Placement:
    return factories.message(who.inbox, text="x", parts=list(parts), **fields)


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.fixture
def film(alice: Somebody) -> str:
    return reverse("mail:attachment", args=[with_parts(alice, part(alice, "2", DATA)).message_id, "2"])


SIZE = len(DATA)


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-299", 100, 299),
        ("bytes=1000-", 1000, SIZE - 1),
        ("bytes=-10", SIZE - 10, SIZE - 1),
        (f"bytes=5-{10**17}", 5, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ],
)
def test_a_player_gets_the_range_it_asks_for(alice: Somebody, film: str, wanted: str, first: int, last: int) -> None:
    response = alice.client.get(film, headers={"Range": wanted})
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert body_of(response) == DATA[first : last + 1]


@pytest.mark.parametrize("wanted", ["", "bytes=", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=0-1,5-6", "bytes=0-"])
def test_what_is_no_single_range_gets_everything(alice: Somebody, film: str, wanted: str) -> None:
    response = alice.client.get(film, headers={"Range": wanted})
    assert response.status_code == 200
    assert response.headers["Accept-Ranges"] == "bytes"
    assert body_of(response) == DATA


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={10**17}-{10**17}", "bytes=-0"])
def test_what_lies_behind_the_end_is_refused(alice: Somebody, film: str, wanted: str) -> None:
    response = alice.client.get(film, headers={"Range": wanted})
    assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{SIZE}")


def test_a_range_of_another_version_gets_everything(alice: Somebody, film: str) -> None:
    etag = alice.client.get(film).headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200)):
        response = alice.client.get(film, headers={"Range": "bytes=0-9", "If-Range": condition})
        assert response.status_code == status


def test_all_of_them_at_once(alice: Somebody) -> None:
    placement = with_parts(
        alice,
        part(alice, "2", DATA),
        part(alice, "3", b"same words " * 9_000, filename="film.mp4", kind="text/plain"),
        part(alice, "4", b"", filename="empty.txt", kind="text/plain"),
        part(alice, "5", b"inline", role="inline"),
        subject="Plans: all/of them",
    )
    response = alice.client.get(reverse("mail:attachments", args=[placement.message_id]))
    assert response.headers["Content-Disposition"] == 'attachment; filename="of them.zip"'
    with zipfile.ZipFile(io.BytesIO(body_of(response))) as archive:
        assert archive.testzip() is None
        assert [(one.filename, one.compress_type, one.file_size) for one in archive.infolist()] == [
            ("film.mp4", zipfile.ZIP_STORED, SIZE),
            ("film (2).mp4", zipfile.ZIP_DEFLATED, 99_000),
            ("empty.txt", zipfile.ZIP_DEFLATED, 0),
        ]
        assert archive.read("film.mp4") == DATA


def test_a_message_without_attachments_has_no_archive(alice: Somebody) -> None:
    assert alice.client.get(reverse("mail:attachments", args=[alice.placement.message_id])).status_code == 404


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def away(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> Placement:
    """A message whose attachment is still on the mail server, and nobody who brings it."""
    monkeypatch.setattr("webmail.views.arriving._WAIT_SECONDS", 0)
    return with_parts(alice, part(alice, "2", None), part(alice, "3", b"here"))


def test_who_waits_sees_how_far_it_is(alice: Somebody, away: Placement) -> None:
    bringing = progress.Bringing(away.message_id, "2")
    bringing._told = 0
    bringing.wrote(500_000)
    for url in (
        reverse("mail:attachment", args=[away.message_id, "2"]),
        reverse("mail:attachments", args=[away.message_id]),
    ):
        response = alice.client.get(url)
        assert response.status_code == 202
        assert response.headers["Refresh"] == f"2; url={url}"
        assert 'value="50"' in response.content.decode()


def test_a_failure_is_told_once_and_asked_anew_by_a_click(
    alice: Somebody, away: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("webmail.views.arriving.enqueue", lambda *job: asked.append(job[1:]))
    progress.Bringing(away.message_id, "2").failed("The disk <of> the server is on holiday")
    url = reverse("mail:attachment", args=[away.message_id, "2"])
    response = alice.client.get(f"{url}?inline=1")
    assert response.status_code == 503
    assert "Refresh" not in response.headers
    assert "The disk &lt;of&gt; the server is on holiday" in response.content.decode()
    assert f'href="{url}?inline=1&amp;again=1"' in response.content.decode()
    assert asked == []
    again = alice.client.get(f"{url}?inline=1&again=1")
    assert (again.status_code, again.headers["Refresh"]) == (202, f"2; url={url}?inline=1")
    assert asked == [(away.message_id, "2")]


def test_nobody_is_asked_twice_for_what_is_on_its_way(
    alice: Somebody, away: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("webmail.views.arriving.enqueue", lambda *job: asked.append(job[1:]))
    url = reverse("mail:attachment", args=[away.message_id, "2"])
    alice.client.get(url)
    assert asked == [(away.message_id, "2")]
    assert progress.Bringing(away.message_id, "2").mine
    alice.client.get(url)
    assert len(asked) == 1
    assert not progress.Bringing(away.message_id, "2").mine


def test_a_stranger_learns_nothing_of_what_is_on_its_way(bob: Somebody, away: Placement) -> None:
    for name, more in (("attachment", ["2"]), ("attachments", [])):
        url = reverse(f"mail:{name}", args=[away.message_id, *more])
        assert bob.client.get(url).status_code == 404
        assert Client().get(url).status_code == 302
