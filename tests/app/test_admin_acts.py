"""What administrators do: each act by POST alone, asked first where it takes something away, and on record."""

import re
from datetime import timedelta

import pytest
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, MailAccount, MailServer, Organisation, User
from accounts.services import administration, sync_state
from tests import factories
from tests.app.conftest import Somebody
from tests.app.test_admin_doors import keeper as keeper
from tests.app.test_admin_doors import panel as panel

State = MailAccount.State


def act(name: str, row: MailAccount | User | Organisation) -> str:
    return reverse(f"admin:accounts_{row._meta.model_name}_act", args=[row.pk, name])


def trail() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.exclude(action__startswith="sign_in").order_by("pk")
    return [(row.action, row.target, row.actor.email if row.actor else "") for row in rows]


def state_of(account: MailAccount) -> str:
    return MailAccount.objects.values_list("state", flat=True).get(pk=account.pk)


def test_suspend_stops_the_account_and_resume_brings_it_back(panel: Client, keeper: User, alice: Somebody) -> None:
    panel.post(act("suspend", alice.account), {"sure": "yes"})
    sync_state.succeed(alice.account.pk, next_run_at=timezone.now())
    assert state_of(alice.account) == State.SUSPENDED, "a pass that ends meanwhile does not lift it"
    later = timezone.now() + timedelta(hours=1)
    MailAccount.objects.update(next_run_at=later)
    sync_state.wake(alice.account.pk)
    assert MailAccount.objects.get().next_run_at == later, "nor does a wake-up make it due"
    panel.post(act("resume", alice.account))
    account = MailAccount.objects.get()
    assert account.state == State.WORKING
    assert account.next_run_at <= timezone.now()
    who = (alice.account.address, keeper.email)
    assert trail() == [("account.suspended", *who), ("account.resumed", *who)]


@pytest.mark.parametrize("name", ["suspend", "ask"])
def test_what_takes_something_away_asks_first(panel: Client, alice: Somebody, name: str) -> None:
    asked = panel.post(act(name, alice.account))
    assert b'name="sure"' in asked.content
    assert state_of(alice.account) == State.WORKING
    assert trail() == []


@pytest.mark.parametrize("name", ["sync", "suspend", "ask"])
def test_looking_at_an_act_does_not_carry_it_out(panel: Client, alice: Somebody, name: str) -> None:
    before = MailAccount.objects.values().get()
    assert panel.get(act(name, alice.account), {"sure": "yes"}).status_code == 200
    assert MailAccount.objects.values().get() == before
    assert trail() == []


def test_acts_need_the_csrf_token(keeper: User, alice: Somebody) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(keeper)
    for address in (act("sync", alice.account), reverse("admin:accounts_user_password", args=[alice.user.pk])):
        assert strict.post(address, {"sure": "yes"}).status_code == 403
    assert trail() == []


def test_unknown_acts_and_rows_are_not_found(panel: Client, alice: Somebody) -> None:
    assert panel.post(act("forget", alice.account)).status_code == 404
    assert panel.post(f"/admin/accounts/mailaccount/{alice.account.pk + 999}/act/sync/").status_code == 404
    assert panel.get(f"/admin/accounts/mailaccount/{10**30}/history/").status_code == 404


def test_sync_now_makes_the_account_due(panel: Client, alice: Somebody) -> None:
    MailAccount.objects.update(next_run_at=timezone.now() + timedelta(hours=1))
    reply = panel.post(act("sync", alice.account), {"next": "/admin/?state=failing"})
    assert reply.headers["Location"] == "/admin/?state=failing"
    assert MailAccount.objects.get().next_run_at <= timezone.now()
    assert trail()[0][0] == "account.sync_now"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/admin/", "//evil.example", "/", "javascript:alert(1)"])
def test_the_way_back_stays_in_the_panel(panel: Client, alice: Somebody, elsewhere: str) -> None:
    reply = panel.post(act("sync", alice.account), {"next": elsewhere})
    assert reply.headers["Location"] == reverse("admin:accounts_mailaccount_change", args=[alice.account.pk])


@pytest.mark.parametrize("state", [State.PAUSED, State.SUSPENDED, State.PASSWORD_REFUSED])
def test_sync_now_says_when_it_cannot(panel: Client, alice: Somebody, state: str) -> None:
    MailAccount.objects.update(state=state)
    reply = panel.post(act("sync", alice.account), follow=True)
    assert b"cannot be synced as it stands" in reply.content
    assert trail() == []


def test_asking_for_a_password_stops_trying_the_old_one(panel: Client, alice: Somebody) -> None:
    panel.post(act("ask", alice.account), {"sure": "yes"})
    account = MailAccount.objects.get()
    assert (account.state, account.error_code) == (State.PASSWORD_REFUSED, "auth")
    assert account.stopped
    assert trail()[0][0] == "account.password_asked"


