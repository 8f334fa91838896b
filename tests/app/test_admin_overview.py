"""The overview's figures, counted from rows whose answer is known."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.admin import charts
from accounts.models import AuditEvent, MailAccount, Organisation
from accounts.queries import overview
from accounts.queries.account_words import lasting
from tests import factories
from tests.app.conftest import Somebody
from tests.app.test_admin_doors import keeper as keeper
from tests.app.test_admin_doors import panel as panel
from webmail.models import Outgoing

State = MailAccount.State


def accounts(*states: str) -> list[MailAccount]:
    return [factories.account(factories.user(f"P{n}"), state=state) for n, state in enumerate(states)]


@pytest.mark.django_db
def test_accounts_are_counted_by_the_state_that_is_shown() -> None:
    accounts("working", "working", "refused", "unreachable")
    factories.account(factories.user("Zoe", "Elsewhere"), state="working")
    Organisation.objects.filter(name="Elsewhere").update(suspended_at=timezone.now())
    found = overview.figures()
    assert found.by_state == {"working": 2, "refused": 1, "unreachable": 1, "suspended": 1}
    assert (found.accounts, found.need_someone, found.organisations) == (5, 2, 2)


@pytest.mark.django_db
def test_lag_counts_synced_accounts_by_time_since_their_last_sync() -> None:
    ages = [10, 70, 70, 400, 7200]
    for account, age in zip(accounts(*["working"] * 5), ages, strict=True):
        MailAccount.objects.filter(pk=account.pk).update(last_sync_at=timezone.now() - timedelta(seconds=age))
    factories.account(factories.user("Resting"), state="paused")
    lag = overview.figures().lag
    assert lag is not None
    assert lag.buckets == (1, 2, 1, 0, 0, 1)
    assert 70 <= lag.half.total_seconds() < 100
    assert 5840 <= lag.most.total_seconds() < 5870  # four fifths of the way from 400 to 7200


@pytest.mark.django_db
def test_without_a_sync_there_is_no_lag() -> None:
    assert overview.figures().lag is None


@pytest.mark.django_db
def test_what_a_worker_has_taken_up_is_no_longer_in_the_queue() -> None:
    now = timezone.now()
    taken, waiting, lost = accounts("working", "working", "working")
    MailAccount.objects.filter(pk=taken.pk).update(
        next_run_at=now - timedelta(hours=1), lease_expires_at=now + timedelta(minutes=1)
    )
    MailAccount.objects.filter(pk=waiting.pk).update(next_run_at=now - timedelta(seconds=30))
    MailAccount.objects.filter(pk=lost.pk).update(  # its worker died, so it is due again
        next_run_at=now - timedelta(minutes=5), lease_expires_at=now - timedelta(minutes=3)
    )
    found = overview.figures()
    assert (found.due, found.running) == (2, 1)
    assert found.overdue is not None
    assert timedelta(minutes=5) <= found.overdue < timedelta(minutes=6)


@pytest.mark.django_db
def test_due_accounts_leave_out_those_at_rest() -> None:
    accounts("working", "refused", "suspended")
    MailAccount.objects.update(next_run_at=timezone.now() - timedelta(seconds=90))
    found = overview.figures()
    assert found.due == 1
    assert found.overdue is not None
    assert found.overdue >= timedelta(seconds=90)


def test_sends_and_failed_sign_ins_are_counted(alice: Somebody) -> None:
    old = timezone.now() - timedelta(days=2)
    for number, (state, sent_at) in enumerate(
        [("sent", timezone.now()), ("sent", old), ("queued", None), ("failed", None), ("unknown", None)]
    ):
        Outgoing.objects.create(
            user=alice.user,
            account=alice.account,
            message_id=f"{number}@x",
            envelope_from=alice.user.email,
            size=1,
            state=state,
            send_after=timezone.now(),
            sent_at=sent_at,
        )
    AuditEvent.objects.create(action="sign_in.failed", target="a@b.example")
    found = overview.figures()
    assert found.mail is not None
    assert (found.mail.sent, found.mail.waiting, found.mail.refused) == (1, 1, 2)
    assert found.mail.sent_by_hour[-1] == 1
    assert (found.mail.messages, found.failed_sign_ins) == (1, 1)


def test_the_table_is_longest_first_with_the_likeliest_mend(panel: Client) -> None:
    made = accounts("unreachable", "refused", "failing", "working")
    for hours, account in enumerate(made):
        MailAccount.objects.filter(pk=account.pk).update(state_since=timezone.now() - timedelta(hours=hours, minutes=1))
    MailAccount.objects.filter(state="failing").update(error_code="tls", server_line="certificate has expired <b>")
    page = panel.get("/admin/")
    lines = page.context["lines"]
    assert [line.account.state for line in lines] == ["failing", "refused", "unreachable"]
    assert [line.likeliest.name if line.likeliest else "server" for line in lines] == ["server", "ask", "sync"]
    assert lines[0].lasting == "2 h 1 min"
    assert "certificate has expired &lt;b&gt;" in page.content.decode()
    assert len(panel.get("/admin/?state=refused").context["lines"]) == 1
    assert "None of the accounts" in panel.get("/admin/?q=nowhere").content.decode()


def test_with_nothing_to_do_it_says_so(panel: Client) -> None:
    assert "Everything in place" in panel.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (15900, "4 h 25 min"), (90000, "1 d 1 h")],
)
def test_spans_in_words(seconds: int, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words


def test_a_strip_keeps_its_width_and_shows_the_few() -> None:
    parts = charts.strip([("working", 100_000), ("new", 0), ("refused", 1)], width=252)
    assert [part.name for part in parts] == ["working", "refused"]
    assert parts[1].width == 4
    assert parts[1].x + parts[1].width == pytest.approx(252)
    assert charts.strip([("working", 0)]) == []


def test_columns_stand_on_the_floor_and_the_tallest_reaches_the_top() -> None:
    bars = charts.columns([0, 5, 10], width=30, height=100, gap=0)
    assert [(bar.y, bar.y + bar.height) for bar in bars] == [(99, 100), (50, 100), (0, 100)]
