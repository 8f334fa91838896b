"""Writing with two browsers open: what one does is seen in the other without reloading, and neither loses a word."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from accounts.models import User
from deploy.demo.people import INGRID, MAREN, TOMASZ
from tests import factories
from tests.browser.test_compose import compose, maren, sign_in, write
from tests.browser.test_walk import PATIENCE, open_inbox, rows
from tests.support.browser import OpenPage
from tests.support.live import Live
from tests.unit.imaging.drawn import picture
from webmail.models import Draft, MessageBody, Outgoing, Upload
from webmail.services import drafts

from .conftest import World

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, FrameLocator, Locator, Page

__all__ = ["maren"]
DELIVERY = 40_000  # milliseconds until a message has gone out, lies at the server and is fetched
PLAN: FilePayload = {"name": "plan.png", "mimeType": "image/png", "buffer": picture(size=(60, 40))}
LIST: FilePayload = {"name": "berths.txt", "mimeType": "text/plain", "buffer": b"hull number 7\n"}


def text_of(page: Page) -> Locator:
    return page.frame_locator(".composer-frame").locator("#text")


def editor(page: Page) -> None:
    page.frame_locator(".composer-frame").locator("#text[contenteditable]").wait_for()


def state(page: Page) -> Locator:
    return page.locator(".composer-state")


def shown(page: Page) -> FrameLocator:
    """The newest message of the conversation that is open."""
    return page.frame_locator("#reading iframe >> nth=-1")


def addressed(page: Page, *, to: str, subject: str, cc: str = "") -> None:
    page.get_by_role("combobox", name="To", exact=True).fill(f"{to},")
    if cc:
        page.get_by_role("button", name="Cc", exact=True).click()
        page.get_by_role("combobox", name="Cc", exact=True).fill(f"{cc},")
    page.locator("[name=subject]").fill(subject)


def send(page: Page) -> None:
    page.locator(".composer .send").click()
    expect(page.locator(".composer")).to_have_count(0, timeout=PATIENCE)


def until_fetched(page: Page) -> None:
    """What a forward takes along lies here: until then sending says that it is still being fetched."""
    expect(state(page)).to_contain_text("Saved", timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        awaited = Upload.objects.filter(digest="", source__isnull=False)
        bodies = [(MessageBody.objects.filter(message=one.source_id).first(), one.source_path) for one in awaited]
        if all(drafts.digest_of(body, path) for body, path in bodies):
            return
        time.sleep(0.05)
    raise AssertionError(f"not fetched: {list(awaited.values('filename', 'source_path'))}")


def until_kept(words: str, *, among: int = 1) -> Draft:
    """The draft that holds `words`, once there are that many and one does."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        found = Draft.objects.filter(html__contains=words, closed_at=None).first()
        if found is not None and Draft.objects.filter(closed_at=None).count() == among:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{words!r} is in none of {list(Draft.objects.values('html', 'closed_at'))}")


def twice(live: Live, user: User, open_page: OpenPage) -> tuple[Page, Page]:
    first, second = open_page(), open_page()
    sign_in(first, user, live)
    sign_in(second, user, live)
    return first, second


def test_a_message_with_a_picture_and_a_file_is_answered_and_both_see_the_whole_of_it(
    world: World, open_page: OpenPage
) -> None:
    User.objects.update(undo_send_seconds=0)
    maren, tomasz = open_page(), open_page()
    open_inbox(world, maren)
    open_inbox(world, tomasz, TOMASZ.address)
    maren.keyboard.press("c")
    editor(maren)
    addressed(maren, to=TOMASZ.address, cc=INGRID.address, subject="Berths of the week")
    write(maren, "Here is the plan: ")
    maren.locator("[data-picture-input]").set_input_files(PLAN)
    expect(text_of(maren).locator("img")).to_have_js_property("naturalWidth", 60)
    maren.locator("[data-upload-input]").set_input_files(LIST)
    expect(maren.locator(".upload[data-upload]")).to_have_count(1)
    send(maren)

    expect(rows(tomasz).first).to_contain_text("Berths of the week", timeout=DELIVERY)
    rows(tomasz).first.locator("a.row-link").click()
    expect(shown(tomasz).locator("body")).to_contain_text("Here is the plan", timeout=PATIENCE)
    expect(shown(tomasz).locator("img")).to_have_js_property("naturalWidth", 60, timeout=PATIENCE)
    expect(tomasz.locator("#reading .attachment")).to_have_count(1)
    expect(tomasz.locator("#reading .attachment")).to_contain_text("berths.txt")
    tomasz.locator("#reading .quick-buttons").get_by_role("link", name="Reply all").click()
    editor(tomasz)
    expect(tomasz.locator(".composer .person")).to_have_count(2)
    expect(text_of(tomasz).locator("img")).to_have_js_property("naturalWidth", 60)
    write(tomasz, "Hull 7 lies well.")
    send(tomasz)

    answered = rows(tomasz).filter(has_text="Berths of the week")
    expect(answered.get_by_text("answered", exact=True)).to_be_attached(timeout=DELIVERY)
    expect(rows(maren).first).to_contain_text("Berths of the week", timeout=DELIVERY)
    expect(rows(maren).first.locator(".thread-count")).to_have_text("2")
    rows(maren).first.locator("a.row-link").click()
    expect(maren.locator("#reading .message")).to_have_count(2)
    expect(shown(maren).locator("body")).to_contain_text("Hull 7 lies well.", timeout=PATIENCE)


