"""A draft that is saved over and over while connections break: one copy on the server, the newest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from django.utils import timezone

from accounts.models import Identity, MailAccount
from tests.servers.faults.rounds import rounds
from tests.servers.faults.sending_rig import bury_connections
from tests.servers.sync_rig import account_on, check, imap_account, other_client, sync
from tests.support.dovecot import Dovecot
from tests.support.faultproxy import Direction, FaultProxy, call, cut
from tests.support.workers import STATEMENT, Workers
from webmail import connections
from webmail.delivery import draft_copy
from webmail.models import Draft, Mailbox
from webmail.services import drafts, outbox
from webmail.sync.due import due_drafts

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


def save(draft: Draft, text: str, *, to: str = "") -> None:
    """Somebody has typed, and paused."""
    assert draft.identity is not None
    fields = drafts.Fields(identity=draft.identity, to=to, text=text, plain=True)
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


JOB = "webmail.delivery.draft_copy:follow"
ENDS = ("kept", "discarded", "sent")


def test_f43_any_draft_whatever_breaks_while_it_is_written(
    dovecot: Dovecot,
    proxy: FaultProxy,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    without_sending_limits: None,
) -> None:
    """Each round a draft: saved some times while lines break and workers die, then left, discarded or sent."""
    account = account_on(proxy.endpoint, dovecot.add_user())
    account.outgoing = account.incoming  # nothing is sent here, and there has to be a server for it
    account.save()
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    monkeypatch.setattr(draft_copy, "CLAIM_LASTS", timedelta(0))  # who broke off is known to be gone
    for number, chance in enumerate(rounds(12)):
        fields = drafts.Fields(identity=account.identities.get(), to="ana@elsewhere.test", plain=True)
        draft = drafts.save(account.user, fields)[0]
        saves = chance.randint(1, 5)
        for nth in range(saves):
            save(draft, f"draft {number} version {nth}", to="ana@elsewhere.test")
            _follow_somehow(draft, proxy, workers, chance)
            if chance.random() < 0.1:
                sync(account)
            draft.refresh_from_db()
        end = chance.choice(ENDS)
        if end == "sent":
            outbox.submit(draft)
        elif end == "discarded":
            drafts.discard(draft)
        if end != "kept":
            _follow_somehow(draft, proxy, workers, chance)
        for _ in range(3):
            draft_copy.follow(draft.pk)
        expected = [f"draft {number} version {saves - 1}"] if end == "kept" else []
        assert lying(dovecot, account) == expected, (number, end)
        draft.refresh_from_db()
        assert draft.superseded_uids == []
        if end == "kept":
            drafts.discard(draft)
            draft_copy.follow(draft.pk)
            assert lying(dovecot, account) == []
    sync(account)
    check(dovecot, account)


def _follow_somehow(draft: Draft, proxy: FaultProxy, workers: Workers, chance: Random) -> None:
    """A worker sees to the copy: undisturbed, on a line that breaks, or dying at a command or at the database."""
    break_somewhere(proxy, chance)
    if chance.random() < 0.3:
        if chance.random() < 0.5:
            workers.run(JOB, draft.pk, at=STATEMENT, nth=chance.randint(1, 18))
        else:
            proxy.clear()
            proxy.rule(*chance.choice(PLACES), call(workers.kill))
            workers.run(JOB, draft.pk)
    else:
        draft_copy.follow(draft.pk)
    proxy.clear()
    bury_connections()


def lying(dovecot: Dovecot, account: MailAccount) -> list[str]:
    """The texts of the drafts on the server, as another program sees them."""
    with other_client(dovecot, account.address) as client:
        client.select("Drafts", readonly=True)
        uids = client.search(None, "ALL")[1][0].split()
        rows = [client.fetch(uid.decode(), "(BODY.PEEK[TEXT])")[1][0] for uid in uids]
    return sorted(row[1].decode().strip() for row in rows if isinstance(row, tuple))


@dataclass
class Writer:
    """Somebody whose drafts are copied to the server."""

    dovecot: Dovecot
    account: MailAccount

    @classmethod
    def on(cls, dovecot: Dovecot) -> Writer:
        account = imap_account(dovecot)
        Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
        sync(account)
        return cls(dovecot, account)

    def begin(self, text: str) -> Draft:
        """A draft with its copy on the server, and the server's copy known here."""
        fields = drafts.Fields(identity=self.account.identities.get(), text=text, plain=True)
        draft = drafts.save(self.account.user, fields)[0]
        Draft.objects.filter(pk=draft.pk).update(updated_at=timezone.now() - timedelta(minutes=1))
        return self.follow(draft)

    def follow(self, draft: Draft) -> Draft:
        draft_copy.follow(draft.pk)
        draft.refresh_from_db()
        sync(self.account)
        return draft

    def renumber(self, uidvalidity: int) -> None:
        """The server numbers Drafts anew, and a pass hears of it."""
        self.dovecot.doveadm(
            "mailbox", "update", "-u", self.account.address, "--uid-validity", str(uidvalidity), "Drafts"
        )
        sync(self.account)

    def put(self, text: str, *, mailbox: str = "Drafts", message_id: str = "foreign@x.test") -> None:
        """Another program saves a draft."""
        written = f"From: me@x.test\r\nMessage-ID: <{message_id}>\r\nSubject: Mine\r\n\r\n{text}\r\n".encode()
        with other_client(self.dovecot, self.account.address) as client:
            client.create(mailbox)
            assert client.append(mailbox, r"\Draft", None, written)[0] == "OK"

    def texts(self, mailbox: str = "Drafts") -> list[str]:
        found = self.dovecot.doveadm("fetch", "-u", self.account.address, "body", "mailbox", mailbox, "all")
        return sorted(part.strip() for part in found.replace("\x0c", "").split("body:") if part.strip())


