"""Writing in Chromium: the window, its editor in a sandboxed frame, saving by itself, files, sending and undo."""

import time
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from accounts.models import Identity, User
from tests import factories
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live
from webmail.models import Draft, Outgoing, Upload

PATIENCE = 15.0  # seconds
HOSTILE = "<p>Hi</p><img src=x onerror=\"parent.document.title='owned'\"><script>parent.document.title='owned'</script>"


@pytest.fixture
def maren(live: Live) -> User:
    """Somebody whose account is held, so that no worker looks for its server."""
    user = factories.user("Maren")
    account = factories.account(user, state="paused")
    factories.message(factories.mailbox(account), subject="Harbour signage", html=HOSTILE)
    return user


def sign_in(page: Page, user: User, live: Live) -> None:
    session = SessionStore()
    session.update(
        {
            "_auth_user_id": str(user.pk),
            "_auth_user_backend": settings.AUTHENTICATION_BACKENDS[0],
            "_auth_user_hash": user.get_session_auth_hash(),
        }
    )
    session.create()
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": live.url}]
    )


def compose(page: Page, live: Live) -> None:
    page.goto(f"{live.url}/mail/all/")
    page.locator("#nav .compose").click()
    page.frame_locator(".composer-frame").locator("#text[contenteditable]").wait_for()


def write(page: Page, text: str) -> None:
    page.frame_locator(".composer-frame").locator("#text").click()
    page.keyboard.type(text)


