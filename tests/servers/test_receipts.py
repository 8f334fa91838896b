"""A receipt from the message that asks for it to the keyword that tells other programs."""

import pytest
from django.utils import timezone

from accounts.models import Identity
from tests.support.dovecot import Dovecot
from tests.support.submission import Submission
from webmail import connections
from webmail.delivery.submit import submit
from webmail.models import Message, MessageBody, Outgoing, Placement
from webmail.protocols.uidset import UidSet
from webmail.protocols.values import FlagRow
from webmail.services import receipts

from .sync_rig import imap_account, sync
from .test_delivery import server

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_receipt_goes_out_from_nobody_and_the_message_is_marked(dovecot: Dovecot, submission: Submission) -> None:
    account = imap_account(dovecot)
    account.outgoing = server(submission.endpoint(), "smtp", account.user)
    account.save(update_fields=["outgoing"])
    Identity.objects.create(account=account, address=account.address, verified_at=timezone.now())
    asker = dovecot.add_user()
    raw = (
        f"Return-Path: <bounce@elsewhere.test>\r\nFrom: <{asker}>\r\nTo: <{account.address}>\r\nSubject: Please\r\n"
        f"Message-ID: <asks@x.test>\r\nDisposition-Notification-To: <{asker}>\r\n\r\nHello\r\n"
    )
    dovecot.load_maildir(account.address, [raw.encode()])
    sync(account)  # brings it ahead
    assert MessageBody.objects.get().special["return_path"] == "bounce@elsewhere.test"
    made = receipts.send(account.user, Message.objects.select_related("account", "body").get())
    assert made is not None
    Outgoing.objects.update(send_after=timezone.now())
    submit(made.pk)
    made.refresh_from_db()
    assert made.state == Outgoing.State.SENT
    (accepted,) = submission.accepted
    assert (accepted.mail_from, accepted.rcpt_tos) == ("", (asker,))
    assert b"Auto-Submitted: auto-replied" in accepted.content
    sync(account)
    with connections.open_imap(account) as session:
        session.select(b"INBOX", read_only=True)
        rows = [row for row in session.fetch_flags(UidSet.span(1, 9)) if isinstance(row, FlagRow)]
    assert ["$mdnsent" in {flag.lower() for flag in row.flags} for row in rows] == [True]
    assert Placement.objects.get().pending_keywords == []
