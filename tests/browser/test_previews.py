"""Attachments looked at in Chromium: by keyboard, without scripting, and a sound that is wound forward."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from tests.app.conftest import Somebody, somebody
from tests.app.test_files import part, with_parts
from tests.app.test_previews import EML
from tests.security.chromium import lend_session
from tests.support.browser import CheckAxe, OpenPage
from tests.support.live import Live
from tests.unit.mime.test_pixels import picture
from webmail.models import Placement

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECONDS = 120


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(bytes(2 * 22_050 * SECONDS))
    return out.getvalue()


@pytest.fixture
def alice(live: Live) -> Somebody:
    return somebody("Alice")


@pytest.fixture
def placement(alice: Somebody) -> Placement:
    return with_parts(
        alice,
        part(alice, "2", picture(640, 480), filename="dock.png", kind="image/png"),
        part(alice, "3", b"words " * 5_000, filename="notes.txt", kind="text/plain"),
        part(alice, "4", sound(), filename="talk.wav", kind="audio/wav"),
        part(alice, "5", EML, filename="inner.eml", kind="message/rfc822"),
        subject="Plans",
    )


def opened(live: Live, page: Page, who: Somebody, placement: Placement) -> str:
    """Signs in and opens the conversation; returns its address."""
    client = Client()
    client.force_login(who.user)
    lend_session(page, live, client)
    url = live.url + reverse("mail:thread", args=[placement.account_id, placement.mailbox_id, placement.thread_id])
    page.goto(url)
    return url


@pytest.mark.allow_console("503|status of 404")  # the account's server does not exist
def test_by_keyboard_through_all_of_them_and_back(
    live: Live, open_page: OpenPage, axe: CheckAxe, alice: Somebody, placement: Placement
) -> None:
    page = open_page()
    url = opened(live, page, alice, placement)
    page.locator(".attachment-open", has_text="dock.png").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/2/view/")
    assert page.locator("img.preview-picture").evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 640
    axe(page)
    for path, name in (("3", "notes.txt"), ("4", "talk.wav"), ("5", "inner.eml")):
        page.keyboard.press("ArrowRight")
        page.wait_for_url(f"**/{path}/view/")
        assert name in page.title()
        axe(page)
    page.frame_locator("iframe").get_by_text("Inner words").wait_for()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/4/view/")
    page.keyboard.press("Escape")
    page.wait_for_url(f"{url}#m-{placement.message_id}")


@pytest.mark.allow_console("503|status of 404")
def test_a_sound_is_wound_forward(live: Live, open_page: OpenPage, alice: Somebody, placement: Placement) -> None:
    page = open_page()
    opened(live, page, alice, placement)
    page.goto(live.url + reverse("mail:preview", args=[placement.message_id, "4"]))
    wound = """(audio) => new Promise((done, failed) => {
      audio.onerror = () => failed(audio.error.message);
      audio.onseeked = () => done([audio.duration, audio.currentTime]);
      const wind = () => { audio.currentTime = 100; };
      if (audio.readyState >= 1) wind(); else audio.onloadedmetadata = wind;
    })"""
    assert page.locator("audio").evaluate(wound) == [SECONDS, 100]


@pytest.mark.allow_console("503|status of 404")
def test_without_scripting_links_lead_through_them(
    live: Live, open_page: OpenPage, alice: Somebody, placement: Placement
) -> None:
    page = open_page(scripting=False, width=390)
    url = opened(live, page, alice, placement)
    # By key: a click in the same moment as the scroll that brings the link into view falls on the mail's frame, which
    # is a process of its own and was there before.
    page.locator(".attachment-open", has_text="notes.txt").press("Enter")
    page.wait_for_url("**/3/view/")
    assert "words words" in page.locator("pre").inner_text()
    page.get_by_role("link", name="Next: talk.wav").click()
    assert page.locator("audio").count() == 1
    page.get_by_role("link", name="Back to the message").click()
    assert page.url == f"{url}#m-{placement.message_id}"
