"""Writing and sending where folders are labels: Sent is the server's to file, drafts leave no copies behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Identity, MailAccount, MailServer
from deploy.demo.tls import DemoCertificate
from tests.servers.gmail_rig import check, gmail_account, here
from tests.servers.sync_rig import sync
from tests.support.gmail import Gmail
from tests.support.gmail_mail import DRAFTS, SENT, TRASH, Mailboxes
from webmail import storage
from webmail.delivery.draft_copy import follow
from webmail.delivery.file_sent import file_sent
from webmail.models import Draft, Outgoing
from webmail.services import drafts, outbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def gmail(certificates: DemoCertificate) -> Iterator[Gmail]:
    made = Gmail(certificates)
    yield made
    made.stop()


@pytest.fixture
def boxes(gmail: Gmail, request: pytest.FixtureRequest) -> Mailboxes:
    gmail.log.clear()
    return gmail.add_user(f"{request.node.name}@gmail.test".lower().replace("_", "-"))


@pytest.fixture
def account(gmail: Gmail, boxes: Mailboxes, request: pytest.FixtureRequest) -> MailAccount:
    made = gmail_account(gmail, next(address for address, found in gmail.people.items() if found is boxes))
    made.outgoing = MailServer.objects.get_or_create(protocol="smtp", host="smtp.gmail.test", port=465)[0]
    made.save(update_fields=["outgoing"])
    Identity.objects.create(account=made, address=made.address, is_default=True, verified_at=timezone.now())
    sync(made)
    return made


def draft(account: MailAccount, text: str, *, of: Draft | None = None) -> Draft:
    fields = drafts.Fields(identity=account.identities.get(), to="ines@x.test", subject="Proofs", text=text, plain=True)
    return drafts.save(account.user, fields, draft=of, revision=of.revision if of else 0)[0]


def rested(made: Draft) -> None:
    Draft.objects.filter(pk=made.pk).update(updated_at=timezone.now() - timedelta(minutes=1))
    follow(made.pk)
    made.refresh_from_db()


def test_older_copies_of_a_draft_stay_in_no_folder_but_trash(account: MailAccount, boxes: Mailboxes) -> None:
    made = draft(account, "First words")
    rested(made)
    rested(draft(account, "First words and more", of=made))
    sync(account)
    check(boxes, account)
    assert (len(here(account)[DRAFTS]), len(here(account)[TRASH])) == (1, 1)
    made.refresh_from_db()
    drafts.discard(made)
    follow(made.pk)
    sync(account)
    check(boxes, account)
    assert not here(account)[DRAFTS]


@pytest.fixture
def sent(account: MailAccount) -> Outgoing:
    """A message the submission server has taken; its copy in Sent is still to be seen to."""
    made = outbox.submit(draft(account, "Here they are"))
    Outgoing.objects.filter(pk=made.pk).update(state=Outgoing.State.SENT, sent_at=timezone.now(), filing="waiting")
    made.refresh_from_db()
    return made


def test_the_copy_gmail_files_is_the_only_one(
    gmail: Gmail, account: MailAccount, boxes: Mailboxes, sent: Outgoing
) -> None:
    file_sent(sent.pk)  # too early: Gmail has not filed it yet
    boxes.deliver(storage.read(account.pk, sent.sent_copy_digest), labels=["\\Sent"], flags=["\\Seen"])
    Outgoing.objects.update(filing_after=None)
    file_sent(sent.pk)
    sent.refresh_from_db()
    assert sent.filing == "server"
    assert not any(line.startswith("APPEND") for line in gmail.log)
    sync(account)
    check(boxes, account)
    assert len(here(account)[SENT]) == 1


def test_a_copy_that_never_comes_is_filed_in_the_end(account: MailAccount, boxes: Mailboxes, sent: Outgoing) -> None:
    for _ in range(4):
        Outgoing.objects.update(filing_after=None)
        file_sent(sent.pk)
    sent.refresh_from_db()
    assert sent.filing == "filed"
    sync(account)
    check(boxes, account)
    assert len(here(account)[SENT]) == 1
