"""The cards above an opened message, as they are used: by pointer, by keyboard and without scripting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from tests import factories
from tests.security.arriving import deliver
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.newsletters import VOUCHED, newsletter
from tests.support.shapes import BELIEVED
from webmail import storage
from webmail.models import Message, MessageAnswer, MessageBody, Outgoing, Unsubscription

from .desk import NUMBERS, Desk

COUNT_REQUESTS = """() => {
  window.asked = 0;
  document.addEventListener("htmx:beforeRequest", () => { window.asked += 1; });
}"""
CUT = """() => [...document.querySelectorAll(".request-line, .invite, .contact-card")]
  .flatMap((card) => [card, ...card.querySelectorAll("*")])
  .filter((node) => node.getBoundingClientRect().right > node.closest(".message").getBoundingClientRect().right + 1)
  .map((node) => node.outerHTML.slice(0, 200))"""
CHOICES = {"Accept": "You accepted", "Maybe": "You answered “maybe”", "Decline": "You declined"}


def mail(*head: str, kind: str = "text/plain; charset=utf-8", body: str = "Words", more: str = "") -> bytes:
    """A message from Noor; ``more`` are further parts, each from its Content-Type on."""
    lines = ["From: Noor van Dijk <noor@studio.example>", "To: maren@harbourlane.example", *head, "MIME-Version: 1.0"]
    lines += ["Date: Tue, 24 Nov 2026 09:00:00 +0000", f"Message-ID: <{next(NUMBERS)}@studio.example>"]
    if not any(line.startswith("Subject:") for line in head):
        lines.append("Subject: Planning")
    if not more:
        return "\r\n".join([*lines, f"Content-Type: {kind}", "", body, ""]).encode()
    parts = f"--b\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--b\r\nContent-Type: {more}\r\n--b--\r\n"
    return ("\r\n".join([*lines, "Content-Type: multipart/mixed; boundary=b", ""]) + "\r\n" + parts).encode()


PLANNING = (
    "UID:planning@studio.example",
    "DTSTAMP:20261124T090000Z",
    "SUMMARY:Quarterly planning",
    "LOCATION:Room Kestrel",
    "DTSTART;TZID=Europe/Oslo:20261128T100000",
    "DTEND;TZID=Europe/Oslo:20261128T113000",
    "ORGANIZER;CN=Noor van Dijk:mailto:noor@studio.example",
    "ATTENDEE;CN=Maren;PARTSTAT=NEEDS-ACTION:mailto:maren@harbourlane.example",
    "ATTENDEE;CN=Tomasz;PARTSTAT=ACCEPTED:mailto:tomasz@pier4.example",
)


def invitation(*lines: str, method: str = "REQUEST", head: tuple[str, ...] = ()) -> bytes:
    event = ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT", *(lines or PLANNING), "END:VEVENT", "END:VCALENDAR"]
    return mail(*head, more=f"text/calendar; charset=utf-8; method={method}\r\n\r\n" + "\r\n".join(event))


def receipt(*head: str) -> bytes:
    return mail(*head, "Disposition-Notification-To: noor@studio.example", "Return-Path: <noor@studio.example>")


def from_a_list(desk: Desk) -> Message:
    """A message whose offer of one click is covered by a signature that passed."""
    head = (
        f"Authentication-Results: {BELIEVED}; dkim=pass header.d=studio.example header.s=k1",
        "List-Id: <news.studio.example>",
        "List-Unsubscribe: <https://studio.example/leave?me>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    )
    message = desk.gets(mail(*head))
    covered = ["from", "list-unsubscribe", "list-unsubscribe-post"]
    MessageBody.objects.filter(message=message).update(signatures=[["studio.example", "k1", "Ab", covered]])
    return message


def where_focus_is(page: Page) -> str:
    """The closest thing with a name around the focus; "body" where it was lost."""
    return str(
        page.evaluate(
            "() => { const at = document.activeElement.closest('[data-key], [id]') ?? document.body;"
            " return at.dataset.key || at.id || 'body'; }"
        )
    )


def press(page: Page, control: Locator) -> None:
    """By keyboard."""
    control.focus()
    page.keyboard.press("Enter")


# --- where the focus is after a card changed --------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["key", "pointer"])
def test_an_answer_keeps_the_focus_on_its_button(desk: Desk, page: Page, by: str) -> None:
    message = desk.gets(invitation())
    desk.open(page, message)
    for name, words in CHOICES.items():
        button = page.get_by_role("button", name=name, exact=True)
        if by == "key":
            press(page, button)
        else:
            button.click()
        expect(page.locator(".invite [role=status]")).to_contain_text(words)
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(button).to_be_focused()


def test_undo_of_an_answer_leaves_the_focus_on_the_card(desk: Desk, page: Page) -> None:
    message = desk.gets(invitation())
    desk.open(page, message)
    page.get_by_role("button", name="Accept").click()
    press(page, page.locator(".invite").get_by_role("button", name="Undo"))
    expect(page.locator(".invite [role=status]")).to_have_count(0)
    assert where_focus_is(page) == f"invite-{message.pk}"
    page.keyboard.press("Tab")
    assert where_focus_is(page) == "guests"  # and the way goes on from there


def test_a_button_that_took_anothers_place_does_what_it_says_at_once(desk: Desk, page: Page) -> None:
    User.objects.update(undo_send_seconds=60)
    desk.open(page, desk.gets(receipt()))
    line = page.locator(".request-line")
    page.evaluate("htmx.config.defaultSettleDelay = 20_000")  # what follows comes before the region has settled
    press(page, line.get_by_role("button", name="Send"))
    expect(line).to_contain_text("A receipt is being sent")
    press(page, line.get_by_role("button", name="Undo"))
    expect(line).to_contain_text("asks for a receipt")
    assert Outgoing.objects.get().state == Outgoing.State.CANCELLED


def test_a_button_that_has_just_come_leaves_the_page_where_it_is(desk: Desk, page: Page) -> None:
    message = desk.gets(invitation())
    desk.open(page, message)
    page.evaluate("htmx.config.defaultSettleDelay = 20_000")  # what follows comes before the region has settled
    page.get_by_role("button", name="Accept").click()
    press(page, page.locator(".invite").get_by_role("button", name="Undo"))
    expect(page.locator(".invite [role=status]")).to_have_count(0)
    assert where_focus_is(page) == f"invite-{message.pk}"


def test_a_receipt_keeps_the_focus_on_its_line(desk: Desk, page: Page) -> None:
    User.objects.update(undo_send_seconds=60)  # it is not gone before it is taken back
    message = desk.gets(receipt())
    desk.open(page, message)
    line = page.locator(".request-line")
    press(page, line.get_by_role("button", name="Send"))
    expect(line).to_contain_text("A receipt is being sent")
    assert where_focus_is(page) == f"receipt-{message.pk}"
    page.keyboard.press("Tab")
    expect(line.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(line).to_contain_text("asks for a receipt")
    assert where_focus_is(page) == f"receipt-{message.pk}"


def test_a_line_that_goes_leaves_the_focus_on_its_message(desk: Desk, page: Page) -> None:
    message = desk.gets(receipt())
    desk.open(page, message)
    press(page, page.locator(".request-line").get_by_role("button", name="Ignore"))
    expect(page.locator(".request-line")).to_have_count(0)
    assert where_focus_is(page) == f"m-{message.pk}"


def test_leaving_a_list_keeps_the_focus_on_its_line(desk: Desk, page: Page) -> None:
    desk.live.stop("worker-images")
    message = from_a_list(desk)
    desk.open(page, message)
    line = page.locator(".request-line")
    press(page, line.get_by_role("button", name="Unsubscribe"))
    expect(line).to_contain_text("is being asked to send no more")
    assert where_focus_is(page) == f"out-{message.pk}"
    Unsubscription.objects.update(state=Unsubscription.State.ASKED)
    expect(line).to_contain_text("The list was asked on")
    assert where_focus_is(page) == f"out-{message.pk}"


def test_what_stands_open_stays_open_beside_an_answer(desk: Desk, page: Page) -> None:
    desk.open(page, desk.gets(invitation()))
    press(page, page.locator(".trust > summary"))
    press(page, page.locator(".invite [data-key=guests] > summary"))
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".invite [role=status]")).to_contain_text("You accepted")
    expect(page.locator(".trust-body")).to_be_visible()
    expect(page.locator(".invite [data-key=guests] li").first).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_note_is_typed_in_peace_and_sent_once(desk: Desk, open_page: OpenPage, width: int) -> None:
    page = open_page(width=width)
    message = desk.gets(invitation())
    desk.open(page, message)
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".message [hx-trigger='every 3s']")).to_have_count(1)
    press(page, page.locator(".invite [data-key=note] > summary"))
    note = page.get_by_label("Note for the organiser")
    note.focus()
    page.keyboard.type("See you")
    with page.expect_response(lambda response: f"/{message.thread_id}/" in response.url):
        pass  # the card asks again how its answer gets on
    expect(note).to_be_focused()
    page.keyboard.type(" there")
    expect(note).to_have_value("See you there")
    page.get_by_role("button", name="Maybe").click()
    expect(page.locator(".invite [role=status]")).to_contain_text("maybe")
    expect(note).to_have_value("")
    newest = Outgoing.objects.latest("pk")
    assert b"COMMENT:See you there" in storage.read(desk.account.pk, newest.digest)


def test_images_for_a_sender_keep_the_focus_on_their_bar(desk: Desk, page: Page) -> None:
    placement = newsletter(desk.inbox, "https://img.pier4.test/head.png", results=VOUCHED, flags=factories.SEEN)
    desk.open(page, placement.message)
    press(page, page.get_by_role("button", name="Always show from"))
    expect(page.get_by_role("button", name="Stop showing")).to_be_visible()
    assert where_focus_is(page) == f"remote-{placement.message_id}"
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop showing")).to_be_focused()


# --- what asks again by itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["receipt", "answer"])
def test_a_card_asks_no_more_once_its_message_was_sent(desk: Desk, page: Page, what: str) -> None:
    """Of what htmx set up for a line that asked again, nothing stays when the line does not say so any more."""
    message = desk.gets(receipt() if what == "receipt" else invitation())
    page.clock.install()
    desk.open(page, message)
    page.get_by_role("button", name="Send" if what == "receipt" else "Accept", exact=True).click()
    waiting = page.locator(".message [hx-trigger='every 3s']")
    expect(waiting).to_have_count(1)
    Outgoing.objects.update(state="sent")
    MessageAnswer.objects.update(at=timezone.now() - timedelta(minutes=1))
    expect(waiting).to_have_count(0)
    page.evaluate(COUNT_REQUESTS)
    page.clock.fast_forward(10_000)
    assert page.evaluate("window.asked") == 0
    assert page.locator(".conversation-subject").count() == 1
    assert page.locator(".request-line").count() == 1


def test_every_control_of_a_card_is_known_by_a_name(desk: Desk, page: Page) -> None:
    """Without one, a page that is brought up to date could take one control for another."""
    desk.live.stop("worker-images")
    for message, name in ((desk.gets(receipt()), "Send"), (from_a_list(desk), "Unsubscribe")):
        desk.open(page, message)
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator(".request-line")).to_contain_text("being")
        assert nameless(page) == []
    desk.open(page, desk.gets(invitation()))
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert nameless(page) == []


def nameless(page: Page) -> list[str]:
    """The controls of cards that have no name of their own, as markup."""
    found = page.locator(":is(.request-line, .invite, .remote) :is(a, button, details):not([id], [data-key])")
    return [str(one.evaluate("node => node.outerHTML")) for one in found.all()]


# --- what came of an invitation since ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scripting", [True, False])
def test_a_page_that_is_out_of_date_says_so_instead_of_answering(
    desk: Desk, open_page: OpenPage, scripting: bool
) -> None:
    first = desk.gets(invitation())
    page = desk.open(open_page(scripting=scripting), first)
    later = [line for line in PLANNING if "DTSTART" not in line and "DTEND" not in line]
    newer = deliver(
        desk.inbox,
        invitation(*later, "SEQUENCE:1", "DTSTART;TZID=Europe/Oslo:20261129T100000", head=("Subject: Moved",)),
    )
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("was changed since").first).to_be_visible()
    expect(page.locator(".invite")).to_contain_text("The organiser changed this on")
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    if scripting:
        assert where_focus_is(page) == f"invite-{first.pk}"
    page.get_by_role("link", name="Open the newer invitation").click()
    expect(page.locator(f"#m-{newer.pk} .invite")).to_contain_text("29 November 2026")
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    assert not Outgoing.objects.exists()


# --- without scripting ------------------------------------------------------------------------------------------------


def test_everything_is_decided_without_scripting(desk: Desk, open_page: OpenPage) -> None:
    desk.live.stop("worker-images")
    page = desk.open(open_page(scripting=False), desk.gets(invitation()))
    page.locator(".invite-answer summary").click()
    page.get_by_label("Note for the organiser").fill("See you")
    page.get_by_role("button", name="Maybe").click()
    expect(page.locator(".invite")).to_contain_text("You answered “maybe”")
    page.locator(".invite").get_by_role("button", name="Undo").click()
    expect(page.locator(".invite [role=status]")).to_have_count(0)
    page = desk.open(page, desk.gets(receipt()))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".request-line")).to_contain_text("A receipt is being sent")
    page = desk.open(page, from_a_list(desk))
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.locator(".request-line")).to_contain_text("is being asked to send no more")
    Unsubscription.objects.update(state=Unsubscription.State.ASKED)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator(".request-line")).to_contain_text("The list was asked on")


def test_without_scripting_one_comes_back_to_the_same_message(desk: Desk, open_page: OpenPage) -> None:
    """In a conversation whose end is far below the window's."""
    page = open_page(scripting=False)
    page.set_viewport_size({"width": 1280, "height": 420})
    for number in range(3):
        desk.gets(mail(f"References: <start@studio.example>{' <x@y.test>' * number}"))
    asking = desk.gets(receipt("References: <start@studio.example>"))
    desk.open(page, asking)
    line = page.locator(f"#m-{asking.pk} .request-line")
    line.get_by_role("button", name="Send", exact=True).click()
    expect(line).to_contain_text("A receipt is being sent")
    expect(line).to_be_in_viewport()
    line.get_by_role("button", name="Undo").click()
    expect(line).to_contain_text("asks for a receipt")
    expect(line).to_be_in_viewport()


