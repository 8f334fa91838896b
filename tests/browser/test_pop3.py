"""A POP3 account in Chromium, as the README invites to: looked through, downloaded, sorted, answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from deploy.demo import live as demo
from deploy.demo.people import DEMO_PASSWORDS, MAREN_OLD
from tests.support.browser import CheckAxe, OpenPage, Screenshot

from .conftest import World
from .test_walk import PATIENCE, rows

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

LARGE = "The whole exhibition as text. " * 60_000  # 1.8 MB


def add_account(world: World, page: Page, *, limit: str = "") -> None:
    """As the README says; waits in the account's inbox."""
    page.goto(f"{world.url}/settings/accounts/add/")
    page.get_by_label("E-mail address").fill(MAREN_OLD.address)
    page.get_by_label("Password", exact=True).first.fill(DEMO_PASSWORDS[MAREN_OLD.address])
    page.get_by_text("Set servers by hand, or use POP3").click()
    page.get_by_text("POP3", exact=True).click()
    if limit:
        page.get_by_label("Download", exact=True).select_option(label=limit)
    page.get_by_role("button", name="Add account").click()
    expect(folder(page, "inbox")).to_contain_text(re.compile(r"\d"), timeout=PATIENCE)
    open_folder(world, page, "inbox")
    expect(rows(page).nth(20)).to_be_attached(timeout=PATIENCE)


def folder(page: Page, role: str) -> Locator:
    """The account's folder in the rail."""
    return page.locator("#nav details").filter(has_text=MAREN_OLD.address).locator(f'a[data-role="{role}"]')


def open_folder(world: World, page: Page, role: str) -> None:
    page.goto(world.url + str(folder(page, role).get_attribute("href")))


def deliver_large(world: World, subject: str) -> None:
    demo.deliver(smtp_port=world.ports["smtp"], ca_pem=world.ca_pem, to=MAREN_OLD.address, subject=subject, text=LARGE)


def test_a_large_message_is_looked_at_and_then_downloaded_or_deleted(
    world: World, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot
) -> None:
    page = open_page()
    deliver_large(world, "Every room, every label")
    deliver_large(world, "The same once more")
    world.sign_in(page)
    add_account(world, page, limit="Messages up to 1 MB")
    kept, unwanted = (
        rows(page).filter(has_text=subject) for subject in ("Every room, every label", "The same once more")
    )
    expect(kept).to_contain_text("not downloaded yet")
    here = page.url
    kept.locator("a.row-link").click()
    expect(page.locator("#reading .left-there")).to_contain_text("1.9\u00a0MB, not downloaded yet.")
    expect(page.frame_locator("#reading iframe").locator("body")).to_contain_text("The whole exhibition as text.")
    axe(page)
    screenshot(page, "pop3-not-downloaded")
    look(open_page, world, page.url, screenshot, "pop3-not-downloaded", axe)
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if "/m/" in request.url else None)
    page.get_by_role("button", name="Download", exact=True).click()
    expect(page.locator("#reading .left-there")).to_have_count(0, timeout=PATIENCE)
    expect(page.frame_locator("#reading iframe").locator("body")).to_contain_text("The whole exhibition as text.")
    assert len(loads) == 1  # the beginning stays in sight until the whole is here
    page.goto(here)
    expect(kept).not_to_contain_text("not downloaded yet")
    unwanted.locator("a.row-link").click()
    expect(page.frame_locator("#reading iframe").locator("body")).to_contain_text("The whole exhibition as text.")
    page.get_by_role("button", name="Delete from the server").click()
    expect(page.locator("#toasts")).to_contain_text("leaves the server")
    expect(unwanted).to_have_count(0)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(unwanted).to_be_visible(timeout=PATIENCE)


def look(open_page: OpenPage, world: World, url: str, screenshot: Screenshot, name: str, axe: CheckAxe) -> None:
    """The same page wide in the dark, narrow, and on a phone in both."""
    for width, dark in ((1440, True), (1024, False), (390, False), (390, True)):
        other = open_page(width=width, dark=dark, touch=width < 720)
        world.sign_in(other)
        other.goto(url)
        expect(other.locator("main")).to_be_visible()
        assert other.evaluate("document.documentElement.scrollWidth") <= width
        axe(other)
        screenshot(other, f"{name}-{width}{'-dark' if dark else ''}")


def test_its_choices_stand_on_the_account_page(
    world: World, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot
) -> None:
    page = open_page()
    world.sign_in(page)
    add_account(world, page)
    page.goto(f"{world.url}/settings/")
    page.locator(".health").filter(has_text=MAREN_OLD.address).locator("h2 a").click()
    part = page.locator(".pop-part")
    expect(part.get_by_label("Days")).to_be_hidden()
    part.get_by_label("Mail on the server").select_option(label="Is deleted after some days")
    part.get_by_label("Days").fill("30")
    part.get_by_label("Also put a copy into").select_option(label="Harbour Lane · Archive")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("#toasts")).to_contain_text("Saved")
    expect(part.get_by_label("Days")).to_have_value("30")
    part.scroll_into_view_if_needed()
    axe(page)
    screenshot(page, "pop3-account")
    for width, dark in ((1440, True), (390, False), (390, True)):
        other = open_page(width=width, dark=dark, touch=width < 720)
        world.sign_in(other)
        other.goto(page.url)
        other.locator(".pop-part").scroll_into_view_if_needed()
        assert other.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(other, f"pop3-account-{width}{'-dark' if dark else ''}")


def test_its_mail_is_sorted_found_and_answered(world: World, page: Page) -> None:
    demo.deliver(
        smtp_port=world.ports["smtp"],
        ca_pem=world.ca_pem,
        to=MAREN_OLD.address,
        subject="Turnip seedlings",
        text="They are growing.",
    )
    world.sign_in(page)
    add_account(world, page)
    seedlings = rows(page).filter(has_text="Turnip seedlings")
    seedlings.locator("a.row-link").click()
    expect(page.frame_locator("#reading iframe").locator("body")).to_contain_text("They are growing.")

    page.get_by_role("link", name="Reply", exact=True).last.click()
    composer = page.locator("#composers form").first
    expect(composer.get_by_label("Subject")).to_have_value("Re: Turnip seedlings")
    composer.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("Sent", timeout=40_000)
    open_folder(world, page, "sent")
    expect(rows(page).first).to_contain_text("Turnip seedlings", timeout=PATIENCE)

    page.get_by_role("searchbox").fill("turnip growing")
    page.keyboard.press("Enter")
    expect(rows(page).first).to_contain_text("Turnip seedlings", timeout=PATIENCE)

    for source, button, words, target in (
        ("inbox", "Archive", "archived", "archive"),
        ("archive", "Delete", "deleted", "trash"),
    ):
        open_folder(world, page, source)
        seedlings.hover()
        seedlings.get_by_role("button", name=button).click()
        expect(page.locator("#toasts")).to_contain_text(words)  # the row leaves before the answer comes
        open_folder(world, page, target)
        expect(seedlings).to_be_visible()
