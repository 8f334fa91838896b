"""The address book in Chromium: made, chosen, grouped, written to; with and without scripting, at three widths."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.test_compose import maren, sign_in
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live
from webmail.models import Contact
from webmail.services import contacts
from webmail.services.contacts import Details

__all__ = ["maren"]


def keep(user: User, name: str, mail: str, **more: str) -> Contact:
    return contacts.save(user, Details(name=name, mails=[mail], **more))  # type: ignore[arg-type]  # words alone


def test_a_group_is_made_filled_and_written_to(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    keep(maren, "Amara Okafor", "amara@pier4.example", organisation="Pier 4", role="Head of print")
    keep(maren, "Tomasz Wiśniewski", "tomasz@harbour.example")
    sign_in(page, maren, live)
    page.goto(f"{live.url}/contacts/")
    page.get_by_text("New group").click()
    page.get_by_label("Name of the group").last.fill("Printers")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Printers")
    page.get_by_role("link", name="All contacts").first.click()
    page.get_by_label("Choose Amara Okafor").check()
    page.get_by_label("Choose Tomasz Wiśniewski").check()
    axe(page)
    screenshot(page, "contacts")
    page.locator(".contact-bar summary").click()
    page.get_by_role("button", name="Add to Printers").click()
    expect(page.locator(".toast")).to_contain_text("2 added to Printers")
    page.locator("#nav .compose").click()
    page.frame_locator(".composer-frame").locator("#text[contenteditable]").wait_for()
    page.get_by_role("combobox", name="To").press_sequentially("print")
    page.get_by_role("option", name="Printers").click()
    expect(page.locator(".composer .person")).to_have_count(2)
    expect(page.locator(".composer-state")).to_contain_text("Saved")  # nothing is on its way when the page goes


def test_a_contact_removed_comes_back_by_undo(live: Live, maren: User, page: Page, axe: CheckAxe) -> None:
    kept = keep(maren, "Amara Okafor", "amara@pier4.example")
    sign_in(page, maren, live)
    page.goto(f"{live.url}/contacts/{kept.pk}/")
    axe(page)
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".contact-line")).to_have_count(0)
    page.locator(".toast .undo").click()
    expect(page.locator(".contact-line")).to_have_count(1)


@pytest.mark.parametrize("width", [390, 1024])
def test_contacts_are_kept_without_scripting(
    live: Live, maren: User, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int
) -> None:
    keep(maren, "Amara Okafor", "amara@pier4.example", organisation="Pier 4")
    page = open_page(width=width, dark=width == 390, scripting=False)
    sign_in(page, maren, live)
    page.goto(f"{live.url}/contacts/new/")
    page.locator("#id_name").fill("Bo Li")
    page.locator("#id_mails").fill("nobody")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("is not an address")
    screenshot(page, f"contact-{width}")
    page.locator("#id_mails").fill("bo@x.example")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".contact-line")).to_have_count(2)
    screenshot(page, f"contacts-{width}")
