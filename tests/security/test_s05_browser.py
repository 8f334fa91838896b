"""S05 in Chromium: pages full of hostile names open without a dialog, and without a stopped script in the console."""

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.support.browser import OpenPage
from tests.support.live import Live

from .chromium import lend_session, note_dialogs
from .ground import World, administrator, world
from .test_s05_metadata import PAYLOAD

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Page

MESSAGE = 'q"><img src=x onerror=alert(1)>'


def sign_in(page: "Page", live: Live, client: "Client") -> list[str]:
    """Lends the page the session; returns the list that dialogs are written to."""
    lend_session(page, live, client)
    dialogs: list[str] = []
    note_dialogs(page, dialogs)
    return dialogs


def pages(who: World) -> list[str]:
    thread = [who.account.pk, who.inbox.pk, who.placement.thread_id]
    compose = reverse("mail:compose")
    return [
        reverse("mail:thread", args=thread),
        reverse("mail:unified"),
        f"{compose}?reply={who.message_id}",
        f"{compose}?draft={who.draft.pk}",
        reverse("mail:outgoing", args=[who.outgoing.pk]),
        reverse("mail:settings"),
        reverse("mail:account", args=[who.account.pk]),
        reverse("mail:identities"),
    ]


@pytest.mark.allow_console(r"status of 404 .*/attachment/2/\?inline=1")  # its bytes are a mark, no picture
def test_s05_pages_run_nothing(live: Live, open_page: OpenPage) -> None:
    who = world("Mallory", PAYLOAD)
    page = open_page()
    dialogs = sign_in(page, live, who.client)
    for path in pages(who):
        page.goto(live.url + path, wait_until="load")
        assert "onerror=alert(1)" in page.content().replace("&quot;", '"')
        assert page.locator("img[src='x']").count() == 0
    assert dialogs == []


def test_s05_what_scripts_draw_runs_nothing(live: Live, open_page: OpenPage) -> None:
    """The palette's folders, the dialog of moves, a toast, a search, suggestions while typing."""
    who = world("Mallory", PAYLOAD)
    page = open_page()
    dialogs = sign_in(page, live, who.client)
    page.goto(live.url + reverse("mail:mailbox", args=[who.account.pk, who.inbox.pk]), wait_until="load")
    page.keyboard.press("Control+k")
    page.locator("#palette-list [role=option]", has_text="onerror").first.wait_for()
    page.keyboard.press("Escape")
    page.evaluate("text => document.body.dispatchEvent(new CustomEvent('toast', {detail: {text}}))", MESSAGE)
    page.locator("#toasts", has_text="onerror").first.wait_for()
    page.goto(f"{live.url}{reverse('mail:search')}?q=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E", wait_until="load")
    assert page.locator("img[src='x']").count() == 0
    assert dialogs == []


def test_s05_the_panel_runs_nothing(live: Live, open_page: OpenPage) -> None:
    who = world("Mallory", PAYLOAD)
    page = open_page()
    dialogs = sign_in(page, live, administrator()[1])
    paths = [
        reverse(f"admin:accounts_{name}_changelist") for name in ("user", "mailaccount", "mailserver", "auditevent")
    ]
    for path in [*paths, reverse("admin:accounts_mailaccount_change", args=[who.account.pk]), reverse("admin:index")]:
        page.goto(live.url + path, wait_until="load")
        assert page.locator("img[src='x']").count() == 0
    assert "onerror" in page.content()
    assert dialogs == []


@pytest.mark.allow_console("Refused|violates|Failed to load")
def test_s05_the_browser_would_have_told(live: Live, open_page: OpenPage) -> None:
    """The same payload as markup does open a dialog, so that the tests above could fail."""
    page = open_page()
    dialogs = sign_in(page, live, administrator()[1])
    page.route("**/healthz", lambda route: route.fulfill(body=f"<p>{PAYLOAD}", content_type="text/html"))
    page.goto(live.url + "/healthz", wait_until="load")
    page.wait_for_function("() => true")
    assert dialogs
