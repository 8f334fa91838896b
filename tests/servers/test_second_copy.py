"""A server that files what it submits after we did: of two copies in Sent ours goes, and nothing else ever does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import MailAccount
from tests.servers.sync_rig import check, sync
from tests.servers.test_delivery import Sender, friend, sender
from tests.servers.test_delivery_races import due
from webmail import connections
from webmail.delivery import second_copy
from webmail.jobs import Job
from webmail.models import Outgoing, Placement
from webmail.protocols.errors import ConnectionLost
from webmail.protocols.imap import Session
from webmail.protocols.uidset import UidSet
from webmail.tasks.send import file_copy_in_sent

__all__ = ["friend", "sender"]
pytestmark = pytest.mark.django_db(transaction=True)

Filing = Outgoing.Filing


def look(made: Outgoing) -> None:
    """The sync has been through Sent, and the time of the next look has come."""
    sync(MailAccount.objects.get(pk=made.account_id))
    Outgoing.objects.filter(pk=made.pk).update(filing_after=timezone.now())
    file_copy_in_sent(made.pk)
    made.refresh_from_db()


@pytest.fixture
def filed(sender: Sender, friend: str) -> Outgoing:
    """A message whose copy we have filed; its hidden reader tells that copy from the server's."""
    made = sender.send(friend, bcc=sender.dovecot.add_user())
    file_copy_in_sent(made.pk)
    made.refresh_from_db()
    assert (made.filing, len(sender.in_sent())) == (Filing.FILED, 1)
    return made


def server_files(sender: Sender, *flags: str) -> None:
    with connections.open_imap(sender.account) as session:
        session.append(b"Sent", sender.submission.accepted[-1].content, flags=["\\Seen", *flags])


def ours(sender: Sender) -> list[bool]:
    """Of each copy in Sent, whether it is the one we filed."""
    return [b"\nbcc:" in head.lower() for head in sender.in_sent()]


def learnt() -> bool:
    return bool(MailAccount.objects.get().settings_seen.get("files_sent"))


def test_ours_goes_and_the_servers_own_stays(sender: Sender, filed: Outgoing, friend: str) -> None:
    server_files(sender)
    look(filed)
    assert (filed.filing, filed.filed_uid, ours(sender), learnt()) == (Filing.SERVER, None, [False], True)
    sync(sender.account)
    check(sender.dovecot, sender.account)
    assert Placement.objects.filter(mailbox__role="sent", state=Placement.State.LIVE).count() == 1
    again = sender.send(friend)
    file_copy_in_sent(again.pk)  # from now on the server is given the time to
    again.refresh_from_db()
    assert (again.filing, len(sender.in_sent())) == (Filing.WAITING, 1)


def test_a_server_that_files_nothing_is_not_even_asked(
    sender: Sender, filed: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(sender.account)
    monkeypatch.setattr(connections, "open_imap", None)
    sent = filed.sent_at
    assert sent is not None
    assert timedelta(minutes=1) < filed.filing_after - timezone.now() <= second_copy.FIRST_LOOK  # type: ignore[operator]  # it is set
    gaps = []
    for passed in (timedelta(minutes=2), timedelta(minutes=15, seconds=1), timedelta(hours=2, seconds=1)):
        Outgoing.objects.update(sent_at=timezone.now() - passed, filing_after=timezone.now())
        assert (Job.FILE_SENT.value, filed.pk) in due()
        file_copy_in_sent(filed.pk)
        filed.refresh_from_db()
        gaps.append(filed.filed_uid is not None)
    assert (gaps, filed.filing, learnt()) == ([True, True, False], Filing.FILED, False)
    Outgoing.objects.update(filing_after=timezone.now())
    assert due() == []


def test_a_look_that_is_not_due_does_nothing(sender: Sender, filed: Outgoing) -> None:
    server_files(sender)
    sync(sender.account)
    file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]


