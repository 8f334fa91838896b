"""What is said of an account on its page and in the panel: where it stands, how fast it gets on, when it is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, MailAccount
from accounts.queries import account_words
from tests.app.conftest import Somebody
from tests.app.test_admin_doors import keeper as keeper
from tests.app.test_admin_doors import panel as panel
from webmail.models import Mailbox


def account(who: Somebody, **columns: Any) -> MailAccount:
    MailAccount.objects.filter(pk=who.account.pk).update(**columns)
    return MailAccount.objects.get(pk=who.account.pk)


def page(who: Somebody) -> str:
    words = who.client.get(reverse("mail:account", args=[who.account.pk])).content.decode()
    return " ".join(words.replace("&#x27;", "'").split())


FETCHING: dict[str, Any] = {"progress_done": 8231, "progress_total": 41902, "progress_rate": 16_800}


def test_a_first_fetch_says_how_far_how_fast_and_how_long(alice: Somebody) -> None:
    account(alice, **FETCHING, progress_at=timezone.now())
    found = page(alice)
    assert "Fetching 8,231 of 41,902 · 16,800 a minute · about 2 min left" in found
    assert "First fetch under way" in found
    assert "Fetching your mail" in found  # the rail does not say that everything is in place


def test_a_fetch_that_stands_still_promises_nothing(alice: Somebody) -> None:
    account(alice, **FETCHING, progress_at=timezone.now() - timedelta(minutes=5))
    assert "Fetching 8,231 of 41,902 · waiting for its turn" in page(alice)
    account(alice, state="throttled", error_code="throttled")
    found = page(alice)
    assert "Fetching" not in found
    assert "Everything in place" not in found
    assert "A server asks for patience" in found


def test_each_folder_says_where_it_stands(alice: Somebody) -> None:
    now = timezone.now()
    box = Mailbox.objects.filter(pk=alice.inbox.pk)
    box.update(phase="initial", exists_count=3000, total=1000, rate=1000, rate_at=now)
    assert "1,000 of 3,000 · 1,000 a minute · about 2 min left" in page(alice)
    account(alice, state="unreachable", error_code="unreachable", failures=1)
    found = page(alice)
    assert "Waits half-way" in found
    assert "about 2 min left" not in found
    account(alice, state="working", error_code="", failures=0)
    box.update(phase="live", last_sync_at=now, failures=3, server_line="[UNAVAILABLE] being <rebuilt>")
    found = page(alice)
    assert "Could not be read, 3 times in a row" in found
    assert "[UNAVAILABLE] being &lt;rebuilt&gt;" in found
    box.update(failures=0, server_line="", resync_asked_at=now, resync_low=900, resync_done=2000, exists_count=4000)
    found = page(alice)
    assert "Comparing with the server: 2,000 of 4,000 · 1,000 a minute · about 2 min left" in found
    assert "2,000 of 4,000 compared" in found
    account(alice, state="paused")
    assert "a minute" not in page(alice)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"next_why": "open"}, "every minute while a page is open"),
        ({"next_why": "active"}, "every few minutes on days with a visit"),
        ({"next_why": "idle"}, "twice an hour while nobody looks"),
        ({"state": "throttled", "error_code": "throttled", "failures": 1}, "the server asked for patience"),
        ({"state": "throttled", "error_code": "connections", "failures": 1}, "takes no more connections"),
        ({"state": "unreachable", "error_code": "lost", "failures": 4}, "4 tries in a row failed"),
        ({"state": "failing", "error_code": "auth", "refused_logins": 2}, "refused 2 times; after the third"),
    ],
)
def test_the_next_look_comes_with_its_reason(alice: Somebody, columns: dict[str, Any], words: str) -> None:
    account(alice, **columns, next_run_at=timezone.now() + timedelta(minutes=4, seconds=30))
    found = page(alice)
    assert words in found
    assert "in 4 min: " in found


def test_a_refused_password_stops_and_says_the_cure_everywhere(alice: Somebody) -> None:
    account(alice, state="refused", error_code="auth", refused_logins=3, server_line="NO [AUTHENTICATIONFAILED] no")
    cure = reverse("mail:account_password", args=[alice.account.pk])
    for address in (
        reverse("mail:account", args=[alice.account.pk]),
        reverse("mail:mailbox", args=[alice.account.pk, alice.inbox.pk]),
    ):
        found = alice.client.get(address).content.decode()
        assert cure in found
        assert "NO [AUTHENTICATIONFAILED] no" in found
        assert "A mail password is needed" in found
    assert "No more tries until a new password is entered" in page(alice)
    assert account_words.next_try(account(alice, state="paused")) == ""


def test_resync_is_asked_for_and_nothing_is_deleted(alice: Somebody, django_capture_on_commit_callbacks: Any) -> None:
    before = list(Mailbox.objects.order_by("pk").values_list("pk", "uidnext", "total"))
    answer = alice.client.post(reverse("mail:account_do", args=[alice.account.pk, "resync"]), {"here": ""})
    assert answer["Location"] == reverse("mail:account", args=[alice.account.pk])
    asked = account(alice)
    assert asked.resync_asked_at is not None
    assert asked.next_run_at <= timezone.now()
    assert list(Mailbox.objects.order_by("pk").values_list("pk", "uidnext", "total")) == before


def test_resync_of_a_folder_waits_for_an_account_that_may_connect(alice: Somebody) -> None:
    address = reverse("mail:resync", args=[alice.account.pk, alice.inbox.pk])
    account(alice, state="paused")
    alice.client.post(address)
    assert Mailbox.objects.filter(resync_asked_at__isnull=False).count() == 0
    account(alice, state="working")
    alice.client.post(address)
    assert list(Mailbox.objects.filter(resync_asked_at__isnull=False)) == [alice.inbox]


def test_an_operator_asks_for_it_too_and_it_is_in_the_trail(panel: Client, alice: Somebody) -> None:
    panel.post(f"/admin/accounts/mailaccount/{alice.account.pk}/act/resync/")
    assert account(alice).resync_asked_at is not None
    assert AuditEvent.objects.filter(action="account.resync", target=alice.account.address).count() == 1


def test_an_operator_reads_the_trouble_and_what_comes_next(panel: Client, alice: Somebody) -> None:
    line = "NO [ALERT] <too> many"
    later = timezone.now() + timedelta(minutes=9, seconds=30)
    account(alice, state="unreachable", error_code="lost", server_line=line, failures=4, next_run_at=later)
    row = f"/admin/accounts/mailaccount/{alice.account.pk}/"
    for address in ("/admin/", "/admin/accounts/mailaccount/", f"{row}change/"):
        found = panel.get(address).content.decode()
        assert "The connection to mail.example broke" in found
        assert "NO [ALERT] &lt;too&gt; many" in found
        for act in ("sync", "resync", "suspend"):
            assert f"{row}act/{act}/" in found or f'value="{act}"' in found
    assert "in 9 min: 4 tries in a row failed" in found


def test_a_page_costs_the_same_however_many_folders(alice: Somebody, django_assert_num_queries: Any) -> None:
    address = reverse("mail:account", args=[alice.account.pk])
    with django_assert_num_queries(7) as few:
        alice.client.get(address)
    for number in range(30):
        Mailbox.objects.create(
            account=alice.account, wire_name=f"f{number}".encode(), name=f"f{number}", resync_asked_at=timezone.now()
        )
    with django_assert_num_queries(len(few)):
        alice.client.get(address)


def test_of_a_paused_account_the_rail_does_not_say_that_all_is_in_place(alice: Somebody) -> None:
    account(alice, state="paused", last_sync_at=timezone.now())
    found = page(alice)
    assert "Everything in place" not in found
    assert "1 account is paused" in found