def saved(page: Page, words: str) -> Draft:
    """The one draft once it holds `words` and the window says so; an earlier save may have taken only a part."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not Draft.objects.filter(html__contains=words).exists():
        page.wait_for_timeout(50)
    expect(page.locator(".composer-state")).to_contain_text("Saved")
    draft = Draft.objects.get()
    assert words in draft.html
    return draft


def test_what_is_typed_is_saved_and_found_again(live: Live, maren: User, page: Page, axe: CheckAxe) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("amara@pier4.example,")
    page.get_by_label("Subject").fill("Proofs")
    write(page, "Both panels are in.")
    draft = saved(page, "Both panels are in.")
    axe(page)
    assert (draft.to, draft.subject) == ("amara@pier4.example", "Proofs")
    page.goto(f"{live.url}/mail/starred/")
    expect(page.locator(".composer-title")).to_have_text("Proofs")
    expect(page.frame_locator(".composer-frame").locator("#text")).to_contain_text("Both panels are in.")


def test_people_can_be_typed_while_the_editor_is_still_loading(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    held: list[Route] = []
    page.route("**/compose/editor/", lambda route, _request: held.append(route))
    page.goto(f"{live.url}/mail/all/")
    page.locator("#nav .compose").click()
    expect(page.get_by_role("combobox", name="To")).to_be_focused()
    page.keyboard.type("amara@pier4.example,")
    for route in held:
        route.continue_()
    page.frame_locator(".composer-frame").locator("#text[contenteditable]").wait_for()
    expect(page.get_by_role("combobox", name="To")).to_be_focused()
    page.get_by_label("Subject").fill("Proofs")
    write(page, "Both panels are in.")
    assert saved(page, "Both panels are in.").to == "amara@pier4.example"


def test_opening_and_closing_leaves_nothing_behind(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.keyboard.press("Escape")
    expect(page.locator(".composer")).to_have_count(0)
    assert not Draft.objects.exists()


def test_escape_closes_a_menu_of_the_window_before_the_window(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    menu = page.locator(".composer-tools details[data-menu]").first
    menu.locator("summary").click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".composer")).to_have_count(0)


def test_bold_is_bold_in_what_is_kept(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    write(page, "plain ")
    page.get_by_role("button", name="Bold").click()
    page.keyboard.type("strong")
    expect(page.get_by_role("button", name="Bold")).to_have_attribute("aria-pressed", "true")
    saved(page, "<b>strong</b>")


def test_sending_shows_the_time_left_and_undo_opens_it_again(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("amara@pier4.example,")
    page.get_by_label("Subject").fill("Proofs")
    write(page, "Yes.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast")).to_contain_text("Sending")
    expect(page.locator(".composer")).to_have_count(0)
    axe(page)
    screenshot(page, "compose-sending")
    page.locator(".toast .undo").click()
    expect(page.locator(".composer-title")).to_have_text("Proofs")
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


def test_a_wrong_address_is_said_beside_the_field(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("nobody,")
    page.get_by_label("Subject").fill("Proofs")
    page.locator(".composer .send").click()
    expect(page.locator('[data-error="to"]')).to_contain_text("is not an address")
    assert not Outgoing.objects.exists()


def test_files_go_up_and_come_off_again(live: Live, maren: User, page: Page, tmp_path: Path) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    file = tmp_path / "proof.pdf"
    file.write_bytes(b"%PDF" + b"x" * 300_000)
    page.locator("[data-upload-input]").set_input_files(file)
    expect(page.locator(".upload[data-upload]")).to_contain_text("300 KB")
    assert Upload.objects.get().size == 300_004
    page.get_by_role("button", name="Remove proof.pdf").click()
    expect(page.locator(".upload")).to_have_count(0)
    assert not Upload.objects.exists()


@pytest.mark.allow_console("ERR_CONNECTION_REFUSED|Failed to load resource|Failed to fetch")
def test_what_could_not_be_saved_survives_the_page(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.route("**/compose/", lambda route: route.abort())
    write(page, "Not lost.")
    expect(page.locator(".composer-state")).to_contain_text("kept")
    page.unroute("**/compose/")
    page.goto(f"{live.url}/mail/starred/")
    expect(page.frame_locator(".composer-frame").locator("#text")).to_contain_text("Not lost.")
    saved(page, "Not lost.")


@pytest.mark.allow_console("ERR_FAILED|Failed to fetch")
def test_unsaved_text_of_a_draft_discarded_elsewhere_goes_on_as_a_new_one(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    write(page, "First. ")
    draft = saved(page, "First.")
    page.route("**/compose/", lambda route: route.abort())
    write(page, "Second.")
    expect(page.locator(".composer-state")).to_contain_text("kept", timeout=PATIENCE * 1000)
    Draft.objects.update(closed_at=timezone.now())
    page.unroute("**/compose/")
    page.goto(f"{live.url}/mail/starred/")
    expect(page.frame_locator(".composer-frame").locator("#text")).to_contain_text("Second.")
    expect(page.locator(".composer-state")).to_contain_text("Saved", timeout=PATIENCE * 1000)
    assert page.url.endswith("/mail/starred/")
    assert "Second." in Draft.objects.exclude(pk=draft.pk).get().html


@pytest.mark.allow_console("status of 404")
def test_what_is_typed_into_a_draft_that_is_gone_is_kept(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    write(page, "First. ")
    saved(page, "First.")
    Draft.objects.all().delete()
    write(page, "Second.")
    saved(page, "Second.")


@pytest.mark.allow_console("inline event handler")  # the frame's policy says that it blocked one
def test_hostile_mail_runs_nothing_in_the_editor(live: Live, maren: User, page: Page) -> None:
    sign_in(page, maren, live)
    page.goto(f"{live.url}/compose/")
    frame = page.frame_locator(".composer-frame").locator("#text[contenteditable]")
    frame.wait_for()
    sandbox = page.locator(".composer-frame").get_attribute("sandbox")
    inside = page.frames[-1]
    frame.evaluate(
        """(text, html) => {
            const data = new DataTransfer();
            data.setData("text/html", html);
            text.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        HOSTILE,
    )
    expect(frame).to_contain_text("Hi")
    assert sandbox == "allow-scripts"
    assert inside.evaluate("self.origin") == "null"
    assert frame.locator("script, [onerror]").count() == 0
    assert "owned" not in page.title()


