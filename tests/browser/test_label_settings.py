"""The page of labels, and where mail may be moved to, as a person meets them in Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from accounts.models import User
from deploy.demo.people import MAREN
from tests import factories
from tests.support.browser import CheckAxe, OpenPage, Screenshot

from .conftest import World
from .test_walk import PATIENCE, open_inbox, rows

if TYPE_CHECKING:
    from playwright.sync_api import Page


FITS = """select => {
  const pen = document.createElement("canvas").getContext("2d"), look = getComputedStyle(select);
  pen.font = look.font;
  const words = pen.measureText(select.selectedOptions[0].label).width;
  return words + parseFloat(look.paddingInlineStart) + parseFloat(look.paddingInlineEnd) <= select.clientWidth;
}"""  # whether a select shows its choice whole


def test_a_label_is_renamed_coloured_and_taken_off_everything(
    world: World, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    open_inbox(world, page)
    for number in range(2):
        rows(page).nth(number).locator(".pick input").check()
    page.get_by_role("toolbar").get_by_label("Label", exact=True).click()
    page.locator("#new-label-list").fill("Pier 4")
    page.keyboard.press("Enter")
    expect(page.locator("#rows .chip", has_text="Pier 4")).to_have_count(2, timeout=PATIENCE)
    page.goto(f"{world.url}/settings/labels/")
    form = page.get_by_role("form", name="Pier 4")
    form.get_by_label("Name").fill("Quay")
    form.get_by_label("Colour").select_option(label="Blue")
    axe(page)
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text(re.compile(r"Label renamed on \d+ messages"))
    expect(page.get_by_role("form", name="Quay").locator(".hue-24")).to_be_visible()
    page.get_by_role("form", name="Quay").get_by_role("button", name="Remove everywhere").click()
    expect(page.locator("#toasts")).to_contain_text(re.compile(r"Label removed from \d+ messages"))
    page.locator("#toasts").get_by_role("button", name="Undo").last.click()
    page.goto(world.url)
    expect(page.locator("#rows .chip", has_text="Quay")).to_have_count(2, timeout=PATIENCE)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1024, True), (390, False), (390, True)])
def test_the_page_stands_at_every_width(
    world: World, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int, dark: bool
) -> None:
    User.objects.filter(email=MAREN.address).update(labels=["Pier_4", "Räkenskap_2026_" * 6], label_hues={"pier_4": 24})
    page = open_page(width=width, dark=dark)
    open_inbox(world, page)
    page.goto(f"{world.url}/settings/labels/")
    axe(page)
    screenshot(page, f"labels-{width}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_mail_is_offered_the_folders_of_its_own_account(world: World, page: Page) -> None:
    user = User.objects.get(email=MAREN.address)
    factories.mailbox(factories.account(user, "pop3", state="paused", label="Elsewhere"), "", "Only elsewhere")
    open_inbox(world, page)
    expect(page.locator("#nav")).to_contain_text("Only elsewhere")
    rows(page).first.locator(".row-link").focus()
    page.keyboard.press("v")
    expect(page.locator("#palette-list")).to_contain_text("Archive")
    expect(page.locator("#palette-list")).not_to_contain_text("Only elsewhere")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("only else")
    expect(page.locator("#palette-list")).to_contain_text("Only elsewhere")


def test_how_a_pop3_account_treats_the_server_fits_a_phone(
    world: World, open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = open_page(width=390, dark=False)
    world.sign_in(page)
    page.goto(f"{world.url}/settings/accounts/add/")
    page.locator("summary", has_text="by hand").click()
    page.get_by_label("POP3").first.check()
    policy = page.get_by_label("Mail on the server")
    policy.select_option("after")
    screenshot(page, "pop-phone")
    assert policy.evaluate(FITS)