# --- how they look ----------------------------------------------------------------------------------------------------

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Noor van Dijk\r\nORG:Atelier Noor\r\nTITLE:Founder\r\n"
    "EMAIL:noor@studio.example\r\nTEL:+47 55 00 00 00\r\nADR:;;Quay 4;Bergen;;5003;Norway\r\nEND:VCARD\r\n"
)
LONG = "Planning " * 30


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_cards_fit(
    desk: Desk, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int, dark: bool
) -> None:
    desk.live.stop("worker-images")
    page = open_page(width=width, dark=dark)
    shade = "dark" if dark else "light"

    def shot(name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        axe(page)
        screenshot(page, f"card-{name}-{width}-{shade}")

    first = desk.gets(invitation())
    desk.open(page, first)
    shot("invitation-open")
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".invite [role=status]")).to_contain_text("You accepted")
    page.locator(".invite details > summary").first.click()
    shot("invitation-accepted")
    desk.gets(invitation(*PLANNING, "SEQUENCE:1", method="CANCEL"))
    desk.open(page, first)
    expect(page.locator(".invite.cancelled > .invite-body > .meta")).to_have_text("Cancelled")
    shot("invitation-cancelled")
    strange = [line for line in PLANNING if not line.startswith(("SUMMARY", "LOCATION", "ORGANIZER", "ATTENDEE;CN=M"))]
    strange += [f"SUMMARY:{LONG}", f"LOCATION:{'x' * 300}", "ORGANIZER;CN=Noor:mailto:noor@elsewhere.example"]
    desk.open(page, desk.gets(invitation(*strange)))
    expect(page.locator(".invite-note")).to_have_count(2)
    shot("invitation-strange")
    desk.open(page, desk.gets(receipt()))
    shot("receipt")
    desk.open(page, from_a_list(desk))
    shot("unsubscribe")
    desk.open(page, desk.gets(mail(more=f"text/vcard; charset=utf-8; name=noor.vcf\r\n\r\n{CARD}")))
    expect(page.locator(".contact-card")).to_be_visible()
    shot("contact")


