"""What a person does in the first hour, point by point, in Chromium against everything running."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from deploy.demo import live as demo
from deploy.demo.people import MAREN, MAREN_OLD, TOMASZ
from tests.support.browser import CheckAxe, OpenPage, Screenshot

from .conftest import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 20_000  # milliseconds, generous: speed is measured in tests/bench


def rows(page: Page):  # type: ignore[no-untyped-def]  # playwright's Locator is only imported for types
    return page.locator("#rows li.row")


def open_inbox(world: World, page: Page, address: str = MAREN.address) -> None:
    world.sign_in(page, address)
    expect(rows(page).first).to_be_visible(timeout=PATIENCE)  # all inboxes, filling by itself
    page.goto(world.url)
    expect(rows(page).first).to_be_visible(timeout=PATIENCE)


def test_inbox_arrives_newest_first_with_folders_and_pages_back(
    world: World, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    open_inbox(world, page)
    expect(page.locator("#nav").get_by_role("link", name="Drafts")).to_be_visible()
    expect(page.locator("#nav").get_by_role("link", name="Räkenskap 2026")).to_be_visible()
    times = page.locator("#rows li.row").evaluate_all("rows => rows.map(row => Number(row.dataset.when))")
    assert times == sorted(times, reverse=True)
    first = rows(page).count()
    page.get_by_role("link", name="Older").last.scroll_into_view_if_needed()
    expect(rows(page).nth(first + 5)).to_be_attached(timeout=PATIENCE)
    axe(page)
    screenshot(page, "walk-inbox")


def test_conversation_opens_in_its_frame_and_becomes_read(world: World, page: Page, axe: CheckAxe) -> None:
    open_inbox(world, page)
    unread = page.locator("#rows li.row.unread").first
    thread = unread.get_attribute("data-thread")
    unread.locator("a.row-link").click()
    frame = page.frame_locator("#reading iframe").last
    expect(frame.locator("body")).to_contain_text(re.compile(r"\S"), timeout=PATIENCE)
    expect(page.locator(f'#rows li.row.unread[data-thread="{thread}"]')).to_have_count(0, timeout=PATIENCE)
    axe(page)


def test_search_finds_by_word_and_operator(world: World, page: Page) -> None:
    open_inbox(world, page)
    page.get_by_role("searchbox").fill("from:amara proofs")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search/"))
    expect(rows(page).first).to_contain_text("Amara", timeout=PATIENCE)
    rows(page).first.locator("a.row-link").click()
    page.wait_for_url(re.compile(r"/mail/\d+/\d+/\d+/"))
    expect(page.locator("#reading h1")).to_contain_text("proofs")


def test_message_from_one_person_reaches_the_other_without_reloading(
    world: World, open_page: OpenPage, screenshot: Screenshot
) -> None:
    maren, tomasz = open_page(), open_page()
    open_inbox(world, maren)
    open_inbox(world, tomasz, TOMASZ.address)
    maren.keyboard.press("c")
    composer = maren.locator("#composers form").first
    composer.get_by_role("combobox", name="To", exact=True).fill(f"{TOMASZ.address},")
    composer.get_by_label("Subject").fill("Ferry timetable, at last")
    screenshot(maren, "walk-compose")
    composer.get_by_role("button", name="Send", exact=True).click()
    expect(maren.locator("#toasts")).to_contain_text("Undo")
    expect(rows(tomasz).first).to_contain_text("Ferry timetable, at last", timeout=40_000)
    expect(maren.locator("#toasts")).to_contain_text("Sent")


def test_archive_and_undo(world: World, page: Page) -> None:
    open_inbox(world, page)
    first = rows(page).first
    thread = first.get_attribute("data-thread")
    first.hover()
    first.get_by_role("button", name="Archive").click()
    expect(page.locator(f"#t-{thread}")).to_have_count(0, timeout=PATIENCE)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)


def test_new_mail_slides_in(world: World, page: Page) -> None:
    open_inbox(world, page)
    demo.deliver(
        smtp_port=world.ports["smtp"], ca_pem=world.ca_pem, to=MAREN.address, subject="Kettle is on", text="Come down."
    )
    expect(rows(page).first).to_contain_text("Kettle is on", timeout=PATIENCE)


def test_pop3_account_is_added_and_downloaded_once(world: World, page: Page, screenshot: Screenshot) -> None:
    open_inbox(world, page)
    page.goto(f"{world.url}/settings/accounts/add/")
    page.get_by_label("Address").fill(MAREN_OLD.address)
    page.get_by_label("Password").first.fill("modem-noises")
    page.get_by_text("or use POP3").click()
    page.get_by_text("POP3", exact=True).click()
    screenshot(page, "walk-add-account")
    page.get_by_role("button", name="Add account").click()
    box = page.locator("#nav details").filter(has_text=MAREN_OLD.address).locator('a[data-role="inbox"]')
    expect(box).to_contain_text(re.compile(r"\d"), timeout=PATIENCE)
    page.goto(world.url + str(box.get_attribute("href")))
    expect(rows(page).nth(20)).to_be_attached(timeout=PATIENCE)


def test_core_works_without_scripting(world: World, open_page: OpenPage) -> None:
    page = open_page(scripting=False)
    open_inbox_without_script(world, page)
    page.locator("#rows a.row-link").first.click()
    expect(page.locator("#reading h1")).to_be_visible()
    page.get_by_role("button", name="Delete").last.click()
    expect(page.locator("#toasts")).to_contain_text("deleted")
    page.goto(f"{world.url}/compose/?to={TOMASZ.address}")
    page.get_by_label("Subject").fill("Sent with scripting off")
    page.get_by_role("button", name="Send", exact=True).click()
    page.goto(f"{world.url}/outbox/")
    expect(page.locator("#main")).to_contain_text("Sent with scripting off")


def open_inbox_without_script(world: World, page: Page) -> None:
    world.sign_in(page)
    for _ in range(40):
        page.goto(world.url)
        if rows(page).count():
            return
        page.wait_for_timeout(500)
    raise AssertionError("no mail arrived")


def test_phone_in_the_dark(world: World, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot) -> None:
    page = open_page(width=390, dark=True, touch=True)
    open_inbox(world, page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axe(page)
    screenshot(page, "walk-phone-dark")
    page.locator("#rows a.row-link").first.click()
    expect(page.locator("#reading iframe").last).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "walk-phone-dark-read")


def test_keyboard_alone(world: World, page: Page) -> None:
    open_inbox(world, page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#reading h1")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("u")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_archiving_by_key_leaves_the_focus_on_the_next_conversation(world: World, page: Page) -> None:
    open_inbox(world, page)
    first, second = (rows(page).nth(n).get_attribute("id") for n in (0, 1))
    page.keyboard.press("j")
    with page.expect_response(lambda answer: "/actions/" in answer.url):
        page.keyboard.press("e")
    expect(page.locator(f"#{first}")).to_have_count(0, timeout=PATIENCE)
    with page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "rows"):
        page.evaluate("htmx.trigger(document.body, 'mailroom:refresh')")
    page.wait_for_timeout(100)  # the answer is merged
    expect(page.locator(f"#{second} a.row-link")).to_be_focused()


def test_list_of_unread_keeps_what_is_being_read_in_sight(world: World, page: Page) -> None:
    open_inbox(world, page)
    page.goto(f"{page.url}?filter=unread")
    unread, other = rows(page).nth(1).get_attribute("id"), rows(page).nth(2)
    with page.expect_response(lambda answer: "/actions/" in answer.url):  # it is marked read
        rows(page).nth(1).locator("a.row-link").click()
    expect(page.locator(f"#{unread}.unread")).to_have_count(0, timeout=PATIENCE)
    with page.expect_response(lambda answer: answer.request.headers.get("hx-target") == "rows"):
        page.evaluate("htmx.trigger(document.body, 'mailroom:refresh')")
    expect(rows(page).nth(1)).to_have_attribute("id", str(unread))
    expect(page.locator("#rows li.row:not(.unread)")).to_have_count(
        1, timeout=PATIENCE
    )  # the list is still one of unread mail
    other.locator("a.row-link").click()
    expect(page.locator(f"#{unread}")).to_have_count(0, timeout=PATIENCE)
