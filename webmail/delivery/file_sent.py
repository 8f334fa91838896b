"""The copy in Sent, once: a step of its own that can be repeated and never sends anything (RFC 9051 section 6.3.12).

Invariants: one worker at a time, by a claim that outlasts the upload; the destination's UIDNEXT is committed before
APPEND, and a repeated try looks among newer UIDs for the Message-ID first; a server that kept the copy itself is
noticed and remembered; those known for it are given time to, and only filled in for when they did not; one that files
after us all the same is noticed by `second_copy`; an account in trouble is left to the sync. POP3 accounts keep theirs
here (sync.local_sent).
"""

import logging
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from accounts.services import sync_state
from webmail import connections, storage
from webmail.failures import note_refusal
from webmail.jobs import Job, enqueue
from webmail.models import Mailbox, Outgoing, frozen
from webmail.protocols import imap
from webmail.protocols.errors import CommandFailed, MailServerError

from . import second_copy
from .self_filing import files_itself, learn

log = logging.getLogger(__name__)

_MOST_TRIES = 8
_LOOKED = 3  # times a self-filing server is looked at before the copy is filed for it
_CONNECTED = (MailAccount.State.WORKING, MailAccount.State.NEW)
_RECENT = 200  # UIDs from the end of Sent that are looked at
_NEWEST = 20  # the same on a server that is not known for filing itself
_CLAIM_LASTS = timedelta(minutes=5)
_SLOWEST = 32 * 1024  # octets of an upload in a second

Filing = Outgoing.Filing


def file_sent(outgoing_id: int) -> None:
    """Files the copy or notes when to try again; never raises for what a server does."""
    outgoing = (
        Outgoing.objects.select_related("account__incoming", "account__outgoing", "account__credential")
        .filter(pk=outgoing_id, filing=Filing.WAITING, sent_at__isnull=False)
        .filter(account__protocol=MailAccount.Protocol.IMAP, account__state__in=_CONNECTED)
        .filter(user__is_active=True, account__organisation__suspended_at=None)
        .first()
    )
    if outgoing is None or not _claim(outgoing):
        return
    box = Mailbox.objects.filter(account=outgoing.account, role=Mailbox.Role.SENT).exclude(phase="gone").first()
    try:
        with connections.open_imap(outgoing.account) as session:
            done = _file(session, outgoing, _sent_name(session, box))
    except (MailServerError, SealBroken, OSError) as error:
        log.warning("outgoing %s: copy in Sent waits: %s", outgoing_id, type(error).__name__)
        note_refusal(outgoing.account, error)
        done = ""
    _note(outgoing, done)


def _claim(outgoing: Outgoing) -> bool:
    """Whether nobody else is at it: the next try is put off, in one statement, by longer than this one can take."""
    now = timezone.now()
    lasts = _CLAIM_LASTS + timedelta(seconds=outgoing.size / _SLOWEST)
    waiting = Outgoing.objects.filter(Q(filing_after=None) | Q(filing_after__lte=now), pk=outgoing.pk)
    return bool(waiting.filter(filing=Filing.WAITING).update(filing_after=now + lasts))


def _sent_name(session: imap.Session, box: Mailbox | None) -> bytes:
    """The Sent mailbox's wire name; an account without one gets ``Sent``."""
    if box is not None:
        return bytes(box.wire_name)
    try:
        session.create(b"Sent")
    except CommandFailed as error:
        if error.code != "ALREADYEXISTS" and not any(one.wire_name == b"Sent" for one in session.list_mailboxes()):
            raise
    return b"Sent"


def _file(session: imap.Session, outgoing: Outgoing, name: bytes) -> str:
    """FILED, SERVER, or "" when a self-filing server is to be looked at again."""
    uidnext = session.status(name).uidnext or 1
    if outgoing.filing_uidnext is not None and _is_there(session, outgoing, name, since=outgoing.filing_uidnext):
        return Filing.FILED
    by_itself = files_itself(outgoing.account)
    if _is_there(session, outgoing, name, since=max(1, uidnext - (_RECENT if by_itself else _NEWEST))):
        if outgoing.filing_uidnext is not None:
            return Filing.FILED  # Sent was numbered anew since our try: it may well be ours
        learn(outgoing.account)
        return Filing.SERVER
    if by_itself and outgoing.filing_attempts < _LOOKED:
        return ""
    frozen.complete_sent_copy(outgoing)
    Outgoing.objects.filter(pk=outgoing.pk).update(filing_uidnext=uidnext)
    with storage.open_file(outgoing.account_id, outgoing.sent_copy_digest) as file:
        filed = session.append(name, file, flags=["\\Seen"], internaldate=outgoing.sent_at)
    second_copy.begin(outgoing, filed, session.capabilities)
    return Filing.FILED


def _is_there(session: imap.Session, outgoing: Outgoing, name: bytes, *, since: int) -> bool:
    session.select(name, read_only=True)
    return bool(session.search_message_id(f"<{outgoing.message_id}>", since_uid=since))


def _note(outgoing: Outgoing, done: str) -> None:
    rows = Outgoing.objects.filter(pk=outgoing.pk, filing=Filing.WAITING)
    attempts = outgoing.filing_attempts + 1
    if done:
        rows.update(filing=done, filing_attempts=attempts, filing_after=timezone.now() + second_copy.FIRST_LOOK)
        sync_state.wake(outgoing.account_id)
        enqueue(Job.SYNC_ACCOUNT, outgoing.account_id)
    elif attempts >= _MOST_TRIES:
        rows.update(filing=Filing.FAILED, filing_attempts=attempts, filed_uid=None)  # nothing looks at it any more
    else:
        wait = timedelta(seconds=60 if files_itself(outgoing.account) else min(30 * 2**attempts, 3600))
        rows.update(filing_attempts=attempts, filing_after=timezone.now() + wait)