def test_asking_again_keeps_what_the_server_said_and_since_when(panel: Client, alice: Somebody) -> None:
    since = timezone.now() - timedelta(hours=4)
    MailAccount.objects.update(state=State.PASSWORD_REFUSED, state_since=since, server_line="NO [AUTHENTICATIONFAILED]")
    panel.post(act("ask", alice.account), {"sure": "yes"})
    account = MailAccount.objects.get()
    assert (account.state_since, account.server_line) == (since, "NO [AUTHENTICATIONFAILED]")
    page = panel.get("/admin/").content.decode()
    assert "Try again" in page, "the overview offers the next step once the owner was asked"


def test_try_again_starts_afresh_and_leaves_a_paused_account_alone(keeper: User, alice: Somebody) -> None:
    MailAccount.objects.update(state=State.PASSWORD_REFUSED, refused_logins=3, error_code="auth")
    assert administration.try_again(keeper, alice.account.pk)
    account = MailAccount.objects.get()
    assert (account.state, account.refused_logins, account.error_code) == (State.WORKING, 0, "")
    MailAccount.objects.update(state=State.PAUSED)
    assert not administration.try_again(keeper, alice.account.pk)
    assert not administration.ask_for_password(keeper, alice.account.pk)
    assert state_of(alice.account) == State.PAUSED


def test_a_list_action_asks_once_and_acts_on_the_chosen(panel: Client, alice: Somebody, bob: Somebody) -> None:
    address = reverse("admin:accounts_mailaccount_changelist")
    form = {"action": "suspend", "index": "0", "_selected_action": [alice.account.pk]}
    asked = panel.post(address, form)
    assert alice.account.address in asked.content.decode()
    assert state_of(alice.account) == State.WORKING
    panel.post(address, form | {"sure": "yes"})
    assert (state_of(alice.account), state_of(bob.account)) == (State.SUSPENDED, State.WORKING)


def test_a_suspended_organisation_is_signed_out_and_rests(panel: Client, alice: Somebody, charlie: Somebody) -> None:
    home = alice.user.organisation
    panel.post(act("suspend", home), {"sure": "yes"})
    assert alice.client.get("/settings/").status_code == 302, "its people are at the sign-in page"
    assert charlie.client.get("/settings/").status_code == 200
    assert not administration.sync_now(User.objects.get(is_superuser=True), alice.account.pk)
    panel.post(act("resume", home))
    assert alice.client.get("/settings/").status_code == 200
    assert [line[0] for line in trail()] == ["organisation.suspended", "organisation.resumed"]


def test_an_administrator_cannot_lock_themselves_out(panel: Client, keeper: User) -> None:
    panel.post(act("deactivate", keeper), {"sure": "yes"})
    panel.post(act("suspend", keeper.organisation), {"sure": "yes"})
    panel.post(reverse("admin:accounts_user_password", args=[keeper.pk]))
    assert panel.get("/admin/").status_code == 200
    assert trail() == []


def test_deactivating_ends_sessions_and_can_be_taken_back(panel: Client, alice: Somebody) -> None:
    panel.post(act("deactivate", alice.user), {"sure": "yes"})
    assert alice.client.get("/settings/").status_code == 302
    panel.post(act("reactivate", alice.user))
    assert Client().login(username=alice.user.email, password="a long enough password")
    assert [line[0] for line in trail()] == ["person.deactivated", "person.reactivated"]


def shown_password(content: bytes) -> str:
    found = re.search(r'<code id="password">([^<]+)</code>', content.decode())
    assert found is not None
    return found[1]


def test_a_reset_password_is_shown_once_signs_in_and_must_be_changed(panel: Client, alice: Somebody) -> None:
    address = reverse("admin:accounts_user_password", args=[alice.user.pk])
    assert b'id="password"' not in panel.get(address).content
    reply = panel.post(address)
    password = shown_password(reply.content)
    assert "no-store" in reply.headers["Cache-Control"]
    assert alice.client.get("/settings/").status_code == 302, "the old session is over"
    entered = Client().post("/signin/", {"username": alice.user.email, "password": password})
    assert entered.status_code == 302
    assert User.objects.get(pk=alice.user.pk).must_change_password
    for page in ("/admin/", reverse("admin:accounts_user_change", args=[alice.user.pk])):
        assert password not in panel.get(page).content.decode()
    assert not AuditEvent.objects.filter(detail__contains=password).exists()
    assert trail()[0][:2] == ("person.password_reset", alice.user.email)


def test_a_new_person_gets_a_password_that_works(panel: Client, keeper: User) -> None:
    form = {"email": "New@HarbourLane.example", "name": "Nia", "organisation": keeper.organisation_id, "is_staff": "on"}
    password = shown_password(panel.post(reverse("admin:accounts_user_add"), form).content)
    assert Client().login(username="new@harbourlane.example", password=password)
    made = User.objects.get(email="new@harbourlane.example")
    assert (made.is_staff, made.must_change_password) == (False, True)
    again = panel.post(reverse("admin:accounts_user_add"), form)
    assert again.status_code == 422
    assert b"already" in again.content


