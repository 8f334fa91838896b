"""Pictures of other servers in Chromium, through the running application and its workers (criteria S12 to S14)."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests import factories
from tests.security.chromium import lend_session
from tests.support.browser import CheckAxe, OpenPage
from tests.support.live import Live
from tests.support.newsletters import SENDER, VOUCHED, newsletter
from tests.support.pictures import PictureServer
from tests.unit.imaging.drawn import picture
from tests.unit.render import vectors
from webmail.models import Placement, SenderTrust
from webmail.protocols import egress
from webmail.queries import image_addresses
from webmail.queries.image_addresses import Claim
from webmail.render.pictures import key_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHOWN = "document.querySelector('img')?.naturalWidth"


@pytest.fixture
def reader(live: Live) -> User:
    return factories.user("Alice")


def open_mail(page: "Page", live: Live, reader: User, placement: Placement) -> "Page":
    client = Client()
    client.force_login(reader)
    lend_session(page, live, client)
    address = reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    page.goto(live.url + address)
    return page


def shown_width(page: "Page") -> int:
    """Of the message's picture, once it is there: nothing else has a width of its own."""
    frame = page.frame_locator("iframe.mail-frame")
    frame.locator("img").first.wait_for(state="attached")
    handle = page.locator("iframe.mail-frame").element_handle()
    inside = handle.content_frame()
    assert inside is not None
    inside.wait_for_function("() => [...document.images].every((one) => one.complete)")
    return int(inside.evaluate(SHOWN) or 0)


@pytest.mark.parametrize("scripting", [True, False])
def test_s12_held_back_shown_once_and_hidden_again(
    live: Live, reader: User, open_page: OpenPage, pictures: PictureServer, axe: CheckAxe, scripting: bool
) -> None:
    pictures.serve("/head.png", picture(size=(64, 48)))
    box = factories.mailbox(factories.account(reader))
    placement = newsletter(box, "https://img.pier4.test/head.png", flags=factories.SEEN)
    page = open_mail(open_page(scripting=scripting), live, reader, placement)
    page.get_by_text("1 remote image hidden").wait_for()
    assert page.frame_locator("iframe.mail-frame").locator("img[src]").count() == 0
    assert pictures.asked == []
    page.get_by_role("button", name="Show images").click()
    page.get_by_role("button", name="Hide images").wait_for()
    assert page.frame_locator("iframe.mail-frame").locator("img[src^='/i/']").count() == 1
    if scripting:
        assert shown_width(page) == 64
        assert page.evaluate("document.activeElement.textContent") == "Hide images"
        axe(page)
    page.get_by_role("button", name="Hide images").click()
    page.get_by_role("button", name="Show images").wait_for()
    assert page.frame_locator("iframe.mail-frame").locator("img[src]").count() == 0
    assert len(pictures.asked) <= 1


def test_s14_always_for_a_sender_and_the_second_time_nobody_is_asked(
    live: Live, reader: User, page: "Page", pictures: PictureServer
) -> None:
    pictures.serve("/head.png", picture(size=(64, 48)))
    box = factories.mailbox(factories.account(reader))
    placement = newsletter(box, "https://img.pier4.test/head.png", results=VOUCHED, flags=factories.SEEN)
    open_mail(page, live, reader, placement)
    page.get_by_role("button", name=f"Always show from {SENDER[1]}").click()
    page.get_by_role("button", name="Stop showing").wait_for()
    assert shown_width(page) == 64
    assert SenderTrust.objects.get().address == SENDER[1]
    page.context.clear_cookies()
    other = open_mail(page.context.new_page(), live, reader, placement)
    assert shown_width(other) == 64
    assert [one["User-Agent"] for one in pictures.asked] == [egress.USER_AGENT]
    assert not {"Referer", "Cookie", "Accept-Language"} & pictures.asked[0].keys()


@pytest.mark.parametrize("scripting", [True, False])
def test_a_trusted_sender_is_removed_and_given_back(
    live: Live, reader: User, open_page: OpenPage, axe: CheckAxe, scripting: bool
) -> None:
    SenderTrust.objects.create(user=reader, address=SENDER[1])
    client = Client()
    client.force_login(reader)
    page = open_page(width=390, scripting=scripting)
    lend_session(page, live, client)
    page.goto(live.url + reverse("mail:image_senders"))
    if scripting:
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name=f"Remove {SENDER[1]}").click()
    page.get_by_text("Nobody yet").wait_for()
    if scripting:
        axe(page)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name=f"Remove {SENDER[1]}").wait_for()
    assert SenderTrust.objects.count() == 1


@pytest.mark.allow_console(".")  # what the message's policy refuses is said there
def test_s13_hostile_mail_with_pictures_shown_reaches_the_proxy_alone(
    live: Live, reader: User, page: "Page", pictures: PictureServer
) -> None:
    """Every vector at once, images shown: whatever the browser asks for is ours."""
    box = factories.mailbox(factories.account(reader))
    hostile = [vectors.filled(one, script="alert(1)", origin="http://evil.test") for one in vectors.ALL]
    User.objects.filter(pk=reader.pk).update(hide_remote_images=False)
    reader.refresh_from_db()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for start in range(0, len(hostile), 40):
        body = "\n".join(hostile[start : start + 40]).replace("\0", "")
        open_mail(page, live, reader, newsletter(box, body=body, flags=factories.SEEN))
        page.wait_for_load_state("load")
    own = re.compile(re.escape(live.url) + "/|data:")
    assert [url for url in asked if not own.match(url)] == []
    assert all(one["User-Agent"] == egress.USER_AGENT for one in pictures.asked)


# --- a slow server --------------------------------------------------------------------------------------------------


def fetch(url: str, cookie: str = "") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Cookie": cookie}), timeout=60) as answer:
        found: bytes = answer.read()
    return found


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def test_a_slow_web_server_holds_up_nobodys_pages(
    live: Live, reader: User, pictures: PictureServer, crowd: ThreadPoolExecutor
) -> None:
    """Forty pictures that do not come, and meanwhile another person reads, their own pictures included."""
    urls = [f"https://slow.pier4.test/{number}.png" for number in range(40)]
    for number in range(40):
        pictures.hold(f"/{number}.png")
    placement = newsletter(factories.mailbox(factories.account(reader)), *urls)
    claims = [Claim(reader.pk, placement.message_id, key_of(url)) for url in urls]
    waiting: list[Future[bytes]] = [crowd.submit(fetch, live.url + image_addresses.address(claim)) for claim in claims]
    until(lambda: len(pictures.asked) >= 2)
    other = factories.user("Bob")
    box = factories.mailbox(factories.account(other))
    pictures.serve("/quick.png", picture(size=(64, 48)))
    quick = newsletter(box, "https://img.pier4.test/quick.png", subject="Not held up")
    client = Client()
    client.force_login(other)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    for _ in range(5):
        address = reverse("mail:mailbox", args=[box.account_id, box.pk])
        assert b"Not held up" in fetch(live.url + address, cookie)
    own = Claim(other.pk, quick.message_id, key_of("https://img.pier4.test/quick.png"))
    assert fetch(live.url + image_addresses.address(own)).startswith(b"\x89PNG")
    assert not any(one.done() for one in waiting)  # all the while they waited
    pictures.held.set()
    assert all(one.result().startswith(b"\x89PNG") for one in waiting)


def until(done: object, seconds: float = 20.0) -> None:
    ended = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if callable(done) and done():
            return
        ended.wait(0.05)
    raise AssertionError("it did not come to that")
