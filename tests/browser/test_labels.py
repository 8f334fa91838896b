"""Labels as a person sets and removes them: by menu, by key, on many, and on a page without scripting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.support.browser import CheckAxe, OpenPage, Screenshot

from .conftest import World
from .test_walk import PATIENCE, open_inbox, rows

if TYPE_CHECKING:
    from playwright.sync_api import Page


def labelled(page: Page, thread: str | None, name: str) -> None:
    expect(page.locator(f"#t-{thread} .chip", has_text=name)).to_be_visible(timeout=PATIENCE)


def test_labels_are_set_seen_and_removed(world: World, page: Page, axe: CheckAxe, screenshot: Screenshot) -> None:
    open_inbox(world, page)
    first, second = (rows(page).nth(place).get_attribute("data-thread") for place in (0, 1))
    rows(page).first.locator(".row-link").focus()
    page.keyboard.press("l")
    page.keyboard.type("work")
    page.keyboard.press("Enter")
    labelled(page, first, "Work")

    page.locator(f"#t-{first} .row-link").click()
    facts = page.locator("#reading .thread-facts")
    expect(facts).to_contain_text("Work", timeout=PATIENCE)
    page.keyboard.press(".")
    more = page.locator("#reading .more-actions .menu-list")
    expect(more.get_by_role("button", name="Work")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.locator("#reading").get_by_label("Label", exact=True).click()
    work = page.locator('#reading [data-key="labels"] .menu-list').get_by_role("button", name="Work")
    expect(work).to_be_visible()
    axe(page)
    screenshot(page, "labels-menu")
    work.click()
    expect(page.locator(f"#t-{first} .chip", has_text="Work")).to_have_count(0, timeout=PATIENCE)
    page.locator("#toasts").get_by_role("button", name="Undo").last.click()
    labelled(page, first, "Work")

    page.goto(world.url)
    for thread in (first, second):
        page.locator(f"#t-{thread} .pick input").check()
    page.get_by_role("toolbar").get_by_label("Label", exact=True).click()
    axe(page)
    screenshot(page, "labels-bulk")
    page.get_by_role("toolbar").get_by_label("New label").fill("Färjor & båtar")
    page.keyboard.press("Enter")
    labelled(page, second, "Färjor & båtar")  # and it is still there: Enter did nothing else
    expect(page.locator(f"#t-{first} .chip", has_text="+1")).to_be_visible(timeout=PATIENCE)

    page.goto(f"{world.url}/search/?q=label:work")
    labelled(page, first, "Work")


def test_labels_are_plain_buttons_without_scripting(world: World, open_page: OpenPage, page: Page) -> None:
    open_inbox(world, page)
    plain = open_page(scripting=False)
    world.sign_in(plain)
    plain.goto(world.url)
    thread = rows(plain).first.get_attribute("data-thread")
    rows(plain).first.locator(".pick input").check()
    plain.get_by_role("toolbar").get_by_label("Label", exact=True).click()
    plain.get_by_role("toolbar").get_by_role("button", name="Important", exact=True).click()
    labelled(plain, thread, "Important")
    plain.locator(f"#t-{thread} .row-link").click()
    plain.locator("#reading").get_by_label("Label", exact=True).click()
    plain.locator("#reading").get_by_label("New label").fill("Pier 4")
    plain.keyboard.press("Enter")
    expect(plain.get_by_text("Label set on")).to_be_visible(timeout=PATIENCE)
    plain.goto(world.url)
    expect(plain.locator(f"#t-{thread}")).to_contain_text("+1")