def test_one_writes_and_sends_without_scripting(live: Live, maren: User, open_page: OpenPage, axe: CheckAxe) -> None:
    page = open_page(scripting=False, width=390)
    sign_in(page, maren, live)
    page.goto(f"{live.url}/compose/")
    page.get_by_label("To", exact=True).fill("amara@pier4.example")
    page.get_by_label("Subject").fill("Plain")
    page.get_by_label("Message", exact=True).fill("No scripts here.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="The message leaves in a moment")).to_be_visible()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("No scripts here.")
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


def test_a_message_leaves_later_by_the_menu_beside_send(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("amara@pier4.example,")
    page.get_by_label("Subject").fill("Proofs")
    write(page, "For tomorrow.")
    page.locator('summary[aria-label="Send later"]').click()
    expect(page.get_by_role("button", name="Tomorrow morning")).to_be_visible()
    axe(page)
    screenshot(page, "compose-later")
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator('[data-error="send_at"]')).to_contain_text("Choose a day and a time")
    page.get_by_role("button", name="Tomorrow morning").click()
    expect(page.locator(".toast")).to_contain_text("08:00")
    made = Outgoing.objects.get()
    assert (made.scheduled, timezone.localtime(made.send_after).hour) == (True, 8)
    page.goto(f"{live.url}/outbox/{made.pk}/")
    page.get_by_role("button", name="Edit or change the time").click()
    expect(page.locator(".composer-title")).to_have_text("Proofs")
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


def test_another_address_brings_its_signature_and_its_blind_copy(
    live: Live, maren: User, page: Page, axe: CheckAxe
) -> None:
    account = maren.mail_accounts.get()
    Identity.objects.filter(account=account).update(signature="Maren, Studio 3")
    more = {"address": "press@tide.example", "bcc": "archive@tide.example", "verified_at": timezone.now()}
    Identity.objects.create(account=account, name="Press", signature_html="<p>The <b>press</b> desk</p>", **more)
    sign_in(page, maren, live)
    compose(page, live)
    text = page.frame_locator(".composer-frame").locator("#text")
    expect(text).to_contain_text("Maren, Studio 3")
    text.locator("p").first.click()
    page.keyboard.type("Hello")
    page.get_by_label("From").select_option(label="Press · press@tide.example")
    expect(text).to_contain_text("The press desk")
    expect(text).not_to_contain_text("Maren, Studio 3")
    expect(text).to_contain_text("Hello")
    expect(page.locator('[data-line="bcc"] .person')).to_contain_text("archive@tide.example")
    axe(page)
    page.get_by_label("From").select_option(index=0)
    expect(text).to_contain_text("Maren, Studio 3")
    expect(text).not_to_contain_text("press")
    expect(page.locator('[data-line="bcc"] .person')).to_have_count(0)
    saved(page, "Maren, Studio 3")


def test_a_signature_is_written_in_the_settings(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    sign_in(page, maren, live)
    page.goto(f"{live.url}/settings/identities/")
    text = page.frame_locator(".signature-frame").locator("#text[contenteditable]")
    text.click()
    page.keyboard.type("Maren ")
    page.get_by_role("button", name="Bold").click()
    page.keyboard.type("Studio 3")
    axe(page)
    screenshot(page, "settings-identities")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    identity = Identity.objects.get()
    assert identity.signature_html.replace("&nbsp;", " ") == "<p>Maren <b>Studio 3</b></p>"
    assert identity.signature == "Maren Studio 3"


def test_many_people_may_be_put_where_they_do_not_see_each_other(
    live: Live, maren: User, page: Page, axe: CheckAxe
) -> None:
    sign_in(page, maren, live)
    compose(page, live)
    page.get_by_role("combobox", name="To").fill(", ".join(f"crew{n}@pier4.example" for n in range(21)) + ",")
    page.get_by_label("Subject").fill("All hands")
    write(page, "Ten o'clock.")
    page.locator(".composer .send").click()
    expect(page.locator(".composer-ask")).to_contain_text("see the 21 addresses")
    axe(page)
    page.get_by_role("button", name="Put them into Bcc").click()
    expect(page.locator('[data-line="bcc"] .person')).to_have_count(21)
    page.locator(".composer .send").click()
    expect(page.locator(".toast")).to_contain_text("Sending")
    assert set(Outgoing.objects.get().recipients.values_list("kind", flat=True)) == {"bcc"}


def test_a_template_is_written_and_put_into_a_message(
    live: Live, maren: User, page: Page, axe: CheckAxe, screenshot: Screenshot
) -> None:
    sign_in(page, maren, live)
    page.goto(f"{live.url}/settings/templates/new/")
    page.locator("#id_name").fill("Proofs are here")
    page.locator("#id_subject").fill("Your proofs")
    page.frame_locator(".signature-frame").locator("#text[contenteditable]").click()
    page.keyboard.type("Dear {first name}, the proofs are here.")
    axe(page)
    screenshot(page, "settings-template")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Proofs are here")).to_be_visible()
    compose(page, live)
    page.get_by_role("combobox", name="To").fill("Amara Okafor <amara@pier4.example>,")
    page.locator('.composer-tools summary[aria-label="More"]').click()
    screenshot(page, "compose-more")
    page.get_by_role("button", name="Proofs are here").click()
    text = page.frame_locator(".composer-frame").locator("#text")
    expect(text).to_contain_text("Dear Amara, the proofs are here.")
    expect(page.get_by_label("Subject")).to_have_value("Your proofs")
    saved(page, "Dear Amara")
