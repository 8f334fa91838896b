"""Mail accounts through the pages: added, followed, changed, paused and removed."""

import threading
import time
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import Credential, MailAccount, MailServer
from accounts.services import credentials, provisioning
from tests import factories
from tests.app.conftest import Somebody
from webmail import failures
from webmail.models import Mailbox, Message, Outgoing
from webmail.protocols.errors import AuthenticationFailed
from webmail.sync import lease as leases

ADD = reverse("mail:account_add")
SECRET = "modem-noises-56k"
NEW = {"address": "alice@oldmail.example", "password": SECRET}
BY_HAND = NEW | {
    "protocol": "pop3",
    "incoming_host": "pop.oldmail.example",
    "outgoing_host": "smtp.oldmail.example",
    "outgoing_port": "587",
    "outgoing_security": "starttls",
    "pop_policy": "after",
    "pop_days": "30",
}


@pytest.fixture
def started() -> Any:
    """The jobs asked for, instead of a broker."""
    with patch("webmail.jobs.app.send_task") as send:
        yield send


def added(who: Somebody) -> MailAccount:
    return MailAccount.objects.exclude(pk=who.account.pk).get(user=who.user)


def test_an_address_and_a_password_are_enough(
    alice: Somebody, started: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = alice.client.post(ADD, NEW)
    account = added(alice)
    assert answer["Location"] == f"{reverse('mail:account', args=[account.pk])}?first=1"
    assert (account.protocol, account.state) == ("imap", "new")
    assert credentials.incoming(account) == ("alice@oldmail.example", SECRET)
    assert started.call_args.args[0] == "webmail.sync_account"


def test_servers_by_hand_with_their_usual_ports(alice: Somebody) -> None:
    alice.client.post(ADD, BY_HAND)
    account = added(alice)
    assert account.outgoing is not None
    assert (account.protocol, account.incoming.host, account.incoming.port) == ("pop3", "pop.oldmail.example", 995)
    assert (account.outgoing.port, account.outgoing.security) == (587, "starttls")
    assert (account.pop_policy, account.pop_days) == ("after", 30)
    assert not account.incoming.trusted


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"address": "nobody"}, "valid email address"),
        ({"password": ""}, "This field is required"),
        ({"incoming_host": "http://mail/x"}, "is not the name of a server"),
        ({"incoming_host": "mail.example\r\nX: y"}, "single line"),
        ({"incoming_port": "70000"}, "less than or equal to 65535"),
    ],
)
def test_what_is_wrong_is_said_and_no_password_printed(alice: Somebody, wrong: dict[str, str], words: str) -> None:
    answer = alice.client.post(ADD, BY_HAND | wrong)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert SECRET not in answer.content.decode()
    assert MailAccount.objects.filter(user=alice.user).count() == 1


def test_the_same_account_is_not_added_twice(alice: Somebody) -> None:
    answer = alice.client.post(ADD, {"address": alice.account.address.upper(), "password": SECRET})
    assert answer.status_code == 422
    assert "is there already" in answer.content.decode()


def test_nobody_names_a_server_trusted_or_an_owner(alice: Somebody, bob: Somebody) -> None:
    more = {"trusted": "on", "user": bob.user.pk, "organisation": "99", "state": "working", "ca_certificates": "x"}
    alice.client.post(ADD, BY_HAND | more)
    account = added(alice)
    assert (account.user, account.organisation, account.state) == (alice.user, alice.user.organisation, "new")
    assert not MailServer.objects.filter(host="pop.oldmail.example", trusted=True).exists()


def test_the_servers_that_were_found_are_shown(alice: Somebody) -> None:
    MailServer.objects.create(
        organisation=None,
        protocol="imap",
        host="mail.oldmail.example",
        port=993,
        domains=["oldmail.example"],
        trusted=True,
    )
    page = alice.client.get(reverse("mail:servers"), {"address": "alice@oldmail.example"}).content.decode()
    assert "mail.oldmail.example" in page
    assert "your administrator" in page
    assert alice.client.get(reverse("mail:servers"), {"address": "alice"}).content.strip() == b""


def test_a_new_account_leads_to_its_inbox_once_that_is_there(alice: Somebody) -> None:
    alice.client.post(ADD, NEW)
    account = added(alice)
    page = reverse("mail:account", args=[account.pk]) + "?first=1"
    assert "signing in" in alice.client.get(page).content.decode()
    inbox = factories.mailbox(account)
    place = reverse("mail:mailbox", args=[account.pk, inbox.pk])
    assert alice.client.get(page)["Location"] == place
    assert alice.client.get(page, headers={"HX-Request": "true"})["HX-Redirect"] == place


def test_a_refused_account_shows_the_servers_words_and_the_cure(alice: Somebody) -> None:
    line = "NO [AUTHENTICATIONFAILED] Invalid credentials"
    MailAccount.objects.filter(pk=alice.account.pk).update(state="refused", error_code="auth", server_line=line)
    page = alice.client.get(reverse("mail:settings")).content.decode()
    assert "Password refused" in page
    assert line in page
    assert reverse("mail:account_password", args=[alice.account.pk]) in page


