"""A POP3 account: everything is downloaded once, remembered by UIDL, and deleted only as its owner chose.

Invariants: a message, its place in the local inbox, the reference to its stored octets and its line in the ledger are
one transaction; a deletion is decided and committed before DELE is sent, and counts only when QUIT was answered +OK;
a body that came short is not stored; a renumbered server costs header look-ups, not second copies. RFC 1939.
"""

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from accounts.models import MailAccount
from webmail import storage
from webmail.connections import open_pop3
from webmail.mime.headers import HeaderSummary, parse_header_block
from webmail.mime.parse import parse_message
from webmail.models import Mailbox, Message, MessageBody, Placement, PopUid
from webmail.protocols.errors import CommandFailed, MailServerError
from webmail.protocols.pop3 import PopEntry, Session
from webmail.sync import bodies, failpoints, pop_plan
from webmail.sync.apply import replayed, store
from webmail.sync.folders import ensure_local
from webmail.sync.lease import Lease, guarded
from webmail.sync.local_sent import whole
from webmail.sync.messages import known_message
from webmail.sync.placements import Spot
from webmail.sync.pop_plan import Listed, Policy, PopPlan
from webmail.sync.run import Teller

log = logging.getLogger(__name__)
MOST_UNREAD = 200
State = PopUid.State


def collect(account: MailAccount, lease: Lease) -> bool:
    """One session: download what is new, then delete what is due. True when the time slice ended before the end.

    Raises MailServerError, LeaseLost.
    """
    with guarded(lease):
        inbox = ensure_local(account)[Mailbox.Role.INBOX]
    _read_stored(account)
    teller = Teller(account.user_id, account.pk)
    session = open_pop3(account)
    try:
        listing = _keyed(session, session.listing())
        plan = _plan(account, listing)
        if plan.renumbered:
            _match_renumbered(account, lease, session, listing)
            plan = _plan(account, listing, matched=True)
        _note_listing(account, lease, plan, listing)
        left = _download(account, lease, session, plan.fetch, inbox, teller)
        if not left:
            plan = _plan(account, listing, matched=True)
        _delete(account, lease, session, plan.delete)
    finally:
        session.close()
        teller.tell_rest()
    return left


# --- the ledger ------------------------------------------------------------------------------------------------------


def _keyed(session: Session, listing: Sequence[PopEntry]) -> list[Listed]:
    """The listing under lasting keys; where UIDL does not tell messages apart, their headers do."""
    digests = {}
    for entry in pop_plan.doubtful(listing):
        digests[entry.number] = hashlib.sha256(session.top(entry.number, 0)).hexdigest()
    return pop_plan.keyed(listing, digests)


def _ledger(account: MailAccount) -> dict[str, pop_plan.Entry]:
    live_somewhere = Placement.objects.filter(message=OuterRef("message")).exclude(state=Placement.State.GONE)
    rows = PopUid.objects.filter(account=account.pk).annotate(here=Exists(live_somewhere))
    return {
        uidl: pop_plan.Entry(
            state=state,
            first_seen_at=first_seen_at,
            attempts=attempts,
            gone_here=state == State.FETCHED and not here,
            listed=gone_at is None,
        )
        for uidl, state, first_seen_at, attempts, here, gone_at in rows.values_list(
            "uidl", "state", "first_seen_at", "attempts", "here", "gone_at"
        )
    }


def _plan(account: MailAccount, listing: Sequence[Listed], *, matched: bool = False) -> PopPlan:
    now = timezone.now()
    frozen = account.settings_seen.get("pop_frozen_until", "") > now.isoformat()
    policy = Policy(account.pop_policy, account.pop_days, frozen=frozen)
    return pop_plan.plan(listing, _ledger(account), policy, now=now, matched=matched)


def _note_listing(account: MailAccount, lease: Lease, plan: PopPlan, listing: Sequence[Listed]) -> None:
    """What the server stopped listing, what came back, what is too large; and how much there is to do."""
    now = timezone.now()
    mine = PopUid.objects.filter(account=account.pk)
    with guarded(lease):
        gone = mine.filter(uidl__in=plan.vanished)
        gone.filter(state=State.DELETE_DUE).update(state=State.DELETED)
        gone.update(gone_at=now)
        mine.filter(uidl__in=plan.returned).update(gone_at=None)
        mine.filter(gone_at__lt=now - pop_plan.REMEMBERED).delete()
        PopUid.objects.bulk_create(
            [PopUid(account=account, uidl=one.key, size=one.size, state=State.TOO_LARGE) for one in plan.too_large],
            ignore_conflicts=True,
        )
        MailAccount.objects.filter(pk=account.pk).update(
            progress_total=len(listing), progress_done=len(listing) - len(plan.fetch), progress_since=now
        )


def _match_renumbered(account: MailAccount, lease: Lease, session: Session, listing: Sequence[Listed]) -> None:
    """Gives messages that are here already their new UIDL; deletions rest for a week."""
    log.warning("account %s: the server renumbered its mail", account.pk)
    until = (timezone.now() + pop_plan.FROZEN).isoformat()
    account.settings_seen = account.settings_seen | {"pop_frozen_until": until}
    with guarded(lease):
        MailAccount.objects.filter(pk=account.pk).update(settings_seen=account.settings_seen)
    for one in listing:
        head = parse_header_block(session.top(one.number, 0))
        message = _same_message(account, head)
        if message is not None:
            with guarded(lease):
                _record(account, one, message, State.FETCHED)


