"""Servers that refuse to show one message, or a whole mailbox: everything else is followed as if nothing were."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import MailAccount
from tests.servers.sync_rig import account_on, check, here, message, other_client, sync
from tests.support.clock import Clock
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, call, replace, without
from webmail.models import Mailbox, Placement
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)
FEW = ("QRESYNC", "CONDSTORE", "ESEARCH")
DONE = rb"\A\S+ OK [^\r]*Fetch completed"


class Refusals:
    """Answers NO to commands, from ``begin`` to the end of the command under way or to ``end``."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.on, self.proxy, self.count = False, proxy, 0

    def begin(self) -> None:
        self.on = True

    def end(self) -> None:
        self.on = False

    def answer(self, done: bytes, *, once: bool) -> bytes:
        if not self.on:
            return done
        self.on = not once
        self.count += 1
        return done.split(b" ", 1)[0] + b" NO [UNAVAILABLE] UID FETCH Server error - Please try again later\r\n"


def refuse_message(proxy: FaultProxy, uid: int) -> Refusals:
    """Every command that asks for this message's header is refused once the others it names were shown."""
    made = Refusals(proxy)

    def swallow(row: bytes) -> bytes:
        made.begin()
        return b""

    proxy.rule("to_client", rb"\A\* \d+ FETCH \(UID %d .*HEADER" % uid, replace(swallow), nth=None)
    proxy.rule("to_client", DONE, replace(lambda done: made.answer(done, once=True)), nth=None)
    return made


@pytest.mark.parametrize("lacking", [(), FEW], ids=["all", "few"])
@pytest.mark.parametrize("count", [20, 260], ids=["first page", "older mail"])
def test_a_message_that_the_server_refuses_to_show_costs_itself_only(
    dovecot: Dovecot, proxy: FaultProxy, clock: Clock, lacking: tuple[str, ...], count: int
) -> None:
    """Yahoo answers so for some messages, for ever."""
    proxy.rule("to_client", rb"CAPABILITY", without(*lacking, "-"), nth=None)
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(count)])
    refused = refuse_message(proxy, 7)
    sync(account)
    dovecot.deliver(account.address, message(900))
    sync(account)
    assert refused.count
    assert here(account)["INBOX"].keys() == set(range(1, count + 2)) - {7}
    marked = Placement.objects.filter(account=account, state=Placement.State.UNFETCHABLE)
    assert list(marked.values_list("uid", flat=True)) == [7]
    before = refused.count
    dovecot.deliver(account.address, message(901))
    sync(account)
    assert refused.count == before  # not asked for in every pass
    proxy.clear()
    clock.advance(hours=25)
    dovecot.deliver(account.address, message(902))
    sync(account)
    check(dovecot, account)


def refuse_mailbox(proxy: FaultProxy, name: bytes) -> Refusals:
    """In this mailbox nothing is ever shown."""
    made = Refusals(proxy)
    inside = rb'(?:SELECT|EXAMINE) "?'
    proxy.rule("to_server", inside + name, call(made.begin), nth=None)
    proxy.rule("to_server", inside, call(made.end), nth=None)
    proxy.rule("to_client", rb"\A\* \d+ FETCH ", replace(lambda row: b"" if made.on else row), nth=None)
    proxy.rule("to_client", DONE, replace(lambda done: made.answer(done, once=False)), nth=None)
    return made


@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_a_mailbox_that_cannot_be_read_keeps_no_other_from_being_followed(
    dovecot: Dovecot, proxy: FaultProxy, known: bool
) -> None:
    proxy.rule("to_client", rb"CAPABILITY", without(*FEW, "-"), nth=None)
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(3)])
    with other_client(dovecot, account.address) as client:
        for number, name in enumerate(("Broken", "Other")):
            client.create(name)
            for one in range(3):
                client.append(name, None, None, message(100 + 10 * number + one))
    if known:
        sync(account)
    refused = refuse_mailbox(proxy, b"Broken")
    with other_client(dovecot, account.address) as client:
        for name in ("Broken", "Other", "INBOX"):
            client.append(name, None, None, message(200 + len(name)))
    for _ in range(3):
        result = sync_account(account.pk)
        while result.older or result.again:
            result = sync_account(account.pk, older=result.older)
    assert refused.count
    assert refused.count < 100
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("working", "")
    assert (len(here(account)["INBOX"]), len(here(account)["Other"])) == (4, 4)
    broken = Mailbox.objects.get(account=account, name="Broken")
    assert broken.failures
    client_ = Client()
    client_.force_login(account.user)
    page = client_.get(reverse("mail:account", args=[account.pk])).content.decode()
    assert "Could not be read" in page
    assert "Please try again later" in page
    proxy.clear()
    sync(account)
    check(dovecot, account)
    broken.refresh_from_db()
    assert (broken.failures, broken.server_line) == (0, "")
    assert MailAccount.objects.get(pk=account.pk).state == "working"


def test_an_account_whose_inbox_cannot_be_opened_is_not_up_to_date(dovecot: Dovecot, proxy: FaultProxy) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(1)])
    sync(account)
    dovecot.deliver(account.address, message(2))
    with other_client(dovecot, account.address) as client:
        client.create("Other")
        client.append("Other", None, None, message(100))
    opened = rb"\A\S+ OK [^\r]*(?:Select|Examine) completed"
    no = replace(lambda done: done.split(b" ", 1)[0] + b" NO [INUSE] being rebuilt\r\n")
    proxy.rule("to_client", opened, no, nth=None)
    proxy.rule("to_server", rb'(?:SELECT|EXAMINE) "?Other', call(proxy.clear))
    sync_account(account.pk)
    account.refresh_from_db()
    assert (account.state, account.error_code) == ("failing", "refused")
    assert "being rebuilt" in account.server_line
    assert len(here(account)["Other"]) == 1
    MailAccount.objects.filter(pk=account.pk).update(next_run_at="2024-01-01T00:00Z")
    sync(account)
    check(dovecot, account)


def test_older_mail_of_a_mailbox_that_cannot_be_opened_is_not_asked_for_again_and_again(
    dovecot: Dovecot, proxy: FaultProxy
) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(260)])
    assert sync_account(account.pk).older
    proxy.rule(
        "to_client",
        rb"\A\S+ OK [^\r]*(?:Select|Examine) completed",
        replace(lambda done: done.split(b" ", 1)[0] + b" NO [INUSE] being rebuilt\r\n"),
        nth=None,
    )
    assert not sync_account(account.pk, older=True).older  # else a worker would do nothing but this
    proxy.clear()
    sync(account)
    check(dovecot, account)