def test_a_new_password_is_sealed_and_starts_afresh(alice: Somebody) -> None:
    credentials.store(alice.account, password="old", outgoing_password="for sending", outgoing_username="alice-out")
    MailAccount.objects.filter(pk=alice.account.pk).update(state="refused", error_code="auth", refused_logins=3)
    answer = alice.client.post(reverse("mail:account_password", args=[alice.account.pk]), {"password": SECRET})
    assert answer.status_code == 302
    account = MailAccount.objects.get(pk=alice.account.pk)
    assert (account.state, account.error_code, account.refused_logins) == ("working", "", 0)
    assert credentials.incoming(account)[1] == SECRET
    assert credentials.outgoing(account) == ("alice-out", "for sending"), "sending keeps a password of its own"
    assert SECRET not in Credential.objects.get(account=account).sealed


def details(account: MailAccount, **more: str) -> dict[str, Any]:
    assert account.outgoing is not None
    return {
        "part": "details",
        "label": "Studio",
        "username": account.username,
        "incoming_host": account.incoming.host,
        "incoming_port": account.incoming.port,
        "incoming_security": account.incoming.security,
        "outgoing_host": account.outgoing.host,
        "outgoing_port": account.outgoing.port,
        "outgoing_security": account.outgoing.security,
    } | more


def test_details_change_without_a_password_as_long_as_the_servers_stay(alice: Somebody) -> None:
    page = reverse("mail:account", args=[alice.account.pk])
    assert alice.client.post(page, details(alice.account)).status_code == 302
    assert MailAccount.objects.get(pk=alice.account.pk).label == "Studio"


def test_a_stored_password_is_never_sent_to_another_server(alice: Somebody) -> None:
    page = reverse("mail:account", args=[alice.account.pk])
    moved = details(alice.account, incoming_host="imap.attacker.example")
    answer = alice.client.post(page, moved)
    assert answer.status_code == 422
    assert "type the account" in answer.content.decode()
    assert MailAccount.objects.get(pk=alice.account.pk).incoming.host == "mail.example"
    assert alice.client.post(page, moved | {"password": SECRET}).status_code == 302
    account = MailAccount.objects.get(pk=alice.account.pk)
    assert account.incoming.host == "imap.attacker.example"
    assert credentials.incoming(account)[1] == SECRET


def test_a_person_chooses_the_special_folders(alice: Somebody) -> None:
    other = factories.mailbox(alice.account, "", name="Papierkorb")
    answer = alice.client.post(
        reverse("mail:account", args=[alice.account.pk]),
        {"part": "folders", "trash": other.pk, "archive": alice.archive.pk},
    )
    assert answer.status_code == 302
    other.refresh_from_db()
    alice.trash.refresh_from_db()
    assert (other.role, other.role_source) == ("trash", Mailbox.RoleSource.PERSON)
    assert alice.trash.role == ""


def test_one_folder_serves_one_purpose(alice: Somebody) -> None:
    values = {"part": "folders", "trash": alice.archive.pk, "archive": alice.archive.pk}
    assert alice.client.post(reverse("mail:account", args=[alice.account.pk]), values).status_code == 422


@pytest.mark.parametrize(
    ("action", "before", "after"), [("pause", "working", "paused"), ("resume", "paused", "working")]
)
def test_pausing_and_resuming(alice: Somebody, action: str, before: str, after: str) -> None:
    MailAccount.objects.filter(pk=alice.account.pk).update(state=before)
    alice.client.post(reverse("mail:account_do", args=[alice.account.pk, action]))
    assert MailAccount.objects.get(pk=alice.account.pk).state == after


def pressed(who: Somebody, *actions: str) -> MailAccount:
    """The account after its owner pressed these buttons, and what the page said last."""
    for action in actions:
        who.client.post(reverse("mail:account_do", args=[who.account.pk, action]))
    return MailAccount.objects.get(pk=who.account.pk)


@pytest.mark.parametrize("actions", [["sync"], ["resync"], ["pause", "resume"]])
def test_a_server_that_asked_for_time_is_left_alone_whatever_is_pressed(alice: Somebody, actions: list[str]) -> None:
    until = timezone.now() + timedelta(minutes=20)
    columns = {"state": "throttled", "error_code": "throttled", "next_run_at": until, "failures": 1}
    MailAccount.objects.filter(pk=alice.account.pk).update(**columns)
    account = pressed(alice, *actions)
    assert (account.state, account.next_run_at) == ("throttled", until)
    assert "patience" in alice.client.get(reverse("mail:account", args=[account.pk])).content.decode()