@pytest.mark.parametrize("synced", [True, False])
def test_ours_stays_once_a_person_has_marked_it(sender: Sender, filed: Outgoing, synced: bool) -> None:
    server_files(sender)
    if not synced:
        sync(sender.account)
    with connections.open_imap(sender.account) as session:
        session.select(b"Sent", read_only=False)
        session.store_flags(UidSet.collect([filed.filed_uid or 0]), add=["\\Flagged"])
    if synced:
        look(filed)
    else:
        Outgoing.objects.update(filing_after=timezone.now())
        file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]


def test_ours_stays_where_it_has_been_starred_here(sender: Sender, filed: Outgoing) -> None:
    server_files(sender)
    sync(sender.account)
    Placement.objects.filter(mailbox__role="sent", uid=filed.filed_uid).update(pending_mask=2, flags=3)
    Outgoing.objects.update(filing_after=timezone.now())
    file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]


def test_ours_stays_where_the_other_is_about_to_go(sender: Sender, filed: Outgoing) -> None:
    server_files(sender)
    sync(sender.account)
    with connections.open_imap(sender.account) as session:
        session.select(b"Sent", read_only=False)
        session.store_flags(UidSet.collect([(filed.filed_uid or 0) + 1]), add=["\\Deleted"])
    Outgoing.objects.update(filing_after=timezone.now())
    file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]


def test_ours_stays_where_others_would_go_with_it(
    sender: Sender, filed: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_files(sender)
    sync(sender.account)
    whole = vars(Session)["capabilities"].fget
    monkeypatch.setattr(Session, "capabilities", property(lambda self: whole(self) - {"UIDPLUS", "IMAP4REV2"}))
    Outgoing.objects.update(filing_after=timezone.now())
    file_copy_in_sent(filed.pk)
    filed.refresh_from_db()
    assert (sorted(ours(sender)), filed.filing, learnt()) == ([False, True], Filing.FILED, True)


def test_numbers_that_mean_other_messages_by_now_are_left_alone(sender: Sender, filed: Outgoing) -> None:
    server_files(sender)
    sync(sender.account)
    Outgoing.objects.update(filed_uidvalidity=(filed.filed_uidvalidity or 0) + 1, filing_after=timezone.now())
    file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]


def test_another_message_is_no_second_copy(sender: Sender, filed: Outgoing, friend: str) -> None:
    another = sender.send(friend)
    file_copy_in_sent(another.pk)
    look(filed)
    assert (len(sender.in_sent()), learnt()) == (2, False)


@pytest.mark.parametrize("state", [MailAccount.State.SUSPENDED, MailAccount.State.THROTTLED])
def test_the_server_of_an_account_in_trouble_is_not_asked(
    sender: Sender, filed: Outgoing, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    server_files(sender)
    sync(sender.account)
    MailAccount.objects.update(state=state)
    Outgoing.objects.update(filing_after=timezone.now())
    with monkeypatch.context() as quiet:
        quiet.setattr(connections, "open_imap", None)
        file_copy_in_sent(filed.pk)
    assert sorted(ours(sender)) == [False, True]
    MailAccount.objects.update(state=MailAccount.State.WORKING)
    assert (Job.FILE_SENT.value, filed.pk) in due()


def test_what_could_not_be_filed_in_the_end_is_not_looked_at(
    sender: Sender, filed: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died between the upload and noting it, and no look at Sent came to an end since."""

    def lost(session: Session, name: bytes) -> None:
        raise ConnectionLost

    Outgoing.objects.update(filing=Filing.WAITING, filing_attempts=7, filing_after=timezone.now())
    with monkeypatch.context() as broken:
        broken.setattr(Session, "status", lost)
        file_copy_in_sent(filed.pk)
    filed.refresh_from_db()
    assert filed.filing == Filing.FAILED
    Outgoing.objects.update(filing_after=timezone.now())
    assert (Job.FILE_SENT.value, filed.pk) not in due()