def test_servers_are_checked_saved_and_tried_again(panel: Client, alice: Somebody) -> None:
    server = alice.account.incoming
    address = reverse("admin:accounts_mailserver_change", args=[server.pk])
    MailAccount.objects.update(state=State.UNREACHABLE, next_run_at=timezone.now() + timedelta(hours=1))
    form = {"organisation": server.organisation_id, "protocol": "imap", "host": "IMAP.Example.", "port": 993}
    form |= {"security": "tls", "domains": "B.example, a.example", "max_connections": 8}
    assert panel.post(address, form).status_code == 302
    server.refresh_from_db()
    assert (server.host, server.domains) == ("imap.example", ["a.example", "b.example"])
    assert MailAccount.objects.get().next_run_at <= timezone.now()
    assert trail()[0][0] == "server.changed"
    for wrong in ({"host": "imaps://imap.example/"}, {"host": "a b"}, {"port": 70000}, {"ca_certificates": "secret"}):
        assert panel.post(address, form | wrong).status_code == 200
    server.refresh_from_db()
    assert (server.host, server.port, server.ca_certificates) == ("imap.example", 993, "")


def test_services_that_check_senders_are_named_by_their_names(panel: Client, alice: Somebody) -> None:
    server = alice.account.incoming
    address = reverse("admin:accounts_mailserver_change", args=[server.pk])
    form = {"organisation": server.organisation_id, "protocol": "imap", "host": server.host, "port": 993}
    form |= {"security": "tls", "max_connections": 8, "authentication_names": "MX.example., .example.org"}
    assert panel.post(address, form).status_code == 302
    server.refresh_from_db()
    assert server.believed == {"mx.example", ".example.org"}
    for wrong in ("mx.example; dmarc=pass", ".org", "*", "a b"):
        assert panel.post(address, form | {"authentication_names": wrong}).status_code == 200, wrong
    assert panel.post(address, form | {"authentication_names": ""}).status_code == 302
    server.refresh_from_db()
    assert server.believed == frozenset()


def test_a_private_key_is_no_authority(panel: Client, alice: Somebody) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"
    address = reverse("admin:accounts_mailserver_add")
    form = {"protocol": "imap", "host": "imap.example", "port": 993, "security": "tls", "max_connections": 8}
    assert panel.post(address, form | {"trusted": "on", "ca_certificates": pem + key}).status_code == 200
    assert panel.post(address, form | {"ca_certificates": pem}).status_code == 200, "an authority needs trust"
    assert panel.post(address, form | {"trusted": "on", "ca_certificates": pem}).status_code == 302
    assert MailServer.objects.get(organisation=None).ca_certificates == pem.strip()


def test_a_server_in_use_is_not_removed(panel: Client, keeper: User, alice: Somebody) -> None:
    used = alice.account.incoming
    page = panel.get(reverse("admin:accounts_mailserver_delete", args=[used.pk])).content.decode()
    assert "move them elsewhere first" in page
    with pytest.raises(ProtectedError):
        administration.remove_server(keeper, used)
    free = factories.server("pop3", host="pop.example")
    panel.post(reverse("admin:accounts_mailserver_delete", args=[free.pk]), {"post": "yes"})
    assert not MailServer.objects.filter(pk=free.pk).exists()
    assert [line[0] for line in trail()] == ["server.removed"]


def test_changing_servers_is_bound_to_the_tenant_and_starts_afresh(
    panel: Client, alice: Somebody, charlie: Somebody
) -> None:
    shared = MailServer.objects.create(protocol="imap", host="new.example", port=993, trusted=True)
    MailAccount.objects.filter(pk=alice.account.pk).update(state=State.PASSWORD_REFUSED, settings_seen={"guesses": []})
    address = reverse("admin:accounts_mailaccount_change", args=[alice.account.pk])
    form = {"incoming": charlie.account.incoming_id, "outgoing": alice.account.outgoing_id}
    assert panel.post(address, form).status_code == 200, "another organisation's server is no choice"
    assert panel.post(address, form | {"incoming": shared.pk, "state": "paused"}).status_code == 302
    account = MailAccount.objects.get(pk=alice.account.pk)
    assert (account.incoming, account.state, account.settings_seen) == (shared, State.WORKING, {})
    assert trail()[0][0] == "account.servers_changed"


def test_sign_ins_are_on_record_without_what_was_typed(alice: Somebody) -> None:
    Client().post("/signin/", {"username": alice.user.email, "password": "mistyped-secret"})
    Client().post("/signin/", {"username": alice.user.email, "password": "a long enough password"})
    lines = AuditEvent.objects.order_by("pk")
    assert [line.action for line in lines] == ["sign_in.failed", "sign_in.accepted"]
    assert {(line.target, line.organisation) for line in lines} == {(alice.user.email, alice.user.organisation)}
    assert not any("mistyped" in f"{line.target}{line.detail}" for line in lines)
