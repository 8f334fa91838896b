"""The account's page while its first sync runs, and what its buttons do, against everything running."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import MailAccount
from tests.servers.sync_rig import imap_account, message
from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.dovecot import Dovecot
from tests.support.live import Live
from webmail.models import Mailbox

PATIENCE = 60_000  # milliseconds, generous: speed is measured in tests/bench
MESSAGES = 9000
PASSWORD = "a long enough password"


@pytest.fixture
def account(live: Live, dovecot: Dovecot) -> MailAccount:
    """Nine thousand messages on the server, none here, and nothing due before somebody asks."""
    made = imap_account(dovecot)
    MailAccount.objects.filter(pk=made.pk).update(next_run_at=timezone.now() + timedelta(days=1))
    made.user.set_password(PASSWORD)
    made.user.save()
    dovecot.load_maildir(made.address, (message(number) for number in range(MESSAGES)))
    return made


def test_a_first_sync_is_followed_and_everything_compared_again(
    live: Live, account: MailAccount, open_page: OpenPage, axe: CheckAxe, screenshot: Screenshot
) -> None:
    page = open_page(width=1024)
    page.goto(f"{live.url}/signin/?next=/settings/account/{account.pk}/")
    page.fill("[name=username]", account.address)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    state = page.locator("#account-state")
    expect(state).to_contain_text("Not checked yet")
    page.get_by_role("button", name="Sync now").click()
    going = re.compile(rf"Fetching [\d,]+ of {MESSAGES:,} · [\d,]+ a minute · (about \d+ min|less than a minute) left")
    expect(state).to_contain_text(going, timeout=PATIENCE)
    expect(state).to_contain_text(re.compile(rf"First fetch under way · [\d,]+ of {MESSAGES:,}"))
    expect(page.locator("#nav")).to_contain_text("Fetching your mail")
    screenshot(page, "account-first-sync")
    inbox = state.locator("tr", has_text="Inbox")
    expect(inbox).to_contain_text("Up to date", timeout=PATIENCE)
    expect(inbox).to_contain_text(f"{MESSAGES:,}")
    expect(state).not_to_contain_text("Fetching", timeout=PATIENCE)
    expect(state).to_contain_text("every minute while a page is open", timeout=PATIENCE)
    axe(page)
    before = Mailbox.objects.get(account=account, role="inbox").resynced_at
    page.get_by_role("button", name="Resync from scratch").click()
    expect(state).to_contain_text("Comparing", timeout=PATIENCE)
    expect(state).not_to_contain_text("Comparing", timeout=PATIENCE)
    expect(inbox).to_contain_text("Up to date", timeout=PATIENCE)
    after = Mailbox.objects.get(account=account, role="inbox")
    assert before is not None
    assert after.resynced_at is not None
    assert after.resynced_at > before
    assert after.total == MESSAGES
    page.get_by_role("button", name="Stop").click()
    expect(state).to_contain_text("Paused by you")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