def test_what_is_forwarded_in_the_text_and_as_a_file_arrives_whole(world: World, open_page: OpenPage) -> None:
    User.objects.update(undo_send_seconds=0)
    maren, tomasz = open_page(), open_page()
    open_inbox(world, maren)
    open_inbox(world, tomasz, TOMASZ.address)
    maren.keyboard.press("c")
    editor(maren)
    addressed(maren, to=MAREN.address, subject="Plan of the quay")
    write(maren, "Look: ")
    maren.locator("[data-picture-input]").set_input_files(PLAN)
    expect(text_of(maren).locator("img")).to_have_js_property("naturalWidth", 60)
    maren.locator("[data-upload-input]").set_input_files(LIST)
    expect(maren.locator(".upload[data-upload]")).to_have_count(1)
    send(maren)
    own = rows(maren).first
    expect(own).to_contain_text("Plan of the quay", timeout=DELIVERY)
    own.locator("a.row-link").click()
    expect(shown(maren).locator("img")).to_have_js_property("naturalWidth", 60, timeout=PATIENCE)

    maren.locator("#reading .quick-buttons").get_by_role("link", name="Forward").click()
    editor(maren)
    addressed(maren, to=TOMASZ.address, subject="In the text")
    expect(maren.locator(".upload")).to_have_count(1)
    expect(text_of(maren).locator("img")).to_have_js_property("naturalWidth", 60)
    until_fetched(maren)
    send(maren)
    expect(rows(tomasz).first).to_contain_text("In the text", timeout=DELIVERY)
    rows(tomasz).first.locator("a.row-link").click()
    expect(shown(tomasz).locator("img")).to_have_js_property("naturalWidth", 60, timeout=PATIENCE)
    expect(tomasz.locator("#reading .attachment")).to_contain_text("berths.txt")

    maren.locator('#reading summary[aria-label="More for this message"]').last.click()
    maren.get_by_role("link", name="Forward as attachment").last.click()
    editor(maren)
    addressed(maren, to=TOMASZ.address, subject="As a file")
    until_fetched(maren)
    send(maren)
    expect(rows(tomasz).first).to_contain_text("As a file", timeout=DELIVERY)
    rows(tomasz).first.locator("a.row-link").click()
    expect(tomasz.locator("#reading .attachment")).to_contain_text("Plan of the quay.eml", timeout=PATIENCE)
    expect(rows(maren).filter(has_text="Plan of the quay").get_by_text("forwarded", exact=True)).to_be_attached(
        timeout=DELIVERY
    )


def test_what_is_sent_in_one_browser_is_taken_back_in_the_other(live: Live, maren: User, open_page: OpenPage) -> None:
    User.objects.update(undo_send_seconds=60)
    first, second = twice(live, maren, open_page)
    second.goto(f"{live.url}/outbox/")
    expect(second.locator("#outbox")).to_contain_text("Nothing is waiting")
    compose(first, live)
    addressed(first, to="amara@pier4.example", subject="Proofs")
    write(first, "Both panels are in.")
    send(first)
    expect(first.locator(".toast")).to_contain_text("Sending")
    waiting = second.locator(".out-row")
    expect(waiting).to_contain_text("Leaves in a moment", timeout=PATIENCE)
    waiting.locator("a.row-link").click()
    second.get_by_role("button", name="Take it back").click()
    editor(second)
    expect(text_of(second)).to_contain_text("Both panels are in.")
    expect(second.locator(".out-row")).to_have_count(0)
    expect(first.locator(".toast").get_by_text("Sending")).to_have_count(0)
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


