"""Reading in Chromium: a conversation of forty, what is done with one message of it, messages one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import MailAccount, User
from tests import factories
from tests.security.chromium import lend_session
from tests.support.browser import CheckAxe, OpenPage
from tests.support.live import Live
from webmail import storage
from webmail.models import Flag, Mailbox, MessageBody, Placement, Thread

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

DESIGNED = '<table bgcolor="#ffeecc" width="100%"><tr><td style="color:#804000">Designed</td></tr></table>'


@dataclass
class Reader:
    live: Live
    client: Client
    user: User
    account: MailAccount
    inbox: Mailbox
    trash: Mailbox

    def open(self, page: Page, *, thread: int = 0) -> None:
        lend_session(page, self.live, self.client)
        place = [self.account.pk, self.inbox.pk, *([thread] if thread else [])]
        page.goto(self.live.url + reverse("mail:thread" if thread else "mail:mailbox", args=place), wait_until="load")


@pytest.fixture
def reader(live: Live) -> Reader:
    user = factories.user("Alice")
    account = factories.account(user, next_run_at=timezone.now() + timedelta(days=1))
    inbox = factories.mailbox(account)
    boxes = {role: factories.mailbox(account, role) for role in ("trash", "archive", "junk", "sent", "drafts")}
    client = Client()
    client.force_login(user)
    return Reader(live, client, user, account, inbox, boxes["trash"])


def conversation(reader: Reader, count: int, *, unread: int = 1) -> list[Placement]:
    """Oldest first; the last ``unread`` are that."""
    thread = Thread.objects.create(account=reader.account)
    return [
        factories.message(
            reader.inbox,
            thread=thread,
            at=factories.NOON - timedelta(hours=count - number),
            flags=0 if number >= count - unread else factories.SEEN,
            text=f"Words of letter {number}.\n" * 12,
            sender=(f"Writer {number}", f"w{number}@pier4.example"),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("width", [1440, 390])
def test_a_conversation_of_forty_opens_at_its_newest_unread(
    reader: Reader, open_page: OpenPage, width: int, axe: CheckAxe
) -> None:
    rows = conversation(reader, 40)
    page = open_page(width=width)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    reader.open(page, thread=rows[0].thread_id)
    page.wait_for_function("() => document.querySelector('.fold[open] .mail-frame').style.blockSize !== ''")
    newest = page.locator(f"#m-{rows[-1].message_id}")
    head = newest.locator("summary").first.bounding_box()
    assert head is not None
    assert 0 < head["y"] < 700
    assert len([url for url in asked if "/m/" in url]) == 1  # folded ones load nothing
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator(f"#m-{rows[20].message_id} summary").first.click()
    page.frame_locator(f'[name="frame-{rows[20].message_id}"]').get_by_text("Words of letter 20.").first.wait_for()
    axe(page)


def test_answers_for_two_texts_on_their_way_leave_one_pane_with_its_menu_open(
    reader: Reader, open_page: OpenPage
) -> None:
    first, second = conversation(reader, 2, unread=2)
    bodies = MessageBody.objects.filter(message__in=[first.message_id, second.message_id])
    bodies.update(state=MessageBody.State.WANTED)
    page = open_page()
    page.route("**/live/*", lambda route: route.fulfill(status=204))  # nothing but the texts' places asks
    held: list[Route] = []
    pane = reverse("mail:thread", args=[reader.account.pk, reader.inbox.pk, first.thread_id])
    page.route(
        f"**{pane}",
        lambda route: held.append(route) if "hx-request" in route.request.headers else route.continue_(),
    )
    reader.open(page, thread=first.thread_id)
    page.locator("#reading").get_by_label("More actions", exact=True).click()
    asked = page.locator("#reading .skeleton")
    while len(held) < 2:  # each of them asks every three seconds
        page.wait_for_timeout(50)
    bodies.update(state=MessageBody.State.HERE)
    page.evaluate(
        "document.addEventListener('htmx:beforeSwap', ({ detail }) => {"
        " if (detail.requestConfig.elt.matches('.skeleton')) window.answers = (window.answers ?? 0) + 1; })"
    )
    for route in held[:2]:
        route.continue_()
    page.wait_for_function("() => window.answers >= 2")
    expect(asked).to_have_count(0)
    assert page.locator("#reading").count() == 1
    assert page.locator("#reading .more-actions .menu-list").is_visible()


def test_a_pane_that_stays_open_gets_new_addresses_before_the_old_ones_end(reader: Reader, open_page: OpenPage) -> None:
    folded, *_, newest = conversation(reader, 4)
    page = open_page()
    page.clock.install()
    reader.open(page, thread=folded.thread_id)
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url))
    page.frame_locator(f'[name="frame-{newest.message_id}"]').get_by_text("Words of letter 3.").first.wait_for()
    before = address(page, folded), address(page, newest)
    opened = int(time.time())
    while int(time.time()) == opened:  # addresses are signed with the second they were made in
        time.sleep(0.05)
    page.clock.fast_forward("40:00")
    assert address(page, folded) == before[0]
    page.clock.fast_forward("10:00")
    page.wait_for_function(
        "([name, old]) => document.querySelector(`[name='${name}']`).getAttribute('src') !== old",
        arg=[f"frame-{folded.message_id}", before[0]],
    )
    assert address(page, newest) == before[1]  # somebody reads it: it does not load anew
    assert not [url for url in loads if "/m/" in url]
    page.locator(f"#m-{folded.message_id} summary").first.click()
    page.frame_locator(f'[name="frame-{folded.message_id}"]').get_by_text("Words of letter 0.").first.wait_for()


def address(page: Page, placement: Placement) -> str | None:
    return page.locator(f'[name="frame-{placement.message_id}"]').get_attribute("src")


def menu(page: Page, placement: Placement, item: str) -> None:
    message = page.locator(f"#m-{placement.message_id}")
    message.locator(".message-actions summary").click()
    message.get_by_text(item, exact=True).click()


def test_one_message_is_starred_and_deleted_and_the_rest_stays(reader: Reader, open_page: OpenPage) -> None:
    first, second = conversation(reader, 2, unread=2)
    page = open_page(width=1440)
    reader.open(page, thread=first.thread_id)
    menu(page, second, "Star")
    page.locator(f"#m-{second.message_id} .sent-at .starred").wait_for()
    menu(page, first, "Delete this message")
    page.locator(f"#m-{first.message_id}").wait_for(state="detached")
    assert page.locator(f"#m-{second.message_id}").is_visible()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.mailbox, second.mailbox) == (reader.trash, reader.inbox)
    assert bool(second.flags & Flag.FLAGGED)
    assert not first.flags & Flag.FLAGGED


def test_unread_from_here_leads_back_to_the_list(reader: Reader, open_page: OpenPage) -> None:
    rows = conversation(reader, 3, unread=0)
    page = open_page(width=1440)
    reader.open(page, thread=rows[0].thread_id)
    page.locator(f"#m-{rows[1].message_id} summary").first.click()
    menu(page, rows[1], "Mark unread from here")
    page.locator("#reading.nothing").wait_for()
    flags = Placement.objects.filter(thread=rows[0].thread_id).order_by("received_at").values_list("flags", flat=True)
    assert [bool(each & Flag.SEEN) for each in flags] == [True, False, False]


def test_designed_mail_changes_its_ground_and_back(reader: Reader, open_page: OpenPage) -> None:
    placement = factories.message(reader.inbox, html=DESIGNED, flags=factories.SEEN)
    MessageBody.objects.filter(message=placement.message).update(designed=True)
    page = open_page(width=1440, dark=True)
    reader.open(page, thread=placement.thread_id)
    scheme = "() => getComputedStyle(document.documentElement).colorScheme"

    def ground(wanted: str) -> None:
        page.wait_for_timeout(500)  # the frame loads anew, in a process of its own
        assert page.frames[-1].evaluate(scheme) == wanted

    ground("light")
    menu(page, placement, "In dark colours")
    ground("dark")
    menu(page, placement, "On light paper")
    ground("light")


def test_messages_one_by_one_by_keyboard(reader: Reader, open_page: OpenPage, axe: CheckAxe) -> None:
    User.objects.filter(pk=reader.user.pk).update(conversations=False)
    oldest, middle, newest = conversation(reader, 3, unread=0)
    page = open_page(width=1440)
    reader.open(page)
    assert page.locator("#rows .row").count() == 3
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(f"#m-{newest.message_id}").wait_for()
    assert page.locator("#reading .message").count() == 1
    page.keyboard.press("j")
    page.locator(f"#m-{middle.message_id}").wait_for()
    assert page.url.endswith(f"/{middle.thread_id}/{middle.message_id}/")
    axe(page)
    page.keyboard.press("s")
    page.locator(f"#t-m{middle.message_id}[data-starred]").wait_for()
    page.locator('#reading .subject-line [value="unstar"]').wait_for()  # the pane has asked for the last time
    page.keyboard.press("#")
    page.locator(f"#m-{oldest.message_id}").wait_for()
    page.locator(f"#t-m{middle.message_id}").wait_for(state="detached")
    page.locator("#toasts .undo").wait_for()  # the row goes at once, this comes with the server's answer
    kept = Placement.objects.filter(mailbox=reader.inbox).order_by("received_at").values_list("pk", "flags")
    assert [(pk, bool(flags & Flag.FLAGGED)) for pk, flags in kept] == [(oldest.pk, False), (newest.pk, False)]
    page.locator('[data-step="newer"]').click()
    page.locator(f"#m-{newest.message_id}").wait_for()
    page.go_back()
    page.locator(f"#m-{oldest.message_id}").wait_for()


def test_headers_and_the_printed_sheet(reader: Reader, open_page: OpenPage, axe: CheckAxe) -> None:
    placement = factories.message(reader.inbox, text="Words to print", flags=factories.SEEN)
    digest = storage.put(reader.account.pk, b"Subject: Harbour\r\nX-Long: " + b"a" * 400 + b"\r\n\r\nWords")
    MessageBody.objects.filter(message=placement.message).update(raw_digest=digest)
    page = open_page(width=390)
    lend_session(page, reader.live, reader.client)
    page.goto(reader.live.url + reverse("mail:headers", args=[placement.message_id]))
    assert page.get_by_text("X-Long", exact=True).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    axe(page)
    reader.open(page, thread=placement.thread_id)
    address = page.locator("a", has_text="Print").first.get_attribute("href")
    sheet = open_page(width=800)
    sheet.add_init_script("window.print = () => { window.printed = true; }")
    sheet.goto(f"{reader.live.url}{address}")
    sheet.get_by_text("Words to print").wait_for()
    sheet.wait_for_function("() => window.printed")
    assert sheet.evaluate("window.origin") == "null"