@pytest.fixture
def writer(dovecot: Dovecot) -> Writer:
    return Writer.on(dovecot)


def test_a_draft_that_was_numbered_anew_between_two_saves_is_one_draft(writer: Writer) -> None:
    draft = writer.begin("the first")
    writer.renumber(4711)
    save(draft, "the second")
    writer.follow(draft)
    assert writer.texts() == ["the second"]
    writer.renumber(4712)
    writer.renumber(4713)
    save(draft, "the third")
    writer.follow(draft)
    assert writer.texts() == ["the third"]
    assert draft.superseded_uids == []


def test_a_draft_that_was_numbered_anew_goes_when_it_is_discarded(writer: Writer) -> None:
    draft = writer.begin("the first")
    writer.put("a stranger's")
    writer.renumber(4711)
    drafts.discard(draft)
    writer.follow(draft)
    assert writer.texts() == ["a stranger's"]
    assert (draft.remote_uid, draft.superseded_uids) == (None, [])


def test_what_another_program_made_of_a_draft_stays(writer: Writer) -> None:
    draft = writer.begin("the first")
    writer.put("gone on with elsewhere", message_id=draft.message_id)
    writer.renumber(4711)
    save(draft, "the second")
    writer.follow(draft)
    assert writer.texts() == ["gone on with elsewhere", "the second"]


def test_a_draft_whose_sender_is_of_another_account_moves_there(writer: Writer, dovecot: Dovecot) -> None:
    other = Writer.on(dovecot)
    MailAccount.objects.filter(pk=other.account.pk).update(user=writer.account.user)
    other.account.refresh_from_db()
    other.put("a stranger's")
    sync(other.account)
    draft = writer.begin("the first")
    fields = drafts.Fields(identity=other.account.identities.get(), text="the second", plain=True)
    drafts.save(draft.user, fields, draft=draft, revision=draft.revision)
    Draft.objects.filter(pk=draft.pk).update(updated_at=timezone.now() - timedelta(minutes=1))
    assert draft.pk in due_drafts()
    writer.follow(draft)
    assert (writer.texts(), other.texts()) == ([], ["a stranger's", "the second"])
    assert draft.pk not in due_drafts()


def test_another_folder_for_drafts_loses_nothing_of_its_own(writer: Writer) -> None:
    draft = writer.begin("the first")
    writer.put("a stranger's", mailbox="Sketches")
    sync(writer.account)
    person = Mailbox.RoleSource.PERSON
    Mailbox.objects.filter(account=writer.account, role="drafts").update(role="", role_source=person)
    Mailbox.objects.filter(account=writer.account, name="Sketches").update(role="drafts", role_source=person)
    save(draft, "the second")
    writer.follow(draft)
    assert (writer.texts(), writer.texts("Sketches")) == ([], ["a stranger's", "the second"])


def test_an_old_copy_whose_deletion_was_lost_goes_without_another_save(
    dovecot: Dovecot, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    writer = Writer(dovecot, account)
    draft = writer.begin("the first")
    save(draft, "the second")
    proxy.rule("to_server", rb" UID STORE ", cut())
    draft_copy.follow(draft.pk)
    proxy.clear()
    assert writer.texts() == ["the first", "the second"]
    Draft.objects.update(copy_after=None)
    assert draft.pk in due_drafts()
    writer.follow(draft)
    assert writer.texts() == ["the second"]
    assert draft.pk not in due_drafts()


def test_a_copy_that_the_server_refuses_is_not_sent_again_at_once(dovecot: Dovecot, proxy: FaultProxy) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    proxy.rule("to_server", rb" APPEND ", cut(after=20))
    draft = Writer(dovecot, account).begin("the first")
    assert draft.remote_revision == 0
    assert draft.pk not in due_drafts()
    save(draft, "the second")  # tried at once when something new is there to be copied
    assert draft.pk in due_drafts()


@pytest.mark.parametrize("end", ["discarded", "sent"])
def test_a_copy_of_which_nobody_heard_goes_with_its_draft(
    dovecot: Dovecot, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    account = account_on(proxy.endpoint, dovecot.add_user())
    account.outgoing = account.incoming  # nothing is sent here, and there has to be a server for it
    account.save()
    Identity.objects.create(account=account, address=account.address, is_default=True, verified_at=timezone.now())
    sync(account)
    monkeypatch.setattr(draft_copy, "CLAIM_LASTS", timedelta(0))  # who broke off is known to be gone
    draft = drafts.save(account.user, drafts.Fields(identity=account.identities.get(), plain=True))[0]
    save(draft, "the first", to="ana@elsewhere.test")
    proxy.rule("to_client", rb"APPENDUID", cut())
    draft_copy.follow(draft.pk)
    proxy.clear()
    assert lying(dovecot, account) == ["the first"]
    draft.refresh_from_db()
    assert draft.remote_revision == 0
    drafts.discard(draft) if end == "discarded" else outbox.submit(draft)
    draft_copy.follow(draft.pk)
    assert lying(dovecot, account) == []