@pytest.mark.allow_console("ERR_FAILED")
def test_undo_of_what_was_taken_back_elsewhere_opens_it_too(live: Live, maren: User, open_page: OpenPage) -> None:
    User.objects.update(undo_send_seconds=60)
    first, second = twice(live, maren, open_page)
    compose(first, live)
    addressed(first, to="amara@pier4.example", subject="Proofs")
    write(first, "Both panels are in.")
    send(first)
    made = Outgoing.objects.get()
    first.goto(f"{live.url}/outbox/{made.pk}/")
    taking = first.get_by_role("button", name="Take it back")
    expect(taking).to_be_visible()
    second.goto(f"{live.url}/outbox/{made.pk}/")
    first.route("**/live/*", lambda route: route.abort())
    first.reload()  # hears nothing of what the other one does
    second.get_by_role("button", name="Take it back").click()
    editor(second)
    taking.click()
    editor(first)
    expect(text_of(first)).to_contain_text("Both panels are in.")
    expect(first.locator(".toast")).to_have_count(0)


def test_what_waits_for_its_time_is_seen_and_sent_at_once_elsewhere(
    live: Live, maren: User, open_page: OpenPage
) -> None:
    first, second = twice(live, maren, open_page)
    User.objects.update(undo_send_seconds=60)
    second.goto(f"{live.url}/outbox/")
    compose(first, live)
    addressed(first, to="amara@pier4.example", subject="Proofs")
    write(first, "For tomorrow.")
    first.locator('summary[aria-label="Send later"]').click()
    first.get_by_role("button", name="Tomorrow morning").click()
    expect(first.locator(".toast")).to_contain_text("08:00")
    waiting = second.locator(".out-row")
    expect(waiting).to_contain_text(re.compile("Leaves .*08:00"), timeout=PATIENCE)
    first.goto(f"{live.url}/outbox/")
    expect(first.locator(".out-row")).to_contain_text("08:00")
    waiting.locator("a.row-link").click()
    second.get_by_role("button", name="Send now").click()
    expect(second.locator(".toast")).to_contain_text("Sending")
    for page in (first, second):
        expect(page.locator(".out-row")).to_have_count(1)
        expect(page.locator(".out-row")).to_contain_text("Leaves in a moment")
    second.goto(f"{live.url}/outbox/")
    second.locator(".out-row a.row-link").click()
    second.get_by_role("button", name="Take it back").click()
    editor(second)
    expect(first.locator(".out-row")).to_have_count(0)
    expect(first.locator("#outbox")).to_contain_text("Nothing is waiting")
    assert set(Outgoing.objects.values_list("state", flat=True)) == {Outgoing.State.CANCELLED}


def test_a_draft_written_on_in_two_browsers_is_kept_in_both_versions(world: World, open_page: OpenPage) -> None:
    first, second = open_page(), open_page()
    open_inbox(world, first)
    open_inbox(world, second)
    first.keyboard.press("c")
    editor(first)
    first.locator("[name=subject]").fill("Mooring lines")
    write(first, "Spring line first. ")
    draft = until_kept("Spring line first.")
    expect(state(first)).to_contain_text("Saved")
    second.goto(f"{world.url}/compose/?draft={draft.pk}")
    editor(second)
    expect(text_of(second)).to_contain_text("Spring line first.")
    text_of(first).click()
    first.keyboard.press("Control+End")
    first.keyboard.type("Then the stern.")
    until_kept("Then the stern.")
    text_of(second).click()
    second.keyboard.press("Control+End")
    second.keyboard.type("Then the bow.")
    other = until_kept("Then the bow.", among=2)
    expect(second.locator(".toast")).to_contain_text("Both versions are kept")
    assert other.pk != draft.pk
    text_of(first).click()
    first.keyboard.type(" Nothing else.")
    until_kept("Nothing else.", among=2)
    for page in (first, second):
        page.locator(".composer [data-close]").click()
    second.wait_for_url(lambda url: "/compose/" not in url)
    first.locator("#nav").get_by_role("link", name="Drafts").first.click()
    both = rows(first).filter(has_text="Mooring lines")
    expect(both).to_have_count(2, timeout=DELIVERY)
    for words in ("Then the stern.", "Then the bow."):
        both.filter(has_text=words).locator("a.row-link").click()
        expect(text_of(first)).to_contain_text(words, timeout=PATIENCE)
        first.locator(".composer [data-close]").click()
        expect(first.locator(".composer")).to_have_count(0)


