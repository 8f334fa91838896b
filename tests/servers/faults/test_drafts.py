"""A draft that is saved over and over while connections break: one copy on the server, the newest."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from django.utils import timezone

from accounts.models import Identity, MailAccount
from tests.servers.faults.rounds import rounds
from tests.servers.sync_rig import account_on, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import Direction, FaultProxy, cut
from webmail import connections
from webmail.delivery import draft_copy
from webmail.models import Draft
from webmail.services import drafts

pytestmark = pytest.mark.django_db(transaction=True)

SAVES = 30
PLACES: tuple[tuple[Direction, bytes], ...] = (
    ("to_server", rb" STATUS "),
    ("to_server", rb" APPEND "),
    ("to_client", rb"\A\+ OK"),
    ("to_client", rb"APPENDUID"),
    ("to_server", rb" SELECT "),
    ("to_server", rb" UID STORE "),
    ("to_client", rb"Store completed"),
    ("to_server", rb" UID EXPUNGE "),
    ("to_client", rb"Expunge completed"),
)


def copies(dovecot: Dovecot, account: MailAccount) -> list[bytes]:
    """The texts of the drafts on the server."""
    found = dovecot.doveadm("fetch", "-u", account.address, "body", "mailbox", "Drafts", "all")
    return [part.strip().encode() for part in found.split("body:") if part.strip()]


def save(draft: Draft, text: str) -> None:
    """Somebody has typed, and paused."""
    assert draft.identity is not None
    fields = drafts.Fields(identity=draft.identity, text=text, plain=True)
    drafts.save(draft.user, fields, draft=draft, revision=draft.revision)
    Draft.objects.filter(pk=draft.pk).update(updated_at=timezone.now() - timedelta(minutes=1))


def break_somewhere(proxy: FaultProxy, chance: Random) -> None:
    """One of the next commands or answers is where the line breaks; sometimes none is."""
    proxy.clear()
    if chance.random() < 0.7:
        direction, pattern = chance.choice(PLACES)
        proxy.rule(direction, pattern, cut(after=chance.choice([0, 0, 3, 40])))


def test_f43_a_draft_saved_over_and_over_is_one_draft(
    dovecot: Dovecot, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    monkeypatch.setattr(draft_copy, "CLAIM_LASTS", timedelta(0))  # who broke off is known to be gone
    draft = drafts.save(account.user, drafts.Fields(identity=account.identities.get(), plain=True))[0]
    for number, chance in enumerate(rounds(SAVES)):
        draft.refresh_from_db()
        save(draft, f"version {number}")
        break_somewhere(proxy, chance)
        draft_copy.follow(draft.pk)
        if chance.random() < 0.2:
            proxy.clear()
            sync(account)
    proxy.clear()
    draft.refresh_from_db()
    save(draft, "the last version")
    for _ in range(3):
        draft_copy.follow(draft.pk)
    draft.refresh_from_db()
    assert [b"the last version" in copy for copy in copies(dovecot, account)] == [True]
    assert draft.superseded_uids == []
    sync(account)
    drafts.discard(draft)
    draft_copy.follow(draft.pk)
    with connections.open_imap(account) as session:
        assert session.status(b"Drafts").messages == 0
