"""Pictures in the text of a message: put there, shown from the sandbox, saved, quoted, and sent as part of it."""

from email import message_from_bytes
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests import factories
from tests.browser.test_compose import compose, saved, sign_in, write
from tests.support.browser import CheckAxe, Screenshot
from tests.support.live import Live
from tests.unit.imaging.drawn import picture
from webmail import storage
from webmail.models import Draft, Outgoing, Placement, Upload

SHOWN = "(n) => [...document.querySelectorAll('#text img')].filter((image) => image.naturalWidth > 0).length === n"


@pytest.fixture
def maren(live: Live) -> User:
    """Somebody whose account is held, with a message that shows a picture of its own."""
    user = factories.user("Maren")
    account = factories.account(user, state="paused")
    octets = picture(size=(60, 40))
    part = {"path": "2", "type": "image/png", "size": len(octets), "filename": "plan.png", "role": "inline", "cid": "a"}
    part["digest"] = storage.put(account.pk, octets)
    factories.message(factories.mailbox(account), html='<p>The plan</p><img src="c/2">', parts=[part])
    return user


def wait_for_pictures(page: Page, count: int) -> None:
    page.frame_locator(".composer-frame").locator("#text[contenteditable]").wait_for()
    frame = page.locator(".composer-frame").element_handle().content_frame()
    assert frame is not None
    frame.wait_for_function(SHOWN, arg=count, polling=50)


def test_a_picture_goes_into_the_text_is_seen_there_and_sent_with_it(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot, tmp_path: Path
) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("amara@pier4.example,")
    page.get_by_label("Subject").fill("The plan")
    write(page, "Look at this: ")
    file = tmp_path / "plan.png"
    file.write_bytes(picture(size=(300, 200)))
    page.locator("[data-picture-input]").set_input_files(file)
    wait_for_pictures(page, 1)
    expect(page.locator(".upload")).to_have_count(0)
    saved(page, "cid:upload-")
    axe(page)
    screenshot(page, "compose-picture")
    page.goto(f"{live.url}/compose/?draft={Draft.objects.get().pk}")
    wait_for_pictures(page, 1)
    page.locator(".composer .send").click()
    expect(page.locator(".toast")).to_contain_text("Sending")
    mail = message_from_bytes(storage.read(Outgoing.objects.get().account_id, Outgoing.objects.get().digest))
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]


def test_an_answer_shows_the_pictures_of_its_quote(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    placement = Placement.objects.get()
    page.goto(f"{live.url}/mail/{placement.account_id}/{placement.mailbox_id}/{placement.thread_id}/")
    page.locator(".quick-words").first.click()
    wait_for_pictures(page, 1)
    write(page, "Yes.")
    saved(page, "Yes.")
    assert Upload.objects.get().content_id.endswith("@mailroom")
    page.reload()
    wait_for_pictures(page, 1)


def test_a_picture_in_a_signature_is_kept_and_shown_where_one_writes(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    page.goto(f"{live.url}/settings/identities/")
    text = page.frame_locator(".signature-frame").locator("#text[contenteditable]")
    text.click()
    page.keyboard.type("Maren ")
    page.locator("form[data-signed] input[type=file]").set_input_files(
        {"name": "logo.png", "mimeType": "image/png", "buffer": picture(size=(40, 30))}
    )
    expect(text.locator("img")).to_have_js_property("naturalWidth", 40)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    expect(text.locator("img")).to_have_js_property("naturalWidth", 40)
    compose(page, live)
    written = page.frame_locator(".composer-frame").locator("#text")
    expect(written.locator("img")).to_have_js_property("naturalWidth", 40)
    write(page, "Hello ")
    draft = saved(page, "Hello")
    assert [upload.filename for upload in draft.uploads.all()] == ["logo.png"]