def test_what_is_typed_on_in_a_draft_discarded_elsewhere_is_kept(live: Live, maren: User, open_page: OpenPage) -> None:
    first, second = twice(live, maren, open_page)
    compose(first, live)
    first.locator("[name=subject]").fill("Ferry")
    write(first, "First. ")
    draft = until_kept("First.")
    expect(state(first)).to_contain_text("Saved")
    second.goto(f"{live.url}/compose/?draft={draft.pk}")
    editor(second)
    second.get_by_role("button", name="Discard").click()
    second.wait_for_url(lambda url: "/compose/" not in url)
    write(first, "Second.")
    kept = until_kept("Second.")
    assert kept.pk != draft.pk
    assert "First." in kept.html
    second.goto(f"{live.url}/compose/?draft={kept.pk}")
    editor(second)
    expect(text_of(second)).to_contain_text("First.")
    expect(text_of(second)).to_contain_text("Second.")


def test_a_draft_sent_in_one_browser_is_not_sent_again_from_the_other(
    live: Live, maren: User, open_page: OpenPage
) -> None:
    User.objects.update(undo_send_seconds=60)
    first, second = twice(live, maren, open_page)
    compose(first, live)
    addressed(first, to="amara@pier4.example", subject="Proofs")
    write(first, "Both panels are in.")
    draft = until_kept("Both panels are in.")
    expect(state(first)).to_contain_text("Saved")
    second.goto(f"{live.url}/compose/?draft={draft.pk}")
    editor(second)
    second.locator(".composer .send").click()
    second.wait_for_url(lambda url: "/compose/" not in url)
    expect(second.locator(".toast")).to_contain_text("Sending")
    first.locator(".composer .send").click()
    expect(first.locator('.composer [data-error=""]')).to_contain_text("was sent or discarded already")
    assert Outgoing.objects.count() == 1


def sign_in_by_form(page: Page, user: User, live: Live) -> None:
    page.goto(f"{live.url}/signin/")
    page.get_by_label("Address").fill(user.email)
    page.get_by_label("Password", exact=True).fill("a long enough password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/signin/" not in url)


def signed_out_while_writing(live: Live, user: User, open_page: OpenPage) -> tuple[Page, Page]:
    """Both browsers hold one session, as a copied profile does; it ends in the second while the first writes."""
    first, second = open_page(), open_page()
    sign_in_by_form(first, user, live)
    compose(first, live)
    write(first, "Before. ")
    until_kept("Before.")
    expect(state(first)).to_contain_text("Saved")
    second.context.add_cookies(first.context.cookies())  # type: ignore[arg-type]  # what it gives is what it takes
    second.goto(f"{live.url}/mail/all/")
    second.locator("summary.me").click()
    second.get_by_role("button", name="Sign out").click()
    second.wait_for_url(re.compile("/signin/"))
    write(first, "After.")
    expect(state(first)).to_contain_text("You are signed out", timeout=PATIENCE)
    return first, second


@pytest.mark.allow_console("status of 403")
def test_a_session_that_ends_while_somebody_writes_costs_no_word(live: Live, maren: User, open_page: OpenPage) -> None:
    first, second = signed_out_while_writing(live, maren, open_page)
    beside = first.context.new_page()  # where the sentence sends its reader
    sign_in_by_form(beside, maren, live)
    expect(state(first)).to_contain_text("Saved", timeout=PATIENCE)
    kept = until_kept("After.")
    sign_in_by_form(second, maren, live)
    second.goto(f"{live.url}/compose/?draft={kept.pk}")
    editor(second)
    expect(text_of(second)).to_contain_text("Before.")
    expect(text_of(second)).to_contain_text("After.")
    addressed(first, to="amara@pier4.example", subject="Proofs")
    send(first)
    assert Outgoing.objects.get().subject == "Proofs"


@pytest.mark.allow_console("status of 403")
def test_what_was_being_written_does_not_go_to_somebody_else_who_signs_in(
    live: Live, maren: User, open_page: OpenPage
) -> None:
    other = factories.user("Tomasz")
    factories.account(other, state="paused")
    first, _ = signed_out_while_writing(live, maren, open_page)
    sign_in_by_form(first.context.new_page(), other, live)
    looking = "GET", f"{live.url}/compose/"
    with first.expect_response(lambda answer: (answer.request.method, answer.url) == looking, timeout=PATIENCE):
        write(first, " And more.")  # it is tried again by itself
    expect(state(first)).to_contain_text("You are signed out")
    assert not Draft.objects.exclude(user=maren).exists()
    assert not Draft.objects.filter(html__contains="After.").exists()


