"""What long words and narrow panes do to the page."""

from playwright.sync_api import Page, expect

from tests import factories
from tests.support.live import Live
from webmail.models import Flag

from .test_compose import sign_in


def test_long_name_stays_inside_the_reply_box(live: Live, page: Page) -> None:
    user = factories.user("Maren")
    box = factories.mailbox(factories.account(user, state="paused"))
    placement = factories.message(box, sender=("a" * 200, "a@b.example"), text="Hi")
    sign_in(page, user, live)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{live.url}/mail/{box.account_id}/{box.pk}/{placement.thread_id}/")
        expect(page.locator(".quick-reply")).to_be_visible()
        assert page.locator(".quick-reply").evaluate("box => box.scrollWidth - box.clientWidth") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_bar_offers_what_changes_the_chosen_conversations(live: Live, page: Page) -> None:
    user = factories.user("Maren")
    box = factories.mailbox(factories.account(user, state="paused"))
    factories.message(box, subject="Unread")
    factories.message(box, subject="Read", flags=int(Flag.SEEN))
    sign_in(page, user, live)
    page.goto(f"{live.url}/mail/{box.account_id}/{box.pk}/")
    bar = page.locator(".bulk")
    read, unread = (bar.get_by_role("button", name=f"Mark {word}", exact=True) for word in ("read", "unread"))
    page.get_by_label("Select Read").check(force=True)
    expect(unread).to_be_visible()
    expect(read).to_be_hidden()
    page.get_by_label("Select Unread").check(force=True)
    expect(read).to_be_visible()
    expect(unread).to_be_hidden()
