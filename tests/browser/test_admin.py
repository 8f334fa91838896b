"""The panel as operators use it: by mouse and by plain forms, at three widths, light and dark."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import AuditEvent, MailAccount, User
from tests import factories
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live

PASSWORD = "a long enough password"
TROUBLE = {
    "refused": ("auth", "NO [AUTHENTICATIONFAILED] Authentication failed for this mailbox, ask your provider"),
    "unreachable": ("unreachable", "connect mail.example:993: timed out"),
    "failing": ("tls", "TLS: certificate expired on 22 November"),
    "paused": ("", ""),
}


@pytest.fixture
def troubled(live: Live) -> list[MailAccount]:
    """Accounts in several states, none of them due for days."""
    User.objects.create_superuser("keeper@mailroom.example", PASSWORD, name="Ada Keeper")
    now = timezone.now()
    return [
        factories.account(
            factories.user(f"Owner{hours}"),
            state=state,
            error_code=code,
            server_line=line,
            state_since=now - timedelta(hours=hours, minutes=1),
            next_run_at=now + timedelta(days=3),
        )
        for hours, (state, (code, line)) in enumerate(TROUBLE.items(), start=1)
    ]


def sign_in(page: Page, live: Live, address: str = "keeper@mailroom.example") -> None:
    page.goto(f"{live.url}/signin/?next=/admin/")
    page.fill("[name=username]", address)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/signin/" not in url)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (1024, False), (390, False), (390, True)])
def test_pages_fit_and_axe_finds_nothing(
    live: Live,
    troubled: list[MailAccount],
    open_page: OpenPage,
    axe: CheckAxe,
    screenshot: Screenshot,
    width: int,
    dark: bool,
) -> None:
    page = open_page(width=width, dark=dark)
    sign_in(page, live)
    account = troubled[0]
    pages = {
        "overview": "/admin/",
        "accounts": "/admin/accounts/mailaccount/",
        "account": f"/admin/accounts/mailaccount/{account.pk}/change/",
        "suspend": f"/admin/accounts/mailaccount/{account.pk}/act/suspend/",
        "server": f"/admin/accounts/mailserver/{account.incoming_id}/change/",
        "person": f"/admin/accounts/user/{account.user_id}/change/",
        "add-person": "/admin/accounts/user/add/",
        "trail": "/admin/accounts/auditevent/",
        "found": "/admin/find/?q=owner",
    }
    for name, address in pages.items():
        page.goto(live.url + address)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"
        assert page.evaluate("(m => m.scrollWidth <= m.clientWidth)(document.querySelector('main'))"), name
        screenshot(page, f"admin-{name}-{width}{'-dark' if dark else ''}")


def test_the_longest_trouble_comes_first_and_its_button_mends_it(
    live: Live, troubled: list[MailAccount], page: Page
) -> None:
    sign_in(page, live)
    rows = page.locator(".table tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("3 h 1 min")
    expect(rows.nth(0).get_by_role("link", name="See server")).to_be_visible()
    rows.nth(1).get_by_role("button", name="Sync now").first.click()
    expect(page.get_by_role("status")).to_contain_text("is being synced")
    assert AuditEvent.objects.filter(action="account.sync_now", target=troubled[1].address).count() == 1


@pytest.mark.parametrize("scripting", [True, False])
def test_suspend_asks_and_resume_brings_back(
    live: Live, troubled: list[MailAccount], open_page: OpenPage, scripting: bool
) -> None:
    page = open_page(scripting=scripting)
    sign_in(page, live)
    page.get_by_role("link", name=troubled[0].address).click()
    page.get_by_role("button", name="Suspend").click()
    assert MailAccount.objects.get(pk=troubled[0].pk).state == "refused", "the question alone does nothing"
    page.get_by_role("button", name="Suspend").click()
    expect(page.locator(".pill").first).to_have_text("Suspended")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("is resumed")
    page.get_by_role("link", name="Audit trail").last.click()
    expect(page.locator(".table tbody tr")).to_have_count(2)


def test_a_reset_password_lets_the_person_in(live: Live, troubled: list[MailAccount], open_page: OpenPage) -> None:
    keeper, person = open_page(), open_page()
    sign_in(keeper, live)
    keeper.goto(f"{live.url}/admin/accounts/user/{troubled[0].user_id}/change/")
    keeper.get_by_role("link", name="Reset password").click()
    keeper.get_by_role("button", name="Reset password").click()
    password = keeper.locator("#password").inner_text()
    person.goto(f"{live.url}/signin/")
    person.fill("[name=username]", troubled[0].user.email)
    person.fill("[name=password]", password)
    person.get_by_role("button", name="Sign in").click()
    person.wait_for_url(lambda url: "/signin/" not in url)


@pytest.mark.allow_console("404")
def test_a_person_who_signed_in_finds_no_panel(live: Live, troubled: list[MailAccount], page: Page) -> None:
    page.goto(f"{live.url}/signin/")
    page.fill("[name=username]", troubled[0].user.email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/signin/" not in url)
    reply = page.goto(f"{live.url}/admin/")
    assert reply is not None
    assert reply.status == 404
