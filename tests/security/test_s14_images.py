"""S14 and S59: remote images go through the proxy alone: asked for once, told nothing, written anew, bound to a person,
a message and a time; whatever goes wrong looks the same.
"""

import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from tests.app.conftest import Somebody, somebody
from tests.support.newsletters import newsletter
from tests.support.pictures import PictureServer
from tests.unit.imaging.drawn import animation, bomb, opened, picture
from webmail import storage
from webmail.jobs import Job
from webmail.models import RemoteImage
from webmail.protocols import egress
from webmail.queries import image_addresses
from webmail.queries.image_addresses import Claim
from webmail.queries.reading import frame_token, read_frame_token
from webmail.render.pictures import key_of
from webmail.services import image_turns
from webmail.sync import remote_images
from webmail.views import remote_images as views

URL = "https://img.pier4.test/head.png"


@pytest.fixture
def alice(db: None) -> Somebody:
    return somebody("Alice")


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A worker that is there at once; what was queued is noted."""
    queued: list[tuple[object, ...]] = []

    def enqueue(job: Job, message_id: int, key: str) -> bool:
        queued.append((job, message_id, key))
        remote_images.fetch_image(message_id, key)
        return True

    monkeypatch.setattr(views, "enqueue", enqueue)
    return queued


def address(of: Somebody, url: str = URL) -> str:
    placement = newsletter(of.inbox, url)
    return image_addresses.address(Claim(of.user.pk, placement.message_id, key_of(url)))


def body(url: str) -> bytes:
    response = Client().get(url)
    assert response.status_code == 200
    return b"".join(response) if response.streaming else response.content


def test_s14_a_picture_is_fetched_once_and_says_nothing_of_its_reader(alice: Somebody, pictures: PictureServer) -> None:
    pictures.serve("/head.png", picture("JPEG"), content_type="text/html", Set_Cookie="who=alice")
    url = address(alice)
    client = Client(headers={"referer": "https://mail.example.org/mail/1/2/3/", "user-agent": "Alice's browser"})
    first = client.get(url)
    assert opened(b"".join(first)).format == "JPEG"
    assert opened(body(url)).format == "JPEG"
    assert len(pictures.asked) == 1
    told = {name.lower(): value for name, value in pictures.asked[0].items()}
    assert told["user-agent"] == egress.USER_AGENT
    assert told.keys() == {"path", "method", "host", "user-agent", "accept", "accept-encoding", "connection"}


def test_s14_the_answer_has_the_headers_of_the_design(alice: Somebody, pictures: PictureServer) -> None:
    pictures.serve("/head.png", picture("JPEG"), content_type="text/html")
    response = Client().get(address(alice))
    expected = {
        "Content-Type": "image/jpeg",
        "Content-Disposition": 'inline; filename="image.png"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=86400, immutable",
    }
    assert {name: response.headers[name] for name in expected} == expected
    assert not response.cookies


def test_s14_nothing_is_shared_between_messages_or_people(pictures: PictureServer, alice: Somebody) -> None:
    pictures.serve("/head.png", picture())
    bob = somebody("Bob")
    for url in (address(alice), address(alice), address(bob)):
        body(url)
    assert len(pictures.asked) == 3
    assert RemoteImage.objects.count() == 3


@pytest.mark.parametrize("method", ["post", "head", "put", "delete", "options"])
def test_s14_only_get(alice: Somebody, method: str) -> None:
    assert getattr(Client(), method)(address(alice)).status_code == 405


WRONG: dict[str, Callable[[PictureServer], object]] = {
    "svg": lambda server: server.serve("/head.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "html": lambda server: server.serve("/head.png", b"<script>alert(1)</script>"),
    "bomb": lambda server: server.serve("/head.png", bomb(15_000)),
    "half": lambda server: server.serve("/head.png", animation(3, size=(400, 300))[:300]),
    "many frames": lambda server: server.serve("/head.png", animation(3, size=(60_000, 2))[:13] + b"\x2c" * 99),
    "large": lambda server: server.raw("/head.png", b"HTTP/1.1 200 OK\r\nContent-Length: 10485761\r\n\r\n"),
    "missing": lambda server: None,
    "private": lambda server: server.redirect("/head.png", "http://169.254.169.254/x.png"),
    "loopback": lambda server: server.redirect("/head.png", f"http://127.0.0.1:{server.port}/x.png"),
    "nonsense": lambda server: server.raw("/head.png", b"* OK hello\r\n"),
}


@pytest.mark.parametrize("what", WRONG)
def test_s14_whatever_goes_wrong_is_the_same_grey_pixel(alice: Somebody, pictures: PictureServer, what: str) -> None:
    WRONG[what](pictures)
    url = address(alice)
    response = Client().get(url)
    assert (response.status_code, response.content, response.headers["Content-Type"]) == (200, views.GREY, "image/png")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert body(url) == views.GREY
    assert len(pictures.asked) <= 1  # what failed is not tried again for a while


def test_s14_what_failed_is_tried_again_later(alice: Somebody, pictures: PictureServer) -> None:
    url = address(alice)
    assert body(url) == views.GREY
    pictures.serve("/head.png", picture())
    RemoteImage.objects.update(changed_at=ago(hours=1))
    assert opened(body(url)).size == (40, 30)


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def test_s14_an_animation_moves(alice: Somebody, pictures: PictureServer) -> None:
    pictures.serve("/head.png", animation(4))
    assert getattr(opened(body(address(alice))), "n_frames", 1) == 4


def test_s14_a_tracker_is_a_pixel_that_nobody_is_asked_for(
    alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the list learnt of after the message had been cleaned."""
    url = address(alice)
    monkeypatch.setattr("webmail.queries.remote_images.is_tracker", lambda url: True)
    response = Client().get(url)
    assert response.content == views.PIXEL
    monkeypatch.setattr("webmail.sync.remote_images.is_tracker", lambda url: True)
    remote_images.fetch_image(RemoteImage.objects.count() or alice.placement.message_id, key_of(URL))
    assert pictures.asked == []