@pytest.mark.parametrize("actions", [["sync"], ["resync"], ["pause", "resume"]])
def test_pressing_forgets_no_refusal_of_the_password(alice: Somebody, actions: list[str]) -> None:
    """Else somebody who presses often enough is locked out by the server."""
    columns = {"state": "failing", "error_code": "auth", "refused_logins": 2, "failures": 2}
    MailAccount.objects.filter(pk=alice.account.pk).update(**columns)
    account = pressed(alice, *actions)
    assert (account.state, account.refused_logins) == ("working", 2)
    assert account.next_run_at <= timezone.now()
    verdict = failures.note(account, AuthenticationFailed("no"))
    assert verdict.state == "refused"
    account = pressed(alice, "sync")  # having looked into it, its owner has it tried once
    assert (account.state, account.refused_logins) == ("working", 2)


def test_a_refusal_of_the_old_password_says_nothing_of_the_new_one(alice: Somebody) -> None:
    credentials.store(alice.account, password="old")
    under_way = MailAccount.objects.select_related("credential").get(pk=alice.account.pk)
    provisioning.update_password(alice.account, "new")
    failures.note(under_way, AuthenticationFailed("no"))
    account = MailAccount.objects.get(pk=alice.account.pk)
    assert account.state in ("new", "working")
    assert (account.error_code, account.refused_logins) == ("", 0)
    assert account.next_run_at <= timezone.now()


@pytest.mark.parametrize("action", ["sync", "pause", "resume"])
def test_what_an_administrator_suspended_stays_so(alice: Somebody, action: str) -> None:
    MailAccount.objects.filter(pk=alice.account.pk).update(state="suspended")
    alice.client.post(reverse("mail:account_do", args=[alice.account.pk, action]))
    assert MailAccount.objects.get(pk=alice.account.pk).state == "suspended"


def test_removing_asks_first_and_then_forgets(alice: Somebody, bob: Somebody) -> None:
    page = reverse("mail:account_remove", args=[alice.account.pk])
    assert "Nothing on the mail server is deleted" in alice.client.get(page).content.decode()
    assert MailAccount.objects.filter(pk=alice.account.pk).exists()
    alice.client.post(page)
    assert not MailAccount.objects.filter(user=alice.user).exists()
    assert not Message.objects.filter(account=alice.account.pk).exists()
    assert not Outgoing.objects.filter(user=alice.user).exists()
    assert Message.objects.filter(account=bob.account).exists()


@pytest.mark.django_db(transaction=True)
def test_removing_waits_for_a_sync_that_is_writing(alice: Somebody) -> None:
    lease = leases.take(alice.account.pk)
    assert lease is not None
    writing, removing = threading.Event(), threading.Event()

    def sync() -> None:
        try:
            with leases.guarded(lease):
                writing.set()
                removing.wait(10)
                factories.message(alice.inbox, subject="Arrives while its account goes")
        finally:
            connection.close()

    worker = threading.Thread(target=sync)
    worker.start()
    writing.wait(10)
    threading.Thread(target=_when_somebody_waits, args=(removing,)).start()
    alice.client.post(reverse("mail:account_remove", args=[alice.account.pk]))
    worker.join(10)
    assert not Message.objects.filter(account=alice.account.pk).exists()
    with pytest.raises(leases.LeaseLost), leases.guarded(lease):
        pass


def _when_somebody_waits(event: threading.Event) -> None:
    """Sets the event once a query of this database waits for a lock."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        with connection.cursor() as cursor:
            for _ in range(200):
                cursor.execute(waits)
                if cursor.fetchone():
                    break
                time.sleep(0.02)
    finally:
        event.set()
        connection.close()


def test_accounts_of_others_do_not_exist(alice: Somebody, bob: Somebody) -> None:
    for name in ("account", "account_password", "account_remove"):
        address = reverse(f"mail:{name}", args=[bob.account.pk])
        assert alice.client.get(address).status_code == 404
        assert alice.client.post(address, {"password": SECRET}).status_code == 404
    for action in ("sync", "pause", "resume"):
        assert alice.client.post(reverse("mail:account_do", args=[bob.account.pk, action])).status_code == 404
    assert bob.account.address not in alice.client.get(reverse("mail:settings")).content.decode()


def test_the_overview_costs_the_same_however_many_accounts(alice: Somebody, django_assert_max_num_queries: Any) -> None:
    for number in range(4):
        MailAccount.objects.create(
            user=alice.user,
            organisation=alice.user.organisation,
            protocol="imap",
            address=f"a{number}@mail.example",
            username="a",
            incoming=alice.account.incoming,
        )
    with django_assert_max_num_queries(9):
        alice.client.get(reverse("mail:settings"))


def test_hidden_all_mail_is_said_in_words_with_the_cure(alice: Somebody) -> None:
    page = reverse("mail:account", args=[alice.account.pk])
    assert b"Gmail hides All Mail" not in alice.client.get(page).content
    MailAccount.objects.filter(pk=alice.account.pk).update(settings_seen={"all_mail_hidden": True})
    shown = alice.client.get(page).content.decode()
    assert "Gmail hides All Mail from Mailroom" in shown
    assert "Show in IMAP" in shown
