"""The copy in Sent of an account whose folders exist here only (POP3).

Invariants: the message, its place in Sent and the note that it is filed are one transaction, so it is there once; the
frozen bytes, Bcc included, are the ones that were sent. RFC 1939 has no folders, so nothing is owed to the server.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from accounts.models import MailAccount
from webmail import live, storage
from webmail.mime.parse import ParsedMessage, parse_message
from webmail.mime.structure import tree_has_attachments, walk
from webmail.models import Flag, Mailbox, Message, MessageBody, Outgoing, frozen
from webmail.sync import bodies
from webmail.sync import lease as leases
from webmail.sync.apply import replayed, store
from webmail.sync.folders import ensure_local
from webmail.sync.lease import Lease, LeaseLost
from webmail.sync.messages import known_message
from webmail.sync.placements import Spot
from webmail.sync.rows import Incoming, fingerprint, local

log = logging.getLogger(__name__)
HEAD = 256 * 1024
BUSY_AGAIN = timedelta(seconds=5)
Filing = Outgoing.Filing


def keep_sent(outgoing_id: int) -> bool:
    """Files the copy here if the account keeps its mail here; False when its server has to."""
    outgoing = Outgoing.objects.select_related("account__user").filter(pk=outgoing_id).first()
    if outgoing is None or outgoing.account.protocol != MailAccount.Protocol.POP3:
        return False
    if outgoing.filing == Filing.WAITING and outgoing.sent_at is not None:
        _file(outgoing, outgoing.sent_at)
    return True


def _file(outgoing: Outgoing, sent_at: datetime) -> None:
    mine = Outgoing.objects.filter(pk=outgoing.pk, filing=Filing.WAITING)
    lease = leases.take(outgoing.account_id)
    if lease is None:
        mine.update(filing_after=timezone.now() + BUSY_AGAIN)
        return
    try:
        frozen.complete_sent_copy(outgoing)
        with storage.mapped(outgoing.account_id, outgoing.sent_copy_digest) as raw:
            _store(outgoing, lease, raw, sent_at)
    except LeaseLost:
        mine.update(filing_after=timezone.now() + BUSY_AGAIN)
    except OSError as error:
        log.error("outgoing %s: its copy cannot be read: %s", outgoing.pk, type(error).__name__)
        mine.update(filing=Filing.FAILED)
    finally:
        leases.release(lease)


def _store(outgoing: Outgoing, lease: Lease, raw: bytes, sent_at: datetime) -> None:
    parsed = parse_message(raw)
    row = whole(outgoing.account_id, parsed, raw, received_at=sent_at, size=len(raw))
    row = replace(row, flags=int(Flag.SEEN))
    kept = replayed(lease, partial(_write, outgoing, row))
    if kept is None:
        return
    message, box = kept
    bodies.keep(Message.objects.get(pk=message), parsed, raw, raw_digest=outgoing.sent_copy_digest)
    live.publish(outgoing.user_id, "mailbox", account=outgoing.account_id, mailbox=box)


def _write(outgoing: Outgoing, row: Incoming) -> tuple[int, int] | None:
    """The message and the mailbox it lies in; None when another worker was here first."""
    if not Outgoing.objects.filter(pk=outgoing.pk, filing=Filing.WAITING).update(filing=Filing.FILED):
        return None
    sent = ensure_local(outgoing.account)[Mailbox.Role.SENT]
    store(Spot(outgoing.account_id, sent.pk, sent.gen), [row])
    message = known_message(outgoing.account_id, row)
    assert message is not None  # store has just made it
    MessageBody.objects.get_or_create(
        message_id=message, defaults={"account_id": outgoing.account_id, "raw_digest": outgoing.sent_copy_digest}
    )
    return message, sent.pk


def whole(account_id: int, parsed: ParsedMessage, raw: bytes, *, received_at: datetime, size: int) -> Incoming:
    """The row of a message that is here; ``raw`` may be its beginning alone, ``size`` counts all of it."""
    return local(
        account_id,
        parsed.headers,
        received_at=received_at,
        size=size,
        mark=fingerprint(_head(raw), size),
        attachment=tree_has_attachments(parsed.root),
        invite=any(part.media_type == "text/calendar" for part in walk(parsed.root)),
    )


def _head(raw: bytes) -> bytes:
    """The header block with its line ends, the same whether the message is whole or came by TOP."""
    return raw[:HEAD].partition(b"\r\n\r\n")[0]