# --- the address -----------------------------------------------------------------------------------------------------


def test_s59_an_address_is_for_one_person_message_and_picture(alice: Somebody, pictures: PictureServer) -> None:
    pictures.serve("/head.png", picture())
    bob = somebody("Bob")
    url = address(alice)
    ours = image_addresses.read(url.rpartition("/")[2])
    assert ours is not None
    other = newsletter(bob.inbox, URL)
    for claim in (
        Claim(bob.user.pk, ours.message_id, ours.key),
        Claim(ours.user_id, other.message_id, ours.key),
        Claim(ours.user_id, ours.message_id, key_of("https://elsewhere.test/")),
        Claim(ours.user_id, 10**9, ours.key),
    ):
        assert Client().get(image_addresses.address(claim)).status_code == 404
    assert pictures.asked == []


def test_s59_a_changed_address_is_none(alice: Somebody, pictures: PictureServer) -> None:
    url = address(alice)
    place, _, token = url.rpartition("/")
    for at in range(0, len(token), 3):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert Client().get(f"{place}/{changed}").status_code == 404
    assert pictures.asked == []


def test_s59_an_address_ends(alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.serve("/head.png", picture())
    url = address(alice)
    assert url == image_addresses.address(image_addresses.read(url.rpartition("/")[2]))  # type: ignore[arg-type]  # no None
    later = time.time() + 3601
    monkeypatch.setattr(image_addresses.time, "time", lambda: later)  # type: ignore[attr-defined]  # not exported
    assert Client().get(url).status_code == 404


def test_s59_who_was_shut_out_sees_nothing(alice: Somebody, pictures: PictureServer) -> None:
    url = address(alice)
    alice.user.is_active = False
    alice.user.save(update_fields=["is_active"])
    assert Client().get(url).status_code == 404


def test_a_frame_token_is_no_image_address_and_the_other_way_round(alice: Somebody) -> None:
    url = address(alice)
    assert read_frame_token(url.rpartition("/")[2]) is None
    assert Client().get(reverse("mail:image", args=[frame_token(alice.user, 1, remote=True)])).status_code == 404


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_newsletter_with_eighty_pictures_loads(
    alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"https://img.pier4.test/{number}.png" for number in range(80)]
    small = picture(size=(4, 4))
    for number in range(80):
        pictures.serve(f"/{number}.png", small)
    placement = newsletter(alice.inbox, *urls)
    claims = [Claim(alice.user.pk, placement.message_id, key_of(url)) for url in urls]
    assert all(body(image_addresses.address(claim)) != views.GREY for claim in claims)


def test_very_many_pictures_in_a_while_are_not_fetched(
    alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_turns, "IN_A_WINDOW", 2)
    monkeypatch.setattr(image_turns, "WINDOW_SECONDS", 10**8)  # none ends while the test runs
    pictures.serve("/head.png", picture())
    assert [body(address(alice)) == views.GREY for _ in range(4)] == [False, False, True, True]
    bob = somebody("Bob")
    assert body(address(bob)) != views.GREY
    assert len(pictures.asked) == 3


def test_a_picture_at_rest_costs_no_turn(
    alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures.serve("/head.png", picture())
    url = address(alice)
    body(url)
    monkeypatch.setattr(image_turns, "IN_A_WINDOW", 0)
    assert body(url) != views.GREY


def test_a_server_that_does_not_answer_is_left_alone_for_a_minute(
    alice: Somebody, connects: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens where these pictures are said to be."""
    for number in range(5):
        assert body(address(alice, f"https://gone.test/{number}.png")) == views.GREY
    assert len(connects) == 1


def test_s30_a_refused_host_looks_like_one_that_does_not_answer(
    alice: Somebody, pictures: PictureServer, connects: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the sender nor the page can tell what is in the house from what is nowhere: nobody looks there."""
    names = {"intranet.example.org": ["10.0.0.1"], "here.example.org": ["127.0.0.1"]}
    names["nowhere.example.org"] = []
    real = socket.getaddrinfo

    def look_up(host: str, *args: object, **more: object) -> object:
        if host in names and not names[host]:
            raise socket.gaierror("no such name")
        return real(names.get(host, [host])[0], *args, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(egress, "PORTS", egress.PORTS | {pictures.port})  # where somebody does listen
    hosts = ["8.8.8.8", "127.0.0.1", f"127.0.0.1:{pictures.port}", "10.0.0.1", "[::1]", "169.254.169.254", *names]
    looks, seconds = {}, {}
    for host in hosts:
        began = time.monotonic()
        response = Client().get(address(alice, f"http://{host}/x.png"))
        seconds[host] = time.monotonic() - began
        row = RemoteImage.objects.latest("pk")
        looks[host] = (response.status_code, response.content, sorted(response.headers.items()), row.state, row.size)
    assert [host for host in hosts if looks[host] != looks["8.8.8.8"]] == []
    assert max(seconds.values()) < 2  # all of one class: none waits for anything
    assert connects == [("8.8.8.8", 80)]
    assert pictures.asked == []


def test_a_redirect_into_nowhere_is_not_held_against_the_server_that_said_it(
    alice: Somebody, pictures: PictureServer, connects: list[tuple[str, int]]
) -> None:
    """Else whoever finds a redirect at a large host could have all its pictures left out for everybody."""
    pictures.redirect("/away.png", "http://8.8.8.8/x.png")
    pictures.serve("/head.png", picture())
    assert body(address(alice, "https://img.pier4.test/away.png")) == views.GREY
    assert ("8.8.8.8", 80) in connects
    assert body(address(alice)) != views.GREY


def test_without_workers_the_pixel_comes_at_once(alice: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "enqueue", lambda *args: False)
    assert body(address(alice)) == views.GREY


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_the_oldest_make_way(alice: Somebody, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_images, "MOST_KEPT", 500)
    for number in range(4):
        pictures.serve(f"/{number}.png", picture("JPEG"))
        body(address(alice, f"https://img.pier4.test/{number}.png"))
    kept = RemoteImage.objects.filter(state="here")
    assert kept.count() < 4
    assert sum(row.size for row in kept) <= 500 or kept.count() == 0


def test_purge_throws_files_away_with_their_rows(alice: Somebody, pictures: PictureServer) -> None:
    pictures.serve("/head.png", picture())
    for _ in range(3):
        body(address(alice))
    old, orphan, fresh = RemoteImage.objects.order_by("pk")
    RemoteImage.objects.filter(pk=old.pk).update(changed_at=ago(days=31))
    orphan.message.delete()
    assert remote_images.purge() == 2
    assert list(RemoteImage.objects.values_list("pk", flat=True)) == [fresh.pk]
    for row in (old, orphan):
        with pytest.raises(FileNotFoundError):
            storage.open_name(row.file)
    storage.open_name(fresh.file).close()


def test_a_picture_is_asked_for_once_however_many_wait(alice: Somebody, pictures: PictureServer) -> None:
    placement = newsletter(alice.inbox, URL)
    key = key_of(URL)
    RemoteImage.objects.create(
        message=placement.message, account_id=alice.account.pk, key=key, changed_at=ago(seconds=5)
    )
    remote_images.fetch_image(placement.message_id, key)  # another worker is at it
    assert pictures.asked == []
    RemoteImage.objects.update(changed_at=ago(minutes=2))  # which died
    pictures.serve("/head.png", picture())
    remote_images.fetch_image(placement.message_id, key)
    assert RemoteImage.objects.get().state == "here"


@override_settings(CONTENT_ORIGIN="https://content.example")
def test_s14_a_content_host_of_its_own_is_where_pictures_are(alice: Somebody) -> None:
    placement = newsletter(alice.inbox, URL)
    token = frame_token(alice.user, placement.message_id, remote=True)
    response = Client().get(reverse("mail:frame", args=[token]))
    assert b'src="https://content.example/i/' in response.content
    assert (
        "img-src https://content.example/i/ https://content.example/m/" in response.headers["Content-Security-Policy"]
    )
