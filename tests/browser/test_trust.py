"""The line about a sender: nothing while all is well, its evidence one click away, and the address never cut short."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import MailServer
from tests import factories
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live
from webmail.models import Correspondent, Mailbox, MessageBody

from .test_compose import sign_in

IMITATION = "harbour1ane.example"


def results(domain: str, outcome: str = "pass") -> dict[str, Any]:
    told = f"mx.receiver.example; spf={outcome} smtp.mailfrom={domain}; dmarc={outcome} (p=reject) header.from={domain}"
    return {"authentication_results": [told]}


@pytest.fixture
def inbox(live: Live) -> Mailbox:
    user = factories.user("Maren")
    box = factories.mailbox(factories.account(user, state="paused"))
    MailServer.objects.update(authentication_names=["mx.receiver.example"])
    return box


def imitation(box: Mailbox) -> str:
    sender = ("Harbour Lane Helpdesk", f"helpdesk@{IMITATION}")
    people = {"from": [list(sender)], "reply_to": [["", "desk@freepost.example"]], "to": [["", box.account.address]]}
    placed = factories.message(
        box,
        subject="Your mailbox is nearly full",
        sender=sender,
        html="<p>Dear Maren,</p><p>Mail that came in since Friday is held back and will be deleted tonight.</p>",
        people=people,
        extra=results(IMITATION),
    )
    links = [["mail.harbourlane.example", IMITATION], ["", "xn--pple-43d.example"]]
    MessageBody.objects.filter(message=placed.message_id).update(suspect_links=links)
    return f"/mail/{box.account_id}/{box.pk}/{placed.thread_id}/"


@pytest.mark.parametrize("width", [1440, 1024, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_an_imitation_of_the_own_domain(
    live: Live, inbox: Mailbox, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot, width: int, dark: bool
) -> None:
    address = imitation(inbox)
    page = open_page(width=width, dark=dark)
    sign_in(page, inbox.account.user, live)
    page.goto(live.url + address)
    panel = page.locator(".trust.danger")
    expect(panel).to_contain_text("looks like your own")
    expect(page.locator(".message .seal")).to_have_count(0)
    shade = "dark" if dark else "light"
    screenshot(page, f"trust-closed-{width}-{shade}")
    summary = panel.locator("summary")
    summary.focus()
    summary.press("Enter")
    expect(panel.get_by_role("cell", name="mail.harbourlane.example")).to_be_visible()
    expect(panel.get_by_text("pass (harbour1ane.example)").first).to_be_visible()
    screenshot(page, f"trust-open-{width}-{shade}")
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


# labels of host names of which a part stands on another line than the rest
TORN = """() => [...document.querySelectorAll(".trust-links bdi")].flatMap((bdi) => {
  const nodes = [...bdi.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  return nodes.flatMap((node) => [...node.data.matchAll(/[^.-]+/g)].filter((label) => {
    const range = document.createRange();
    range.setStart(node, label.index);
    range.setEnd(node, label.index + label[0].length);
    return range.getClientRects().length > 1;
  }).map((label) => label[0]));
})"""
HOSTS = [
    ["mail.harbourlane.example", "harbourlane.example.accounts-verification.northern-lights-hosting.example"],
    ["www.international-harbour-association.example", "click.newsletter-tracking.example"],
    ["", "xn--pple-43d.example"],
]


def test_s47_host_names_break_after_their_dots(
    live: Live, inbox: Mailbox, open_page: OpenPage, screenshot: Screenshot
) -> None:
    address = imitation(inbox)
    MessageBody.objects.update(suspect_links=HOSTS)
    page = open_page(width=390)
    sign_in(page, inbox.account.user, live)
    page.goto(live.url + address)
    page.locator(".trust > summary").click()
    expect(page.locator(".trust-links bdi").last).to_be_visible()
    screenshot(page, "trust-hosts-390")
    assert page.evaluate(TORN) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".trust-links bdi").all_inner_texts() == [host for pair in HOSTS for host in pair if host]


def test_the_evidence_needs_no_scripting(live: Live, inbox: Mailbox, open_page: OpenPage) -> None:
    address = imitation(inbox)
    page = open_page(scripting=False)
    sign_in(page, inbox.account.user, live)
    page.goto(live.url + address)
    page.locator(".trust.danger > summary").click()
    expect(page.locator(".trust.danger").get_by_role("cell", name=IMITATION, exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_sender_whose_domain_vouches_has_a_mark_and_no_line(
    live: Live, inbox: Mailbox, open_page: OpenPage, screenshot: Screenshot, width: int
) -> None:
    placed = factories.message(inbox, text="Both panels are in.", extra=results("pier4.example"))
    user = inbox.account.user
    Correspondent.objects.create(user=user, address="amara@pier4.example", search="", last_at=factories.NOON)
    page = open_page(width=width)
    sign_in(page, user, live)
    page.goto(f"{live.url}/mail/{inbox.account_id}/{inbox.pk}/{placed.thread_id}/")
    expect(page.locator(".message-head .seal")).to_be_visible()
    expect(page.locator(".trust")).to_have_count(0)
    page.locator(".recipients > summary").click()
    expect(page.locator(".recipients dl")).to_contain_text("This message does come from")
    screenshot(page, f"trust-verified-{width}")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_domain_of_a_sender_is_never_cut_off(live: Live, inbox: Mailbox, page: Page, width: int) -> None:
    """S45: however long the name and what stands before the @."""
    names = {
        "Bank, the real one, " * 12: "somebody-with-a-rather-long-name@evil.example",
        "Bank": "customer.service.bank.example" * 4 + "@mail.bank.example.evil.example",
        "": "no.name.but.an.address.of.some.length@evil.example",
    }
    sign_in(page, inbox.account.user, live)
    page.set_viewport_size({"width": width, "height": 800})
    for name, address in names.items():
        placed = factories.message(inbox, sender=(name, address), text="Hello")
        page.goto(f"{live.url}/mail/{inbox.account_id}/{inbox.pk}/{placed.thread_id}/")
        whole = page.locator(".sender-line, .from .address > span:last-child").locator("visible=true")
        expect(whole.first).to_contain_text("evil.example")
        for one in whole.all():
            assert one.evaluate(
                "box => box.scrollWidth <= box.clientWidth + 1 || getComputedStyle(box).display === 'inline'"
            )
            edge = one.evaluate(
                "box => [box.getBoundingClientRect().right, box.closest('.message').getBoundingClientRect().right]"
            )
            assert edge[0] <= edge[1]