def _same_message(account: MailAccount, head: HeaderSummary) -> int | None:
    """The stored message with this Message-ID (or, without one, subject), author and date."""
    author = head.from_[0].addr_spec if head.from_ else ""
    same = Message.objects.filter(account=account.pk, from_address=author, sent_at=head.date)
    by = {"message_id": head.message_id} if head.message_id else {"subject": head.subject}
    return same.filter(**by).values_list("pk", flat=True).first()


def _record(account: MailAccount, one: Listed, message: int | None, state: str) -> None:
    PopUid.objects.update_or_create(
        account=account,
        uidl=one.key,
        defaults={
            "size": one.size,
            "state": state,
            "message_id": message,
            "fetched_at": timezone.now(),
            "gone_at": None,
            "problem": "",
        },
    )


# --- downloading -----------------------------------------------------------------------------------------------------


def _download(
    account: MailAccount, lease: Lease, session: Session, wanted: Iterable[Listed], inbox: Mailbox, teller: Teller
) -> bool:
    """Newest first. True when time ran out."""
    ends = time.monotonic() + settings.MAILROOM["SYNC_SLICE_SECONDS"]
    for one in wanted:
        if time.monotonic() > ends:
            return True
        try:
            _download_one(account, lease, session, one, inbox)
        except MailServerError as error:
            _note_trouble(account, lease, one, error)
            if not isinstance(error, CommandFailed):
                raise
            continue
        teller.tell(inbox.pk)
    return False


def _download_one(account: MailAccount, lease: Lease, session: Session, one: Listed, inbox: Mailbox) -> None:
    with storage.spool() as spool:
        size = session.retrieve(one.number, spool, max_bytes=pop_plan.LARGEST, expected_size=one.size)
        digest = spool.keep(account.pk)
    _make_durable(account.pk, digest)
    failpoints.reach("pop spooled")
    with storage.open_file(account.pk, digest) as file:
        raw = file.read(bodies.LARGEST_WHOLE)
    parsed = parse_message(raw)
    row = whole(account.pk, parsed, raw, received_at=_received_at(parsed.headers, timezone.now()), size=size)
    spot = Spot(account.pk, inbox.pk, inbox.gen)

    def work() -> tuple[int, bool]:
        known = known_message(account.pk, row)
        message = known if known is not None else store(spot, [row]).arrived[0][0]
        if known is None:
            MessageBody.objects.create(message_id=message, account_id=account.pk, raw_digest=digest)
        _record(account, one, message, State.FETCHED)
        MailAccount.objects.filter(pk=account.pk).update(progress_done=F("progress_done") + 1)
        return message, known is None

    message_id, new = replayed(lease, work)
    failpoints.reach("pop stored")
    if new:
        bodies.keep(Message.objects.get(pk=message_id), parsed, raw, raw_digest=digest)


def _read_stored(account: MailAccount) -> None:
    """Messages that an earlier worker stored and did not come to read."""
    unread = MessageBody.objects.filter(account=account.pk, state=MessageBody.State.WANTED).exclude(raw_digest="")
    for pk in unread.values_list("pk", flat=True)[:MOST_UNREAD]:
        bodies.fetch_body(pk)


def _received_at(head: HeaderSummary, now: datetime) -> datetime:
    """POP3 tells no date of arrival: the sender's, unless it lies ahead."""
    return head.date if head.date is not None and head.date <= now + timedelta(minutes=5) else now


def _make_durable(account_id: int, digest: str) -> None:
    """On disk before the server may be told to delete; a storage without files keeps its own promises."""
    try:
        descriptor = os.open(default_storage.path(storage.path(account_id, digest)), os.O_RDONLY)
    except NotImplementedError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note_trouble(account: MailAccount, lease: Lease, one: Listed, error: MailServerError) -> None:
    """Counts the tries of a message; after three it is left alone and shown as not loaded."""
    with guarded(lease):
        row, _ = PopUid.objects.get_or_create(account=account, uidl=one.key, defaults={"size": one.size})
        PopUid.objects.filter(pk=row.pk).update(
            attempts=F("attempts") + 1, state=State.FAILED, problem=(error.server_line or error.kind)[:200]
        )


# --- deleting --------------------------------------------------------------------------------------------------------


def _delete(account: MailAccount, lease: Lease, session: Session, due: Sequence[Listed]) -> None:
    """DELE what was decided; QUIT makes it so. Without its +OK the ledger still says due, as the next listing shows."""
    keys = [one.key for one in due]
    mine = PopUid.objects.filter(account=account.pk, uidl__in=keys)
    if keys:
        with guarded(lease):
            mine.update(state=State.DELETE_DUE)
        failpoints.reach("pop delete due")
    marked: list[str] = []
    for one in due:
        try:
            session.delete(one.number)
            marked.append(one.key)
        except CommandFailed as error:
            log.info("account %s: DELE refused: %s", account.pk, error.kind)
    session.quit()
    failpoints.reach("pop quit")
    if marked:
        replayed(lease, partial(_deleted, account.pk, marked))


def _deleted(account_id: int, keys: Sequence[str]) -> None:
    PopUid.objects.filter(account=account_id, uidl__in=keys).update(state=State.DELETED, gone_at=timezone.now())
