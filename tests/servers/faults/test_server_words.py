"""Servers that ask for time, keep no keywords, or answer late: little is sent, and what a person sees stays steady."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import sync_state
from deploy.demo.tls import DemoCertificate
from tests.servers.sync_rig import account_on, check, lock, message, on_server, other_client, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import FaultProxy, call, fault_proxy, replace
from webmail.models import Flag, Mailbox, MessageBody, Placement, RemoteOp
from webmail.services import actions, targets
from webmail.services.ops import Spot
from webmail.sync import bodies, due, warm
from webmail.sync.account import sync_account

pytestmark = pytest.mark.django_db(transaction=True)

State = MailAccount.State


def filled(dovecot: Dovecot, proxy: FaultProxy, count: int = 3) -> MailAccount:
    account = account_on(proxy.endpoint, dovecot.add_user())
    dovecot.load_maildir(account.address, [message(n) for n in range(count)])
    sync(account)
    return account


def spots(account: MailAccount, *uids: int) -> list[Spot]:
    inbox = Mailbox.objects.get(account=account, role="inbox")
    return lock(targets.in_mailbox(account.user, inbox).filter(uid__in=uids))


def put_off(answer: bytes) -> bytes:
    """The same command is refused, in the words of Exchange."""
    tag = answer.split(b" ", 1)[0]
    return tag + b" NO Server Unavailable. 15 Suggested Backoff Time: 299910 Milliseconds\r\n"


def let_pass(account: MailAccount, *, seconds: float) -> None:
    """So much time goes by for this account."""
    MailAccount.objects.filter(pk=account.pk).update(next_run_at=F("next_run_at") - timedelta(seconds=seconds))


def test_f25_an_account_is_left_alone_for_as_long_as_its_server_asks(
    dovecot: Dovecot, proxy: FaultProxy, certificates: DemoCertificate
) -> None:
    account = filled(dovecot, proxy, count=70)
    unread = Placement.objects.filter(account=account, message__body=None).values_list("message_id", flat=True)[0]
    with fault_proxy(dovecot.imap_endpoint(), certificates) as elsewhere:
        other = filled(dovecot, elsewhere)
        proxy.rule("to_client", rb"\A\S+ OK [^\r]*List completed", replace(put_off))
        sync_account(account.pk)
        account.refresh_from_db()
        assert (account.state, account.error_code) == (State.THROTTLED, "throttled")
        assert account.next_run_at > timezone.now() + timedelta(seconds=275)  # of 299.91
        said, connections = len(proxy.commands), proxy.connections
        let_pass(account, seconds=270)
        actions.change_flags(account.user, "read", spots(account, 1), set_=Flag.SEEN, clear=0)  # wakes
        sync_state.wake(account.pk)
        sync_account(account.pk)
        bodies.fetch_body(unread)
        assert (len(proxy.commands), proxy.connections) == (said, connections)
        assert "Suggested Backoff" in MessageBody.objects.get(message=unread).error
        said_elsewhere = len(elsewhere.commands)
        sync(other)
        assert len(elsewhere.commands) > said_elsewhere
        let_pass(account, seconds=30)
        sync(account)
        bodies.fetch_body(unread)
        warm.sweep(older_than=0)
    assert MessageBody.objects.get(message=unread).state == "here"
    assert due.claim_accounts() == []
    check(dovecot, account)
    check(dovecot, other)


def test_f33_a_keyword_the_mailbox_does_not_keep_is_never_sent(dovecot: Dovecot, proxy: FaultProxy) -> None:
    kept = rb"* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft)] Flags permitted." + b"\r\n"
    proxy.rule("to_client", rb"\A\* OK \[PERMANENTFLAGS", replace(kept), nth=None)
    account = filled(dovecot, proxy)
    refusing = proxy.rule("to_server", rb"Forwarded", replace(b"x BAD Command Argument Error. 11\r\n"), nth=None)
    set_ = Flag.FORWARDED | Flag.SEEN
    actions.change_flags(account.user, "read", spots(account, 1, 2), set_=set_, clear=0)
    for _ in range(3):
        sync_state.wake(account.pk)
        sync(account)
    assert not refusing.seen
    assert len(proxy.said(rb"UID STORE")) == 1
    assert RemoteOp.objects.get(account=account).state == RemoteOp.State.DONE
    shown = Placement.objects.filter(account=account, uid__in=[1, 2])
    assert list(shown.values_list("flags", "server_flags")) == [(set_, Flag.SEEN)] * 2
    assert on_server(dovecot, account.address)["INBOX"][1] == {r"\Seen"}


@pytest.mark.parametrize("when", ["before the mark", "before its answer"])
def test_f29_a_mark_stands_until_the_server_has_answered_and_then_the_server_wins(
    dovecot: Dovecot, proxy: FaultProxy, when: str
) -> None:
    account = filled(dovecot, proxy)
    shown: list[bool] = []

    def look() -> None:
        flags = Placement.objects.values_list("flags", flat=True).get(account=account, uid=2)
        if shown[-1:] != [bool(flags & Flag.SEEN)]:
            shown.append(bool(flags & Flag.SEEN))

    def contradict() -> None:
        with other_client(dovecot, account.address) as client:
            client.uid("STORE", "2", "+FLAGS.SILENT" if when == "before the mark" else "-FLAGS.SILENT", r"(\Seen)")
            if when == "before the mark":
                client.uid("STORE", "2", "-FLAGS.SILENT", r"(\Seen)")

    look()
    actions.change_flags(account.user, "read", spots(account, 2), set_=Flag.SEEN, clear=0)
    RemoteOp.objects.update(not_before="2099-01-01T00:00Z")
    sync(account)  # the server still says unread
    look()
    RemoteOp.objects.update(not_before=None)
    if when == "before the mark":
        proxy.rule("to_server", rb" UID STORE ", call(contradict))
    else:
        proxy.rule("to_client", rb"\A\S+ OK [^\r]*Store completed", call(contradict))
    proxy.rule("to_client", rb"", call(look), nth=None)
    sync(account)
    sync(account)
    look()
    proxy.clear()
    wins = [False, True] if when == "before the mark" else [False, True, False]
    assert shown == wins
    check(dovecot, account)
