"""A server that turns out to file what it submits, but later than we looked: of two copies in Sent, ours goes again.

Invariants: only the copy that we filed goes, known by what APPENDUID said of it (RFC 4315), by UID EXPUNGE, and only
while another one with the same Message-ID stands beside it; a person's mark on ours keeps it. Looking costs a question
to our own rows, where the sync of Sent shows both; a server is asked only when they do.
"""

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from accounts.services import sync_state
from webmail import connections
from webmail.failures import note_refusal
from webmail.jobs import Job, enqueue
from webmail.mime.identifiers import normalise_id, ref_hash
from webmail.models import Flag, Mailbox, Message, Outgoing, Placement, ThreadRef
from webmail.protocols import imap
from webmail.protocols.errors import MailServerError
from webmail.protocols.imap_fetch import message_ids
from webmail.protocols.uidset import UidSet
from webmail.protocols.values import LABELS, AppendResult, FlagRow

from .self_filing import learn

log = logging.getLogger(__name__)

FIRST_LOOK = timedelta(minutes=2)
_LATER_LOOKS = (timedelta(minutes=15), timedelta(hours=2))  # after it was sent
_LONGEST = timedelta(days=1)  # for which a server that does not answer is asked
_CLAIM_LASTS = timedelta(minutes=5)
_CONNECTED = (MailAccount.State.WORKING, MailAccount.State.NEW)
_HEAD_BYTES = 64 * 1024
_OURS = {"\\seen", "\\recent"}  # flags that say nothing of a person

Filing = Outgoing.Filing


def begin(outgoing: Outgoing, filed: AppendResult, capabilities: frozenset[str]) -> None:
    """Notes which copy is ours, and that there may come to be another; not where that could not be mended."""
    if filed.uid is None or filed.uidvalidity is None or LABELS in capabilities:
        return
    Outgoing.objects.filter(pk=outgoing.pk).update(filed_uid=filed.uid, filed_uidvalidity=filed.uidvalidity)


def look(outgoing_id: int) -> None:
    """Looks whether there are two by now, and takes ours away; never raises for what a server does."""
    now = timezone.now()
    outgoing = (
        Outgoing.objects.select_related("account__incoming", "account__outgoing", "account__credential")
        .filter(pk=outgoing_id, filing=Filing.FILED, filed_uid__isnull=False, filing_after__lte=now)
        .filter(account__state__in=_CONNECTED, user__is_active=True, account__organisation__suspended_at=None)
        .first()
    )
    if outgoing is None:
        return
    box = Mailbox.objects.filter(account=outgoing.account, role=Mailbox.Role.SENT).exclude(phase="gone").first()
    timely = (outgoing.sent_at or outgoing.created_at) > now - _LONGEST
    doubled = timely and box is not None and _is_doubled(outgoing, box)
    if box is None or not doubled:
        _note_next(outgoing, now)
        return
    if not Outgoing.objects.filter(pk=outgoing.pk, filing_after__lte=now).update(filing_after=now + _CLAIM_LASTS):
        return
    try:
        with connections.open_imap(outgoing.account) as session:
            gone = _take_ours_away(session, outgoing, box)
    except (MailServerError, SealBroken, OSError) as error:
        log.warning("outgoing %s: second copy in Sent waits: %s", outgoing_id, type(error).__name__)
        note_refusal(outgoing.account, error)
        return
    Outgoing.objects.filter(pk=outgoing.pk).update(filed_uid=None, **({"filing": Filing.SERVER} if gone else {}))
    sync_state.wake(outgoing.account_id)
    enqueue(Job.SYNC_ACCOUNT, outgoing.account_id)


def _note_next(outgoing: Outgoing, now: datetime) -> None:
    since = outgoing.sent_at or outgoing.created_at
    again = next((since + wait for wait in _LATER_LOOKS if since + wait > now), None)
    changed = {"filing_after": again} if again else {"filed_uid": None}
    Outgoing.objects.filter(pk=outgoing.pk, filing=Filing.FILED).update(**changed)


def _is_doubled(outgoing: Outgoing, box: Mailbox) -> bool:
    """Whether our rows show our copy in Sent, as it was filed, and another of the message."""
    ref = ref_hash(normalise_id(outgoing.message_id))
    thread = ThreadRef.objects.filter(account=outgoing.account_id, ref=ref).values("thread")[:1]
    messages = Message.objects.filter(thread__in=thread, message_id=outgoing.message_id)
    copies = Placement.objects.filter(mailbox=box, message__in=messages, state=Placement.State.LIVE, gen=box.gen)
    found = {copy.uid: copy for copy in copies}
    ours = found.get(outgoing.filed_uid)
    if ours is None or len(found) < 2 or box.uidvalidity != outgoing.filed_uidvalidity:
        return False
    return not (ours.flags & ~Flag.SEEN or ours.keywords or ours.pending_mask or ours.pending_keywords)


def _take_ours_away(session: imap.Session, outgoing: Outgoing, box: Mailbox) -> bool:
    """Whether it is gone, and the server's own stands."""
    seen = session.select(bytes(box.wire_name), read_only=False)
    ours = outgoing.filed_uid
    if seen.uidvalidity != outgoing.filed_uidvalidity or ours is None:
        return False
    flags = _copies(session, outgoing)
    others = [uid for uid, words in flags.items() if uid != ours and "\\deleted" not in words]
    if ours not in flags or not others:
        return False
    learn(outgoing.account)
    if flags[ours] - _OURS or not {"UIDPLUS", "IMAP4REV2"} & session.capabilities:
        return False
    only_ours = UidSet.collect([ours])
    session.store_flags(only_ours, add=["\\Deleted"])
    return session.expunge(only_ours)


def _copies(session: imap.Session, outgoing: Outgoing) -> dict[int, set[str]]:
    """The flags, in lower case, of what lies in the selected mailbox under the message's Message-ID since we filed."""
    found = session.search_message_id(f"<{outgoing.message_id}>", since_uid=max(1, outgoing.filing_uidnext or 1))
    wanted = f"<{outgoing.message_id}>".encode()
    heads = session.fetch_sections(dict.fromkeys(found, "HEADER"), first_bytes=_HEAD_BYTES)
    same = {uid for uid, head in heads if wanted in message_ids(head)}
    rows = session.fetch_flags(UidSet.collect(same)) if same else ()
    return {
        row.uid: {flag.lower() for flag in row.flags} for row in rows if isinstance(row, FlagRow) and row.uid in same
    }