def test_signing_in_again_on_the_same_page_brings_back_what_was_being_written(
    live: Live, maren: User, open_page: OpenPage
) -> None:
    first, _ = signed_out_while_writing(live, maren, open_page)
    sign_in_by_form(first, maren, live)
    editor(first)
    expect(text_of(first)).to_contain_text("After.")
    assert "Before." in until_kept("After.").html


@pytest.mark.allow_console("ERR_INTERNET_DISCONNECTED|Failed to fetch")
def test_what_is_typed_without_a_network_is_saved_when_it_is_back(live: Live, maren: User, open_page: OpenPage) -> None:
    first, second = twice(live, maren, open_page)
    compose(first, live)
    first.locator("[name=subject]").fill("Ferry")
    write(first, "On shore. ")
    draft = until_kept("On shore.")
    expect(state(first)).to_contain_text("Saved")
    first.context.set_offline(True)
    write(first, "At sea. ")
    expect(state(first)).to_contain_text("does not answer", timeout=PATIENCE)
    second.goto(f"{live.url}/compose/?draft={draft.pk}")
    editor(second)
    expect(text_of(second)).not_to_contain_text("At sea.")
    first.context.set_offline(False)
    expect(state(first)).to_contain_text("Saved", timeout=PATIENCE)
    second.reload()
    editor(second)
    expect(text_of(second)).to_contain_text("On shore.")
    expect(text_of(second)).to_contain_text("At sea.")


def test_people_texts_and_signatures_made_elsewhere_are_at_hand(live: Live, maren: User, open_page: OpenPage) -> None:
    first, second = twice(live, maren, open_page)
    first.goto(f"{live.url}/mail/all/")
    second.goto(f"{live.url}/settings/identities/")
    second.frame_locator(".signature-frame").locator("#text[contenteditable]").click()
    second.keyboard.type("Maren, Studio 3")
    second.get_by_role("button", name="Save").click()
    expect(second.locator(".toast")).to_contain_text("Saved")
    second.goto(f"{live.url}/settings/templates/new/")
    second.locator("#id_name").fill("Proofs are here")
    second.frame_locator(".signature-frame").locator("#text[contenteditable]").click()
    second.keyboard.type("Dear {first name}, the proofs are here.")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("link", name="Proofs are here")).to_be_visible()
    first.locator("#nav .compose").click()
    editor(first)
    expect(text_of(first)).to_contain_text("Maren, Studio 3")
    second.goto(f"{live.url}/contacts/new/")
    second.locator("#id_name").fill("Bo Li")
    second.locator("#id_mails").fill("bo@quay.example")
    second.get_by_role("button", name="Save").click()
    expect(second.locator(".contact-line")).to_have_count(1)
    first.get_by_role("combobox", name="To").press_sequentially("bo l")
    first.get_by_role("option", name="Bo Li").click()
    expect(first.locator(".composer .person")).to_contain_text("Bo Li")
    first.locator('.composer-tools summary[aria-label="More"]').click()
    first.get_by_role("button", name="Proofs are here").click()
    expect(text_of(first)).to_contain_text("Dear Bo, the proofs are here.")
    until_kept("Dear Bo")


def test_a_table_of_messages_is_taken_back_from_the_other_browser(live: Live, maren: User, open_page: OpenPage) -> None:
    first, second = twice(live, maren, open_page)
    compose(first, live)
    first.locator("[name=subject]").fill("Berth {berth}")
    write(first, "Hello {name}, see you at the quay.")
    first.locator('.composer-tools summary[aria-label="More"]').click()
    first.get_by_role("button", name="To each of a table").click()
    lines = ["name,berth,mail", *(f"Crew {n},{n},crew{n}@quay.example" for n in range(1, 41))]
    table: FilePayload = {"name": "berths.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    first.locator("[name=table]").set_input_files(table)
    first.get_by_role("button", name="Use this table").click()
    second.goto(f"{live.url}/outbox/")
    expect(second.locator("#outbox")).to_contain_text("Nothing is waiting")
    first.get_by_role("button", name="Send 40 messages").click()
    expect(second.locator(".out-row")).to_have_count(40, timeout=DELIVERY)
    expect(first.locator("#merging")).to_contain_text("40 of 40 rows", timeout=PATIENCE)
    second.goto(first.url)
    second.get_by_role("button", name="Take all back that has not left").click()
    expect(second.get_by_text("40 messages were taken back")).to_be_visible()
    first.get_by_role("link", name="Outbox").last.click()
    expect(first.locator("#outbox")).to_contain_text("Nothing is waiting")
    assert set(Outgoing.objects.values_list("state", flat=True)) == {Outgoing.State.CANCELLED}
    assert Draft.objects.filter(closed_at=None).get().subject == "Berth {berth}"