HOSTILE = [
    "a" + "\u0300\u0489" * 1_900,
    "\u202e\u2067gnp.exe \u05d0\u05d1",
    "\ufdfd" * 300,
    "W" * 3_000,
    "\u3164" * 50 + "x",
]


@pytest.mark.parametrize("width", [1440, 390])
def test_no_text_of_a_stranger_leaves_its_card(desk: Desk, open_page: OpenPage, axe: CheckAxe, width: int) -> None:
    page = open_page(width=width)
    for text in HOSTILE:
        lines = [f"SUMMARY:{text}", f"LOCATION:{text}", f'ORGANIZER;CN="{text}":mailto:{"n" * 190}@x.test']
        lines += [
            f'ATTENDEE;CN="{text}":mailto:{"a" * 190}@x.test',
            "UID:1",
            "DTSTART;TZID=" + "Z" * 70 + ":20261128T100000",
        ]
        desk.open(page, desk.gets(invitation(*lines)))
        page.locator(".invite [data-key=guests] > summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        expect(page.get_by_role("button", name="Decline")).to_be_visible()
        said = [f"FN:{text}", f"ORG:{text}", f"EMAIL:{'e' * 280}", f"TEL:{text}", f"ADR:;;{text}"]
        person = "\r\n".join(["BEGIN:VCARD", *said, "END:VCARD", ""])
        desk.open(page, desk.gets(mail(more=f"text/vcard; charset=utf-8\r\n\r\n{person}")))
        expect(page.locator(".contact-card")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
    axe(page)
