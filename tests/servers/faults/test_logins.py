"""Servers that want fewer connections, fewer commands or another password: no hammering, and the pages go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Identity, MailAccount, MailServer
from accounts.services import provisioning, sync_state
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import check, imap_account, message, other_client, sync
from tests.stack import RUN_DIR
from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.submission import Submission
from webmail.delivery import draft_copy
from webmail.models import Draft, Mailbox, MailboxThread, MessageBody, Outgoing, Placement
from webmail.services import drafts, outbox
from webmail.sync import bodies, due, warm
from webmail.sync.account import sync_account
from webmail.tasks.send import file_copy_in_sent
from webmail.watch import accounts as watched

pytestmark = pytest.mark.django_db(transaction=True)

State = MailAccount.State
NEW_PASSWORD = "a different battery"


@pytest.fixture(scope="module")
def narrow_server(certificates: DemoCertificate) -> Iterator[Dovecot]:
    """A Dovecot that lets each person in once."""
    server = Dovecot(RUN_DIR / "narrow", certificates, settings="mail_max_userip_connections = 1\n")
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    """No connection of an earlier test is still warm, and none of this one stays so."""
    warm.sweep(older_than=0)
    yield
    warm.sweep(older_than=0)


def filled(dovecot: Dovecot, count: int = 3) -> MailAccount:
    account = imap_account(dovecot)
    dovecot.load_maildir(account.address, [message(n) for n in range(count)])
    return account


def not_here(account: MailAccount, count: int) -> list[int]:
    """Messages whose text has not been fetched."""
    rows = Placement.objects.filter(account=account, message__body=None)
    return list(rows.values_list("message_id", flat=True)[:count])


def pages_load(account: MailAccount) -> None:
    """The list and a conversation show what is here, and the account's page says what the matter is."""
    client = Client()
    client.force_login(account.user)
    inbox = Mailbox.objects.get(account=account, role="inbox")
    line = MailboxThread.objects.filter(mailbox=inbox).select_related("newest_message").latest("newest_at")
    listed = client.get(reverse("mail:mailbox", args=[account.pk, inbox.pk]))
    assert line.newest_message.subject in listed.content.decode()
    opened = client.get(reverse("mail:thread", args=[account.pk, inbox.pk, line.thread_id]))
    assert line.newest_message.subject in opened.content.decode()
    assert client.get(reverse("mail:account", args=[account.pk])).status_code == 200


def test_f26_a_server_that_lets_in_one_is_not_hammered(narrow_server: Dovecot) -> None:
    account = filled(narrow_server)
    sync(account)
    with other_client(narrow_server, account.address):
        waits = []
        for _ in range(3):
            MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
            sync_account(account.pk)
            account.refresh_from_db()
            assert (account.state, account.error_code) == (State.THROTTLED, "connections")
            assert "Maximum number of connections" in account.server_line
            waits.append((account.next_run_at - timezone.now()).total_seconds())
            assert due.claim_accounts() == []
        assert waits[0] > 15
        assert waits[2] > waits[0]
        sync_state.wake(account.pk)  # a click, or the watcher
        assert due.claim_accounts() == []
        assert account.pk not in watched.targets()
        pages_load(account)
    MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
    sync(account)
    check(narrow_server, account)


def test_f26_what_a_person_reads_keeps_its_connection_while_the_sync_waits(narrow_server: Dovecot) -> None:
    account = filled(narrow_server, count=70)  # more than a pass brings ahead
    sync(account)
    first, second = Placement.objects.filter(account=account, message__body=None).values_list("message_id", flat=True)[
        :2
    ]
    bodies.fetch_body(first)
    sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.connection_cap) == (State.WORKING, 1)  # the other connection is our own
    assert account.next_why == "busy"
    bodies.fetch_body(second)
    assert set(MessageBody.objects.filter(message__in=[first, second]).values_list("state", flat=True)) == {"here"}
    warm.sweep(older_than=0)
    MailAccount.objects.filter(pk=account.pk).update(next_run_at=timezone.now())
    sync(account)
    check(narrow_server, account)


def change_password_on_server(dovecot: Dovecot, address: str, password: str) -> None:
    """Dovecot's people live in a file each; the old one is answered from no cache once its date is another."""
    name = address.split("@", 1)[0]
    path = dovecot.home / "users" / name
    path.write_text(path.read_text().replace(dovecot.users[address], password))
    dovecot.users[address] = password
    dovecot.doveadm("reload")


def refused_logins(dovecot: Dovecot, address: str) -> int:
    """How often the server has turned this person away."""
    log = (dovecot.home / "dovecot.log").read_text(errors="replace")
    return sum("auth failed" in line and f"user=<{address}>" in line for line in log.splitlines())


def test_f27_a_changed_password_is_tried_three_times_by_whomever(dovecot: Dovecot, submission: Submission) -> None:
    account = filled(dovecot, count=70)
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    endpoint = submission.endpoint()
    account.outgoing = MailServer.objects.create(
        protocol="smtp", host="localhost", port=endpoint.port, trusted=True, ca_certificates=endpoint.ca_pem
    )
    account.save(update_fields=["outgoing"])
    sync(account)
    sent, draft = _something_to_file(account), _something_to_copy(account)
    unread = list(
        Placement.objects.filter(account=account, message__body=None).values_list("message_id", flat=True)[:3]
    )
    change_password_on_server(dovecot, account.address, NEW_PASSWORD)
    file_copy_in_sent(sent.pk)
    for _ in range(3):
        for message_id in unread:
            bodies.fetch_body(message_id)
        draft_copy.follow(draft.pk)
        file_copy_in_sent(sent.pk)
        sync_account(account.pk)
        MailAccount.objects.update(next_run_at=timezone.now())
        Outgoing.objects.update(filing_after=timezone.now())
    account.refresh_from_db()
    assert (account.state, account.error_code) == (State.PASSWORD_REFUSED, "auth")
    assert refused_logins(dovecot, account.address) == 3
    assert due.claim_accounts() == []
    assert account.pk not in watched.targets()
    pages_load(account)
    provisioning.update_password(account, NEW_PASSWORD)
    sync(account)
    draft_copy.follow(draft.pk)
    Outgoing.objects.update(filing_after=timezone.now())
    file_copy_in_sent(sent.pk)
    sync(account)
    assert refused_logins(dovecot, account.address) == 3
    assert Mailbox.objects.get(account=account, role="sent").total == 1
    change_password_on_server(dovecot, account.address, PASSWORD)  # with which the rig looks at both sides
    check(dovecot, account)


def _something_to_file(account: MailAccount) -> Outgoing:
    """A message that was sent and whose copy waits."""
    identity = account.identities.get()
    text = drafts.Fields(identity=identity, to="friend@elsewhere.test", subject="Proofs", html="<p>Here</p>")
    made = outbox.submit(drafts.save(account.user, text)[0])
    Outgoing.objects.filter(pk=made.pk).update(state="sent", sent_at=timezone.now(), filing_after=timezone.now())
    return made


def _something_to_copy(account: MailAccount) -> Draft:
    """A draft that has been left alone long enough."""
    draft = drafts.save(account.user, drafts.Fields(identity=account.identities.get(), html="<p>Dear</p>"))[0]
    Draft.objects.filter(pk=draft.pk).update(updated_at=timezone.now() - timedelta(minutes=1))
    return draft
