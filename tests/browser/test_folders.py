"""Folders, copies and Undo across tabs, as a person meets them in Chromium against everything running."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browser import CheckAxe, OpenPage, Screenshot
from webmail.models import Mailbox, RemoteOp

from .conftest import World
from .test_walk import PATIENCE, open_inbox, rows

if TYPE_CHECKING:
    from playwright.sync_api import Page


def open_folders(page: Page) -> None:
    page.locator("#nav").get_by_role("link", name="Manage folders").first.click()
    expect(page.locator("#folders")).to_contain_text("Räkenskap 2026", timeout=PATIENCE)


def test_a_folder_is_made_filled_renamed_and_deleted(
    world: World, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    open_inbox(world, page)
    thread = rows(page).first.get_attribute("data-thread")
    open_folders(page)
    page.get_by_label("Name").fill("Färjor & båtar")
    page.get_by_role("button", name="Make folder").click()
    expect(page.locator("#toasts")).to_contain_text("Folder made")
    axe(page)
    screenshot(page, "folders-page")

    page.goto(world.url)
    page.locator(f"#t-{thread} .row-link").focus()
    page.keyboard.press("v")
    page.keyboard.type("färjor")
    page.keyboard.press("Enter")
    expect(page.locator(f"#t-{thread}")).to_have_count(0, timeout=PATIENCE)
    page.locator("#nav").get_by_role("link", name="Färjor & båtar").click()
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)

    page.get_by_label("This folder").click()
    axe(page)
    screenshot(page, "folders-menu")
    page.get_by_role("link", name="Rename folder").click()
    page.get_by_label("Name").fill("Ferries")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("#folders")).to_contain_text("Ferries")
    page.get_by_label("More for Ferries").click()
    page.get_by_role("link", name="Delete folder").click()
    expect(page.locator("main")).to_contain_text(re.compile(r"messages? goe?s? ?with it"))
    axe(page)
    screenshot(page, "folders-delete")
    page.get_by_role("button", name="Delete folder").click()
    expect(page.locator("#folders")).not_to_contain_text("Ferries")
    expect(page.locator("#toasts .close")).to_be_visible()  # the new page's scripts are there
    page.keyboard.press("z")
    expect(page.locator("#folders")).to_contain_text("Ferries", timeout=PATIENCE)
    expect(page.locator("#nav")).to_contain_text("Ferries", timeout=PATIENCE)


def test_what_is_done_in_one_tab_is_taken_back_in_another(world: World, page: Page) -> None:
    open_inbox(world, page)
    other = page.context.new_page()
    other.goto(world.url)
    expect(rows(other).first).to_be_visible(timeout=PATIENCE)
    first = rows(page).first
    thread = first.get_attribute("data-thread")
    first.locator(".row-link").focus()
    page.keyboard.press("e")
    expect(page.locator("#toasts .undo")).to_have_count(1, timeout=PATIENCE)
    expect(other.locator("#toasts")).to_contain_text("archived", timeout=PATIENCE)
    expect(other.locator(f"#t-{thread}")).to_have_count(0, timeout=PATIENCE)
    other.keyboard.press("z")
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)
    expect(other.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#toasts .undo")).to_have_count(0, timeout=PATIENCE)


def test_a_star_has_no_toast_and_is_still_taken_back_by_key(world: World, page: Page) -> None:
    open_inbox(world, page)
    row = page.locator("#rows li.row:not([data-starred])").first
    thread = row.get_attribute("data-thread")
    row.locator(".row-link").focus()
    page.keyboard.press("s")
    expect(page.locator(f"#t-{thread}[data-starred]")).to_have_count(1, timeout=PATIENCE)
    page.keyboard.press("z")
    expect(page.locator(f"#t-{thread}[data-starred]")).to_have_count(0, timeout=PATIENCE)


def test_trash_is_emptied_and_brought_back(world: World, page: Page, screenshot: Screenshot) -> None:
    open_inbox(world, page)
    thread = rows(page).first.get_attribute("data-thread")
    rows(page).first.locator(".row-link").focus()
    page.keyboard.press("#")
    expect(page.locator(f"#t-{thread}")).to_have_count(0, timeout=PATIENCE)
    page.locator("#nav").get_by_role("link", name="Trash").first.click()
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)
    screenshot(page, "folders-trash")
    for close in page.locator("#toasts .close").all():  # that of a conversation just deleted says the same words
        close.click()
    page.get_by_role("button", name="Empty Trash").click()
    expect(rows(page)).to_have_count(0, timeout=PATIENCE)
    emptied = page.locator("#toasts .toast", has_text=re.compile(r"\d+ messages? deleted"))
    emptied.get_by_role("button", name="Undo").click(timeout=PATIENCE)
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)


def test_the_button_to_empty_trash_comes_with_its_first_message(world: World, page: Page) -> None:
    open_inbox(world, page)
    trash = page.context.new_page()
    trash.goto(world.url)
    trash.locator("#nav").get_by_role("link", name="Trash").first.click()
    expect(trash.locator("h1")).to_have_text("Trash")
    button = trash.get_by_role("button", name="Empty Trash")
    if rows(trash).count():
        button.click()
    expect(button).to_have_count(0, timeout=PATIENCE)
    trash.get_by_label("This folder").click()
    thread = rows(page).first.get_attribute("data-thread")
    rows(page).first.locator(".row-link").focus()
    page.keyboard.press("#")
    expect(trash.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)
    expect(button).to_be_visible()
    expect(trash.get_by_role("link", name="Manage folders").last).to_be_visible()  # the menu that was open still is


def test_a_copy_is_made_from_the_menu(world: World, page: Page) -> None:
    open_inbox(world, page)
    row = rows(page).first
    thread = row.get_attribute("data-thread")
    row.locator(".pick input").check()
    page.get_by_role("toolbar").get_by_role("button", name="Move to folder").wait_for()
    page.keyboard.press("Control+k")
    page.keyboard.type("copy to")
    page.keyboard.press("Enter")
    page.locator("#palette input").fill("Archive")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("copied", timeout=PATIENCE)
    expect(page.locator(f"#t-{thread}")).to_be_visible()
    page.locator("#nav").get_by_role("link", name="Archive").first.click()
    expect(page.locator(f"#t-{thread}")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1024, True), (390, False), (390, True)])
def test_pages_of_folders_and_refusals_stand_at_every_width(
    world: World, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int, dark: bool
) -> None:
    page = open_page(width=width, dark=dark)
    open_inbox(world, page)
    box = Mailbox.objects.get(name="Räkenskap 2026")
    mails = {"mailbox": box, "placements": [1, 2, 3], "uids": [1, 2, 3]}
    words = {"state": "failed", "error": "[OVERQUOTA] Quota exceeded (mailbox for user is full)"}
    archive = Mailbox.objects.get(account=box.account_id, role="archive")
    RemoteOp.objects.create(account=box.account, kind="move", destination=archive, **mails, **words)
    RemoteOp.objects.create(account=box.account, kind="rename", mailbox=box, args={"leaf": "V&AOQ-xt"}, **words)
    name = f"{width}-{'dark' if dark else 'light'}"
    page.goto(f"{world.url}/settings/unsynced/")
    expect(page.locator("main")).to_contain_text("Moving 3 messages to Archive")
    axe(page)
    screenshot(page, f"unsynced-{name}")
    page.goto(f"{world.url}/settings/account/{box.account_id}/folders/")
    axe(page)
    screenshot(page, f"folders-{name}")
    page.get_by_label("More for Räkenskap 2026").click()
    screenshot(page, f"folders-menu-{name}")
    page.goto(f"{world.url}/settings/folder/{box.pk}/delete/")
    screenshot(page, f"folder-delete-{name}")
    page.goto(f"{world.url}/settings/folder/{archive.pk}/rename/")
    axe(page)
    screenshot(page, f"folder-rename-{name}")
    page.goto(f"{world.url}/mail/{box.account_id}/{archive.pk}/")
    page.get_by_label("This folder").click()
    screenshot(page, f"folder-list-{name}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_scripting_a_folder_is_made_deleted_and_brought_back(world: World, open_page: OpenPage) -> None:
    page = open_page(scripting=False)
    world.sign_in(page)
    for _ in range(40):
        page.goto(world.url)
        if page.locator("#nav").get_by_role("link", name="Manage folders").count():
            break
        page.wait_for_timeout(500)
    page.locator("#nav").get_by_role("link", name="Manage folders").first.click()
    page.get_by_label("Name").fill("Plain")
    page.get_by_role("button", name="Make folder").click()
    page.get_by_label("More for Plain").click()
    page.get_by_role("link", name="Delete folder").click()
    page.get_by_role("button", name="Delete folder").click()
    expect(page.locator("#folders")).not_to_contain_text("Plain")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#folders")).to_contain_text("Plain")
